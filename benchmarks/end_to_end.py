"""How many rows a second go from file to numbers through the services, against bare COPY.

RabbitMQ, PostgreSQL and one process per stage on this machine; partitions of 100,000 rows. The
floor is measured in the same run on the same rows and tables, so the ratio holds when the machine's
speed does not.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks.floor import copy_seconds
from spine_common.bootstrap.migrate import migrate
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.settings import Settings
from spine_common.core.pipeline import TriggerSource
from spine_common.observability.logs import configure_logging
from spine_common.testing.cluster import Cluster
from spine_common.testing.servers import Household, find_postgres, find_rabbit
from spine_common.testing.soundness import at_rest, ended
from spine_common.testing.synthetic import NMS_TIER_2, OTC, Week, write

ROWS = 100_000
FIRST_WEEK = date(2024, 3, 8)
TARGET = 0.5


async def measure(partitions: int, rounds: int) -> float:
    """Run the rounds, print each one's figures, and return the median ratio."""
    with Household.opened() as household, tempfile.TemporaryDirectory() as scratch:
        postgres = find_postgres(household, durable=True)
        rabbit = find_rabbit(household)
        ratios = []
        for number in range(rounds):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            url = postgres.new_database()
            await migrate(url)
            environment = {
                "SPINE_DATABASE_URL": url,
                "SPINE_RABBITMQ_URL": rabbit.new_vhost(),
                "SPINE_STORAGE_LOCAL_PATH": str(folder / "objects"),
            }
            seconds = await _through_the_services(environment, folder, partitions)
            floor = await copy_seconds(url)
            ratios.append(floor / seconds)
            rows = partitions * ROWS
            print(
                f"round {number + 1}: {rows:,} rows  end to end {seconds:6.2f} s"
                f" = {rows / seconds:9,.0f} rows/s   bare COPY {floor:6.2f} s"
                f" = {rows / floor:9,.0f} rows/s   ratio {ratios[-1]:.2f}"
            )
            postgres.drop_database(url)
    return statistics.median(ratios)


async def _through_the_services(
    environment: dict[str, str], folder: Path, partitions: int
) -> float:
    settings = Settings(
        database_url=environment["SPINE_DATABASE_URL"],
        rabbitmq_url=environment["SPINE_RABBITMQ_URL"],
        storage_local_path=environment["SPINE_STORAGE_LOCAL_PATH"],
    )
    async with open_platform(settings, "bench") as platform:
        await platform.bus.connect()
        await platform.bus.declare()
        # A small partition first: it only wakes everything up.
        weeks = [Week(FIRST_WEEK, OTC, rows=100)] + [
            Week(FIRST_WEEK + timedelta(weeks=n), NMS_TIER_2, seed=n, rows=ROWS)
            for n in range(partitions)
        ]
        files = [await platform.upload(write(week, folder)) for week in weeks]
        async with Cluster(environment, folder / "logs"):
            relay = asyncio.create_task(platform.relay.run())
            await _process(platform, files[:1], weeks[:1])
            began = time.perf_counter()
            await _process(platform, files[1:], weeks[1:])
            seconds = time.perf_counter() - began
            await at_rest(platform)
            await platform.relay.stop()
            await relay
    return seconds


async def _process(platform: Platform, files: list[str], weeks: list[Week]) -> None:
    orders = [
        await platform.dispatcher.submit(
            "finra.otc_transparency.process_week",
            {"file_path": file, "week_ending": week.week_ending, "tier": week.tier},
            trigger_source=TriggerSource.CLI,
        )
        for file, week in zip(files, weeks, strict=True)
    ]
    executions = await ended(platform, [order.execution_id for order in orders], patience=600)
    failed = [execution for execution in executions if execution.status != "completed"]
    if failed:
        raise SystemExit(f"{len(failed)} partitions did not complete: {failed[0].error}")


def main() -> None:
    """Print rows per second and the ratio; exit 1 when the median misses the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of three partitions")
    quick = parser.parse_args().quick
    configure_logging("bench", level="ERROR", log_format="console")
    ratio = asyncio.run(measure(partitions=3 if quick else 10, rounds=1 if quick else 3))
    print(f"median ratio to bare COPY: {ratio:.2f} (target: at least {TARGET})")
    if not quick and ratio < TARGET:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

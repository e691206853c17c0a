"""FINRA's real files give the known numbers, in one process and as services, and the same ones."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spine_common.bootstrap.platform import Platform
from spine_common.core.ids import CaptureId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.queries import Window
from spine_common.testing.cluster import Cluster
from spine_common.testing.soundness import at_rest, check_ledger, digests, ended

WEEK = "finra.otc_transparency.process_week"
DOMAIN = "finra.otc_transparency"
EVERYTHING = Window(limit=None)

GOLDEN: dict[str, dict[str, Any]] = {
    "finra_otc_weekly_otc_20251215.csv": {
        "partition": "week_ending=2025-11-14/tier=OTC",
        "rows": 5_328,
        "symbols": 3_111,
        "venues": 9,
        "shares": Decimal(1_335_995_901),
        "trades": 472_776,
        "share_of": {"OTCN": 0.821884, "OTCX": 0.144232, "ARCA": 0.030691},
    },
    "finra_otc_weekly_otc_20251222.csv": {
        "partition": "week_ending=2025-11-21/tier=OTC",
        "rows": 5_192,
        "symbols": 2_985,
        "venues": 9,
        "shares": Decimal(943_802_893),
        "trades": 497_191,
        "share_of": {"OTCN": 0.809065, "OTCX": 0.141796, "ARCA": 0.046454},
    },
}


async def process(platform: Platform, path: Path) -> None:
    location = await platform.upload(path)
    order = await platform.dispatcher.submit(
        WEEK, {"file_path": location}, trigger_source=TriggerSource.CLI
    )
    (execution,) = await ended(platform, [order.execution_id])
    assert (execution.status, execution.error) == ("completed", None)
    assert execution.partition_key == GOLDEN[path.name]["partition"]


async def numbers(platform: Platform, partition_key: str) -> dict[str, Any]:
    domain = platform.registry.domain(DOMAIN)
    catalog = domain.catalog
    async with platform.database.reading() as tx:
        captures = await tx.queries.captures(DOMAIN, partition_key=partition_key, window=EVERYTHING)
        capture = await tx.captures.get(CaptureId(captures.rows[0]["capture_id"]))
        assert domain.normalized is not None
        rows = await tx.queries.rows(domain.normalized, capture, window=EVERYTHING)
        symbols = await tx.queries.rows(
            catalog.get("symbol_summary").dataset, capture, window=EVERYTHING
        )
        venues = await tx.queries.rows(
            catalog.get("venue_share").dataset, capture, window=EVERYTHING
        )
        checks = await tx.queries.checks(capture)
        rejected = await tx.queries.rejects(capture, window=EVERYTHING)
    assert {check["status"] for check in checks} == {"passed"}
    assert capture.rows == rows.total + rejected.total
    shares = {row["venue"]: row for row in venues.rows}
    return {
        "partition": partition_key,
        "rows": rows.total,
        "symbols": symbols.total,
        "venues": venues.total,
        "shares": sum((row["shares"] for row in rows.rows), Decimal()),
        "trades": sum(row["trades"] for row in rows.rows),
        "share_of": {v: round(shares[v]["share"], 6) for v in ("OTCN", "OTCX", "ARCA")},
    }


@pytest.mark.parametrize("name", GOLDEN)
async def test_a_real_file_gives_the_known_numbers_in_one_process(
    embedded: Platform, finra_files: Path, name: str
) -> None:
    await process(embedded, finra_files / name)
    assert await numbers(embedded, GOLDEN[name]["partition"]) == GOLDEN[name]


async def test_separate_services_over_rabbitmq_and_postgresql_give_the_same_tables(
    embedded: Platform, client: Platform, cluster: Cluster, finra_files: Path
) -> None:
    assert set(cluster.services) == {"ingestor", "normalizer", "aggregator", "dlq"}
    for name, golden in GOLDEN.items():
        await process(embedded, finra_files / name)
        await process(client, finra_files / name)
        assert await numbers(client, golden["partition"]) == golden
    assert await digests(client) == await digests(embedded)
    await at_rest(client)
    assert await check_ledger(client) == await check_ledger(embedded) == 8

"""Every line of the process is one JSON object, whoever wrote it, and tells no secret."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from spine_common.observability.logs import adopt_libraries, configure_logging, log_context

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lines(output: io.StringIO) -> Lines:
    configure_logging("normalizer", level="INFO", stream=output)
    return lambda: [json.loads(line) for line in output.getvalue().splitlines()]


def fail(reason: str) -> None:
    raise OSError(reason)


def test_a_line_says_what_when_how_bad_and_whose(lines: Lines):
    structlog.get_logger("spine.test").info("partition_normalized", rows=12)

    [line] = lines()
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert line == {
        "event": "partition_normalized",
        "rows": 12,
        "level": "info",
        "logger": "spine.test",
        "service": "normalizer",
    }


def test_a_library_writes_the_same_kind_of_line(lines: Lines):
    logging.getLogger("uvicorn.error").warning(
        "port %d is busy", 8000, extra={"color_message": "x"}
    )

    [line] = lines()
    assert line["event"] == "port 8000 is busy"
    assert line["level"] == "warning"
    assert line["logger"] == "uvicorn.error"
    assert line["service"] == "normalizer"
    assert "color_message" not in line


def test_a_librarys_own_handler_is_taken_away_also_when_it_came_late(lines: Lines):
    own = io.StringIO()
    for name in ("uvicorn", "faststream.access.test"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.StreamHandler(own))
        logger.propagate = False

    adopt_libraries()
    logging.getLogger("uvicorn.access").warning("one")
    logging.getLogger("faststream.access.test").warning("two")

    assert [line["event"] for line in lines()] == ["one", "two"]
    assert own.getvalue() == ""


def test_configuring_again_does_not_write_twice(lines: Lines, output: io.StringIO):
    configure_logging("aggregator", stream=output)

    structlog.get_logger().info("once")

    assert [line["service"] for line in lines()] == ["aggregator"]


async def test_the_context_follows_its_own_task_and_thread_only(lines: Lines):
    log = structlog.get_logger()

    async def work(execution: str) -> None:
        with log_context(execution_id=execution, pipeline="p"):
            await asyncio.sleep(0)
            log.info("in_task")
            await asyncio.to_thread(logging.getLogger("library").info, "in_thread")

    await asyncio.gather(work("a"), work("b"))
    log.info("outside")

    *inside, outside = lines()
    assert sorted((line["event"], line["execution_id"]) for line in inside) == [
        ("in_task", "a"),
        ("in_task", "b"),
        ("in_thread", "a"),
        ("in_thread", "b"),
    ]
    assert "execution_id" not in outside


def test_lines_below_the_level_are_not_written(lines: Lines):
    structlog.get_logger().debug("no")
    logging.getLogger("aio_pika.connection").info("no")
    logging.getLogger("sqlalchemy.engine.Engine").info("no")
    structlog.get_logger().info("yes")

    assert [line["event"] for line in lines()] == ["yes"]


def test_secrets_are_hidden_in_events_values_and_tracebacks(lines: Lines, output: io.StringIO):
    log = structlog.get_logger()
    log.info("connect amqp://u:hunter2@h", password="hunter2", config={"api_key": "hunter2"})  # noqa: S106
    logging.getLogger("library").info("connect %s", "amqp://u:hunter2@h")
    try:
        fail("no answer from postgresql://u:hunter2@h/d")
    except OSError:
        log.exception("failed")

    assert "hunter2" not in output.getvalue()
    assert "no answer from postgresql://u:***@h/d" in lines()[-1]["exception"]
    assert lines()[-1]["level"] == "error"


def test_a_value_json_does_not_know_is_written_as_text(lines: Lines):
    structlog.get_logger().info("odd", at=datetime(2026, 1, 6, tzinfo=UTC), names={("a", 1): {2}})

    [line] = lines()
    assert line["at"] == "2026-01-06 00:00:00+00:00"
    assert line["names"] == {"('a', 1)": [2]}


def test_the_console_format_is_for_people_and_hides_as_much(output: io.StringIO):
    configure_logging("cli", log_format="console", stream=output)
    secret = "hunter2"  # noqa: S105
    try:
        fail(f"amqp://u:{secret}@h")
    except OSError:
        structlog.get_logger().exception("it_broke", rows=3)

    assert "it_broke" in output.getvalue()
    assert "rows=3" in output.getvalue()
    assert "Traceback" in output.getvalue()
    assert secret not in output.getvalue()

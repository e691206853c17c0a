"""What a log line looks like: one JSON object on stderr, saying whose work it is about."""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from spine_common.observability.redaction import redacted

LogFormat = Literal["json", "console"]

_LIBRARIES = ("uvicorn", "faststream", "sqlalchemy", "alembic", "aio_pika", "aiormq")
_QUIET = (
    "alembic.runtime.migration",
    "aio_pika",
    "aiormq",
    "sqlalchemy.engine",
    "httpx",
    "httpcore",
    "asyncio",
)
"""Loggers whose INFO is noise to everybody but their authors."""

# Run where the line is written, for ours and the libraries' alike: the context is that task's.
_GATHER: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


class _Output(logging.StreamHandler[TextIO]):
    """Our one handler, told apart from those others have put on the root logger."""


def configure_logging(
    service: str,
    *,
    level: str = "INFO",
    log_format: LogFormat = "json",
    stream: TextIO | None = None,
) -> None:
    """Send every log line of the process to ``stream`` (stderr), rendered in one way.

    Lines of structlog and of the standard library alike carry event, level, logger, timestamp
    (UTC, ISO), ``service`` and what ``log_context`` bound; secrets are hidden. May be called
    again: the last call holds.
    """
    output = _Output(stream or sys.stderr)
    output.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*_GATHER, structlog.stdlib.ExtraAdder()],
            processors=[
                _service(service),
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                _renderer(log_format, output.stream),
            ],
        )
    )
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) in {_Output, logging.StreamHandler}:
            root.removeHandler(handler)
    root.addHandler(output)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    adopt_libraries()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_GATHER,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def adopt_libraries() -> None:
    """Take away the handlers libraries gave their own loggers, so that ours renders their lines.

    Call it again after a library has made its loggers late, as a FastStream broker does.
    """
    for name in list(logging.Logger.manager.loggerDict):
        if name.split(".", 1)[0] in _LIBRARIES:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True


def log_context(**values: Any) -> AbstractContextManager[None]:
    """Add ``values`` (execution_id, pipeline, partition, …) to every line of the block.

    It follows the task: into what it awaits, the tasks it starts and `asyncio.to_thread`.
    """
    return structlog.contextvars.bound_contextvars(**values)


def _service(name: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", name)
        # uvicorn says everything a second time, in colours.
        event.pop("color_message", None)
        return event

    return add


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: redacted(name, value) for name, value in event.items()}


def _renderer(log_format: LogFormat, stream: TextIO) -> Processor:
    if log_format == "console":
        # The pretty tracebacks show local variables, and with them secrets.
        return structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)

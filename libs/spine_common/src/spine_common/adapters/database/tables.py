"""The control tables: executions and their events, the outbox, captures, manifest, evidence."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from spine_common.adapters.database.types import BIG_ID, JSON_TYPE, UtcTimestamp
from spine_common.core.execution import TERMINAL, TERMINAL_EVENTS

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(values: frozenset[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


_IS_OPEN = text(f"status NOT IN {_one_of(frozenset(TERMINAL))}")
_IS_TERMINAL_EVENT = text(f"type IN {_one_of(frozenset(TERMINAL_EVENTS))}")

executions = Table(
    "executions",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("params", JSON_TYPE, nullable=False),
    Column("partition_key", Text),
    Column("logical_key", Text, nullable=False),
    Column("trigger_source", Text, nullable=False),
    Column("parent_id", Text, index=True),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False, index=True),
    Column("started_at", UtcTimestamp),
    Column("completed_at", UtcTimestamp),
    Column("error_code", Text),
    Column("error", Text),
    Column("result", JSON_TYPE, nullable=False),
    # Operational, no part of the fold: who works on it, and until when nobody else may.
    Column("lease_owner", Text),
    Column("lease_until", UtcTimestamp),
    # When the broker last confirmed its command: what was confirmed can be lost all the same.
    Column("sent_at", UtcTimestamp),
    Index(
        "uq_executions_open_logical_key",
        "logical_key",
        unique=True,
        postgresql_where=_IS_OPEN,
        sqlite_where=_IS_OPEN,
    ),
    Index("ix_executions_status", "status", postgresql_where=_IS_OPEN, sqlite_where=_IS_OPEN),
)

execution_events = Table(
    "execution_events",
    metadata,
    # No foreign key: the events are the truth, and executions can be dropped and rebuilt.
    Column("execution_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", UtcTimestamp, nullable=False),
    Column("payload", JSON_TYPE, nullable=False),
    Index(
        "uq_execution_events_terminal",
        "execution_id",
        unique=True,
        postgresql_where=_IS_TERMINAL_EVENT,
        sqlite_where=_IS_TERMINAL_EVENT,
    ),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", BIG_ID, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", JSON_TYPE, nullable=False),
    Column("execution_id", Text, index=True),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("available_at", UtcTimestamp, nullable=False, index=True),
    Column("claimed_until", UtcTimestamp),
    Column("claim_token", Text),
    # Past a road that is blocked, to what goes another way.
    Index("ix_outbox_road", "routing_key", "outbox_id"),
)

captures = Table(
    "captures",
    metadata,
    Column("capture_no", BIG_ID, primary_key=True),
    Column("capture_id", Text, nullable=False, unique=True),
    Column("domain", Text, nullable=False),
    Column("partition_key", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("version", Integer, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("raw_key", Text, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("source_format", Text, nullable=False),
    Column("source_updated_on", Date),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("captured_at", UtcTimestamp, nullable=False),
    Column("execution_id", Text, nullable=False),
    UniqueConstraint("domain", "partition_key", "version"),
)

capture_sightings = Table(
    "capture_sightings",
    metadata,
    Column("sighting_id", BIG_ID, primary_key=True),
    Column("capture_no", BIG_ID, ForeignKey("captures.capture_no"), nullable=False, index=True),
    Column("seen_at", UtcTimestamp, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("execution_id", Text, nullable=False),
)

# One row a partition: the lock that two concurrent ingests of it meet on.
partitions = Table(
    "partitions",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("partition_key", Text, primary_key=True),
    Column("latest_capture_no", BIG_ID),
)

manifest = Table(
    "manifest",
    metadata,
    Column("capture_no", BIG_ID, ForeignKey("captures.capture_no"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("object_key", Text),
    Column("completed_at", UtcTimestamp, nullable=False),
    Column("execution_id", Text, nullable=False),
)

rejects = Table(
    "rejects",
    metadata,
    Column("capture_no", BIG_ID, ForeignKey("captures.capture_no"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("column", Text),
    Column("value", Text),
    Column("detail", Text, nullable=False),
    Column("text", Text, nullable=False),
)

quality_checks = Table(
    "quality_checks",
    metadata,
    Column("capture_no", BIG_ID, ForeignKey("captures.capture_no"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("observed", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("checked_at", UtcTimestamp, nullable=False),
    Column("execution_id", Text, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("dead_letter_id", BIG_ID, primary_key=True),
    Column("received_at", UtcTimestamp, nullable=False),
    Column("message_id", Text),
    Column("queue", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", JSON_TYPE, nullable=False),
    Column("execution_id", Text, index=True),
    Column("attempt", Integer),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    # What a person groups and filters by: the message's type, or what it is instead of one.
    Column("shape", Text, nullable=False, server_default="unknown"),
    Column("pipeline", Text),
    Column("partition_key", Text),
    Column("fingerprint", Text, nullable=False, server_default="none", index=True),
    Column("seen", Integer, nullable=False, server_default="1"),
    Column("last_seen_at", UtcTimestamp),
    Column("settled_at", UtcTimestamp),
    Column("settled_because", Text),
    Column("retry_execution_id", Text),
    # One letter for each attempt, however often the broker delivers it.
    UniqueConstraint("execution_id", "attempt"),
    Index("ix_dead_letters_state", "state", "dead_letter_id"),
)

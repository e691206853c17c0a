"""Executions, their events, the outbox and the dead letters."""

import sqlalchemy as sa
from alembic import op

from spine_common.adapters.database.types import BIG_ID, UtcTimestamp

revision = "0001_ledger"
down_revision = None
branch_labels = None
depends_on = None

IS_OPEN = sa.text("status NOT IN ('cancelled', 'completed', 'dead_lettered', 'skipped')")
IS_TERMINAL = sa.text("type IN ('cancelled', 'completed', 'dead_lettered', 'skipped')")


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("dead_letter_id", BIG_ID, nullable=False),
        sa.Column("received_at", UtcTimestamp(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dead_letter_id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint(
            "execution_id", "attempt", name=op.f("uq_dead_letters_execution_id_attempt")
        ),
    )
    op.create_index(
        op.f("ix_dead_letters_execution_id"), "dead_letters", ["execution_id"], unique=False
    )
    op.create_table(
        "executions",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("partition_key", sa.Text(), nullable=True),
        sa.Column("logical_key", sa.Text(), nullable=False),
        sa.Column("trigger_source", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTimestamp(), nullable=False),
        sa.Column("started_at", UtcTimestamp(), nullable=True),
        sa.Column("completed_at", UtcTimestamp(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcTimestamp(), nullable=True),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_executions")),
    )
    op.create_index(op.f("ix_executions_created_at"), "executions", ["created_at"], unique=False)
    op.create_index(op.f("ix_executions_parent_id"), "executions", ["parent_id"], unique=False)
    op.create_index(
        "ix_executions_status",
        "executions",
        ["status"],
        unique=False,
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    )
    op.create_index(
        "uq_executions_open_logical_key",
        "executions",
        ["logical_key"],
        unique=True,
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    )
    op.create_table(
        "outbox",
        sa.Column("outbox_id", BIG_ID, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTimestamp(), nullable=False),
        sa.Column("available_at", UtcTimestamp(), nullable=False),
        sa.Column("claimed_until", UtcTimestamp(), nullable=True),
        sa.Column("claim_token", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
    )
    op.create_index(op.f("ix_outbox_available_at"), "outbox", ["available_at"], unique=False)
    op.create_index(op.f("ix_outbox_execution_id"), "outbox", ["execution_id"], unique=False)
    op.create_table(
        "execution_events",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", UtcTimestamp(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.execution_id"],
            name=op.f("fk_execution_events_execution_id"),
        ),
        sa.PrimaryKeyConstraint("execution_id", "seq", name=op.f("pk_execution_events")),
    )
    op.create_index(
        "uq_execution_events_terminal",
        "execution_events",
        ["execution_id"],
        unique=True,
        postgresql_where=IS_TERMINAL,
        sqlite_where=IS_TERMINAL,
    )


def downgrade() -> None:
    op.drop_table("execution_events")
    op.drop_table("outbox")
    op.drop_table("executions")
    op.drop_table("dead_letters")

"""Dead letters a person can settle, events nobody can change, and what the sweepers look at."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spine_common.adapters.database.types import UtcTimestamp

revision = "0004_nothing_is_lost"
down_revision = "0003_finra_otc_transparency"
branch_labels = None
depends_on = None

IS_TERMINAL = sa.text("type IN ('cancelled', 'completed', 'dead_lettered', 'skipped')")
REFUSAL = "execution_events is append-only"


def letter_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("state", sa.Text(), nullable=False, server_default="waiting"),
        sa.Column("shape", sa.Text(), nullable=False, server_default="unknown"),
        sa.Column("pipeline", sa.Text(), nullable=True),
        sa.Column("partition_key", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False, server_default="none"),
        sa.Column("seen", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("last_seen_at", UtcTimestamp(), nullable=True),
        sa.Column("settled_at", UtcTimestamp(), nullable=True),
        sa.Column("settled_because", sa.Text(), nullable=True),
        sa.Column("retry_execution_id", sa.Text(), nullable=True),
    )


def upgrade() -> None:
    op.add_column("executions", sa.Column("sent_at", UtcTimestamp(), nullable=True))
    for column in letter_columns():
        op.add_column("dead_letters", column)
    op.create_index("ix_outbox_road", "outbox", ["routing_key", "outbox_id"])
    op.create_index("ix_dead_letters_state", "dead_letters", ["state", "dead_letter_id"])
    op.create_index(op.f("ix_dead_letters_fingerprint"), "dead_letters", ["fingerprint"])
    _fill_letters()
    if op.get_bind().dialect.name == "postgresql":
        _free_events_postgresql()
    else:
        _free_events_sqlite()


def _fill_letters() -> None:
    """Tell letters that wait for a person from those whose execution went on or ended."""
    op.execute(
        "UPDATE dead_letters SET"
        " pipeline = (SELECT pipeline FROM executions e"
        "   WHERE e.execution_id = dead_letters.execution_id),"
        " partition_key = (SELECT partition_key FROM executions e"
        "   WHERE e.execution_id = dead_letters.execution_id),"
        " shape = CASE WHEN execution_id IS NULL THEN 'unknown' ELSE 'command' END,"
        " last_seen_at = received_at"
    )
    op.execute(
        "UPDATE dead_letters SET state = 'rescheduled' WHERE EXISTS (SELECT 1 FROM executions e"
        " WHERE e.execution_id = dead_letters.execution_id"
        " AND (e.attempt > dead_letters.attempt OR e.status <> 'dead_lettered'))"
    )


def _free_events_postgresql() -> None:
    op.drop_constraint("fk_execution_events_execution_id", "execution_events", type_="foreignkey")
    op.execute(
        "CREATE OR REPLACE FUNCTION spine_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER execution_events_append_only BEFORE UPDATE ON execution_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION spine_refuse_change()"
    )


def _free_events_sqlite() -> None:
    """Make the table anew: SQLite can't drop a reference."""
    op.execute("ALTER TABLE execution_events RENAME TO execution_events_before")
    op.execute("DROP INDEX uq_execution_events_terminal")
    op.create_table(
        "execution_events",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", UtcTimestamp(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "seq", name=op.f("pk_execution_events")),
    )
    op.execute("INSERT INTO execution_events SELECT * FROM execution_events_before")
    op.execute("DROP TABLE execution_events_before")
    op.create_index(
        "uq_execution_events_terminal",
        "execution_events",
        ["execution_id"],
        unique=True,
        sqlite_where=IS_TERMINAL,
    )
    op.execute(
        "CREATE TRIGGER execution_events_append_only BEFORE UPDATE ON execution_events"
        f" BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER execution_events_append_only ON execution_events")
        op.execute("DROP FUNCTION spine_refuse_change()")
        op.create_foreign_key(
            "fk_execution_events_execution_id",
            "execution_events",
            "executions",
            ["execution_id"],
            ["execution_id"],
        )
    else:
        # The reference does not come back: SQLite would need the table made anew once more.
        op.execute("DROP TRIGGER execution_events_append_only")
    op.drop_index(op.f("ix_dead_letters_fingerprint"), "dead_letters")
    op.drop_index("ix_dead_letters_state", "dead_letters")
    op.drop_index("ix_outbox_road", "outbox")
    for column in reversed(letter_columns()):
        op.drop_column("dead_letters", column.name)
    op.drop_column("executions", "sent_at")

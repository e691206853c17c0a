"""Captures, the manifest and the evidence."""

import sqlalchemy as sa
from alembic import op

from spine_common.adapters.database.types import BIG_ID, UtcTimestamp

revision = "0002_captures"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "captures",
        sa.Column("capture_no", BIG_ID, nullable=False),
        sa.Column("capture_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("partition_key", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("raw_key", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("source_format", sa.Text(), nullable=False),
        sa.Column("source_updated_on", sa.Date(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("captured_at", UtcTimestamp(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("capture_no", name=op.f("pk_captures")),
        sa.UniqueConstraint("capture_id", name=op.f("uq_captures_capture_id")),
        sa.UniqueConstraint(
            "domain",
            "partition_key",
            "version",
            name=op.f("uq_captures_domain_partition_key_version"),
        ),
    )
    op.create_table(
        "partitions",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("partition_key", sa.Text(), nullable=False),
        sa.Column("latest_capture_no", BIG_ID, nullable=True),
        sa.PrimaryKeyConstraint("domain", "partition_key", name=op.f("pk_partitions")),
    )
    op.create_table(
        "capture_sightings",
        sa.Column("sighting_id", BIG_ID, nullable=False),
        sa.Column("capture_no", BIG_ID, nullable=False),
        sa.Column("seen_at", UtcTimestamp(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_no"], ["captures.capture_no"], name=op.f("fk_capture_sightings_capture_no")
        ),
        sa.PrimaryKeyConstraint("sighting_id", name=op.f("pk_capture_sightings")),
    )
    op.create_index(
        op.f("ix_capture_sightings_capture_no"), "capture_sightings", ["capture_no"], unique=False
    )
    op.create_table(
        "manifest",
        sa.Column("capture_no", BIG_ID, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("completed_at", UtcTimestamp(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_no"], ["captures.capture_no"], name=op.f("fk_manifest_capture_no")
        ),
        sa.PrimaryKeyConstraint("capture_no", "stage", "version", name=op.f("pk_manifest")),
    )
    op.create_table(
        "quality_checks",
        sa.Column("capture_no", BIG_ID, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("checked_at", UtcTimestamp(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_no"], ["captures.capture_no"], name=op.f("fk_quality_checks_capture_no")
        ),
        sa.PrimaryKeyConstraint("capture_no", "stage", "name", name=op.f("pk_quality_checks")),
    )
    op.create_table(
        "rejects",
        sa.Column("capture_no", BIG_ID, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("column", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_no"], ["captures.capture_no"], name=op.f("fk_rejects_capture_no")
        ),
        sa.PrimaryKeyConstraint("capture_no", "stage", "line", name=op.f("pk_rejects")),
    )


def downgrade() -> None:
    op.drop_table("rejects")
    op.drop_table("quality_checks")
    op.drop_table("manifest")
    op.drop_table("capture_sightings")
    op.drop_table("partitions")
    op.drop_table("captures")

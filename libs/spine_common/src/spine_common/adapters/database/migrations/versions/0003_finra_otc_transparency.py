"""The data tables of finra.otc_transparency."""

import sqlalchemy as sa
from alembic import op

from spine_common.adapters.database.types import Quantity

revision = "0003_finra_otc_transparency"
down_revision = "0002_captures"
branch_labels = None
depends_on = None

PLAIN_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "otc_raw",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("capture_no", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("tier", PLAIN_TEXT, nullable=False),
        sa.Column("text", PLAIN_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("week_ending", "capture_no", "line", name=op.f("pk_otc_raw")),
    )
    op.create_table(
        "otc_symbol_concentration",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("capture_no", sa.BigInteger(), nullable=False),
        sa.Column("symbol", PLAIN_TEXT, nullable=False),
        sa.Column("tier", PLAIN_TEXT, nullable=False),
        sa.Column("hhi", sa.Double(), nullable=False),
        sa.Column("effective_venues", sa.Double(), nullable=True),
        sa.Column("top1_share", sa.Double(), nullable=False),
        sa.Column("top3_share", sa.Double(), nullable=False),
        sa.Column("hhi_lower", sa.Double(), nullable=False),
        sa.Column("hhi_upper", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            "week_ending", "capture_no", "symbol", name=op.f("pk_otc_symbol_concentration")
        ),
    )
    op.create_table(
        "otc_symbol_summary",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("capture_no", sa.BigInteger(), nullable=False),
        sa.Column("symbol", PLAIN_TEXT, nullable=False),
        sa.Column("tier", PLAIN_TEXT, nullable=False),
        sa.Column("total_volume", Quantity(), nullable=False),
        sa.Column("total_trades", sa.BigInteger(), nullable=False),
        sa.Column("venue_count", sa.BigInteger(), nullable=False),
        sa.Column("avg_trade_size", Quantity(), nullable=True),
        sa.Column("source_updated_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint(
            "week_ending", "capture_no", "symbol", name=op.f("pk_otc_symbol_summary")
        ),
    )
    op.create_table(
        "otc_venue_share",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("capture_no", sa.BigInteger(), nullable=False),
        sa.Column("venue", PLAIN_TEXT, nullable=False),
        sa.Column("tier", PLAIN_TEXT, nullable=False),
        sa.Column("total_volume", Quantity(), nullable=False),
        sa.Column("total_trades", sa.BigInteger(), nullable=False),
        sa.Column("symbol_count", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "week_ending", "capture_no", "venue", name=op.f("pk_otc_venue_share")
        ),
    )
    op.create_table(
        "otc_venue_volume",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("capture_no", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("tier", PLAIN_TEXT, nullable=False),
        sa.Column("summary_type", PLAIN_TEXT, nullable=False),
        sa.Column("symbol", PLAIN_TEXT, nullable=False),
        sa.Column("issue_name", PLAIN_TEXT, nullable=True),
        sa.Column("venue", PLAIN_TEXT, nullable=False),
        sa.Column("mpid", PLAIN_TEXT, nullable=True),
        sa.Column("firm_crd", PLAIN_TEXT, nullable=True),
        sa.Column("venue_name", PLAIN_TEXT, nullable=True),
        sa.Column("product_type", PLAIN_TEXT, nullable=True),
        sa.Column("shares", Quantity(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("avg_trade_size", Quantity(), nullable=True),
        sa.Column("source_updated_on", sa.Date(), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("last_reported_on", sa.Date(), nullable=True),
        sa.Column("record_hash", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "week_ending", "capture_no", "line", name=op.f("pk_otc_venue_volume")
        ),
    )


def downgrade() -> None:
    op.drop_table("otc_venue_volume")
    op.drop_table("otc_venue_share")
    op.drop_table("otc_symbol_summary")
    op.drop_table("otc_symbol_concentration")
    op.drop_table("otc_raw")

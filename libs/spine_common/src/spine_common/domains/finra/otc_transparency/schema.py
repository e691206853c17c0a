"""What we keep of a weekly file: every line as it came, and the typed rows of the valid ones."""

from spine_common.core.dataset import Column, ColumnType, Dataset

WEEK_ENDING = Column("week_ending", ColumnType.DATE, "Friday of the trading week")
TIER = Column("tier", ColumnType.TEXT, "NMS_TIER_1, NMS_TIER_2 or OTC")
SYMBOL = Column(
    "symbol", ColumnType.TEXT, "Symbol of the security; its case tells securities apart"
)
VENUE = Column(
    "venue",
    ColumnType.TEXT,
    "Who reported the trades: the MPID of an ATS, CRD<number>/<name> of any other firm",
)
LINE = Column("line", ColumnType.INTEGER, "Line of the source file, the header being line 1")

RAW = Dataset(
    name="raw",
    table="otc_raw",
    description="Every line of a weekly file after its header, as it came.",
    columns=(
        WEEK_ENDING,
        TIER,
        LINE,
        Column("text", ColumnType.TEXT, "The line, decoded, without its line ending"),
    ),
    key=("line",),
    business_date="week_ending",
)

VENUE_VOLUME = Dataset(
    name="venue_volume",
    table="otc_venue_volume",
    description="Shares and trades of one security on one venue in one week.",
    columns=(
        WEEK_ENDING,
        TIER,
        LINE,
        Column("summary_type", ColumnType.TEXT, "ATS, or OTC for a firm trading outside of one"),
        SYMBOL,
        Column("issue_name", ColumnType.TEXT, "Name of the security", nullable=True),
        VENUE,
        Column(
            "mpid", ColumnType.TEXT, "Market participant id; only an ATS has one", nullable=True
        ),
        Column("firm_crd", ColumnType.TEXT, "The firm's number in FINRA's registry", nullable=True),
        Column("venue_name", ColumnType.TEXT, "Name of the venue or firm", nullable=True),
        Column("product_type", ColumnType.TEXT, "UTP: Nasdaq-listed, CTS: NYSE", nullable=True),
        Column("shares", ColumnType.QUANTITY, "Shares traded in the week", "shares"),
        Column("trades", ColumnType.INTEGER, "Trades done in the week", "trades"),
        Column(
            "avg_trade_size",
            ColumnType.QUANTITY,
            "Shares by trade, half-even; null without trades",
            "shares",
            nullable=True,
        ),
        Column(
            "source_updated_on",
            ColumnType.DATE,
            "Day FINRA published or last restated the row",
            nullable=True,
        ),
        Column("published_on", ColumnType.DATE, "Day FINRA first published the row", nullable=True),
        Column(
            "last_reported_on",
            ColumnType.DATE,
            "Day of the latest report that counts into the row",
            nullable=True,
        ),
        Column(
            "record_hash",
            ColumnType.INTEGER,
            "xxHash64 of week, tier, symbol, venue, shares and trades, read as a signed number",
        ),
    ),
    key=("line",),
    business_date="week_ending",
)

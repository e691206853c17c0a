"""How raw lines become typed rows: each is accepted, or rejected with its first fault."""

import polars as pl
import polars_hash

from spine_common.core.dataset import POLARS_TYPES, ColumnType
from spine_common.core.domain import Normalized
from spine_common.core.partition import Partition
from spine_common.core.quality import QualityCheck, check
from spine_common.core.rejects import REJECT_SCHEMA
from spine_common.core.source import RawCapture
from spine_common.domains.finra.otc_transparency.duplicates import judge_duplicates
from spine_common.domains.finra.otc_transparency.fields import cut
from spine_common.domains.finra.otc_transparency.formats import (
    DATE_FIELDS,
    SUMMARY_TYPES,
    Layout,
    read_header,
)
from spine_common.domains.finra.otc_transparency.quantities import mean_size, millionths
from spine_common.domains.finra.otc_transparency.rules import Reason, rules
from spine_common.domains.finra.otc_transparency.schema import VENUE_VOLUME

_VALUE_LENGTH, _TEXT_LENGTH = 200, 2_000


def normalize(raw: RawCapture) -> Normalized:
    """Judge every line of a raw capture: ``VENUE_VOLUME`` rows, rejects, and their checks.

    ``accepted`` and ``rejected`` are in the order of the file and hold each line exactly once.
    """
    layout = read_header(raw.header)
    rows = cut(raw.lines.sort("line"), layout)
    faults = _first_faults(rows, layout, raw)
    sound = _typed(
        rows.join(faults, on="line", how="anti", maintain_order="left"), layout, raw.partition
    )
    doubles = judge_duplicates(sound)
    accepted = sound.join(doubles, on="line", how="anti", maintain_order="left")
    rejected = _rejects(rows, faults, doubles)
    return Normalized(accepted, rejected, _checks(raw, accepted, rejected))


def _first_faults(rows: pl.DataFrame, layout: Layout, raw: RawCapture) -> pl.DataFrame:
    """Return ``line``, ``reason``, ``column``, ``value``, ``detail`` of every line at fault."""
    last_line: int = rows.select(pl.col("line").max()).item() or 0
    found = rules(layout, raw.partition, last_line)
    first = pl.coalesce(
        pl.when(rule.broken).then(pl.lit(number)) for number, rule in enumerate(found)
    )
    faulty = rows.with_columns(fault=first).drop_nulls("fault")
    parts = [
        faulty.filter(pl.col("fault") == number).select(
            "line",
            pl.lit(rule.reason.value).alias("reason"),
            pl.lit(layout.format.columns.get(rule.field or ""), pl.String).alias("column"),
            (pl.col(rule.field) if rule.field else pl.lit(None, pl.String)).alias("value"),
            rule.detail.alias("detail"),
        )
        for number, rule in enumerate(found)
    ]
    return pl.concat(parts)


def _typed(rows: pl.DataFrame, layout: Layout, partition: Partition) -> pl.DataFrame:
    """Return sound rows as ``VENUE_VOLUME``."""
    typed = rows.with_columns(
        pl.lit(partition.business_date).alias("week_ending"),
        pl.lit(partition["tier"]).alias("tier"),
        pl.col("shares").cast(POLARS_TYPES[ColumnType.QUANTITY]),
        pl.col("trades").cast(pl.Int64),
        _summary_type(layout).alias("summary_type"),
        _venue().alias("venue"),
        *(pl.col(f"row_{field}").alias(field) for field in DATE_FIELDS),
    ).with_columns(avg_trade_size=mean_size(millionths(pl.col("shares")), pl.col("trades")))
    return VENUE_VOLUME.conform(typed.with_columns(record_hash=_record_hash()))


def _summary_type(layout: Layout) -> pl.Expr:
    """Return ATS or OTC: as the file says, or, where it does not, by who has an MPID."""
    if "summary_code" in layout.positions:
        return pl.col("summary_code").replace_strict(dict(SUMMARY_TYPES))
    return pl.when(pl.col("mpid").is_null()).then(pl.lit("OTC")).otherwise(pl.lit("ATS"))


def _venue() -> pl.Expr:
    """Return the MPID, else the firm: ``CRD0/De Minimis Firms``, ``CRD/<name>`` without number."""
    number, name = pl.col("firm_crd").fill_null(""), pl.col("venue_name").fill_null("")
    return pl.coalesce("mpid", pl.concat_str(pl.lit("CRD"), number, pl.lit("/"), name))


def _record_hash() -> pl.Expr:
    """Return a hash of what a row says, the same on every machine and in every release."""
    said = polars_hash.concat_str(
        pl.col("week_ending").dt.to_string(),
        "tier",
        "symbol",
        "venue",
        millionths(pl.col("shares")).cast(pl.Int64),
        "trades",
        separator="\x1f",
    )
    signed: pl.Expr = said.nchash.xxhash64().reinterpret(signed=True)
    return signed


def _rejects(rows: pl.DataFrame, faults: pl.DataFrame, doubles: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None, pl.String)
    found = pl.concat(
        [
            faults,
            doubles.select(
                "line", "reason", nothing.alias("column"), nothing.alias("value"), "detail"
            ),
        ]
    )
    return (
        found.join(rows.select("line", "text"), on="line", how="left")
        .with_columns(
            pl.col("value").str.head(_VALUE_LENGTH), pl.col("text").str.head(_TEXT_LENGTH)
        )
        .sort("line")
        .select(pl.col(name).cast(dtype) for name, dtype in REJECT_SCHEMA.items())
    )


def _checks(
    raw: RawCapture, accepted: pl.DataFrame, rejected: pl.DataFrame
) -> tuple[QualityCheck, ...]:
    judged = pl.concat([accepted["line"], rejected["line"]])
    conflicts = (rejected["reason"] == Reason.CONFLICTING_DUPLICATE).sum()
    torn = (rejected["reason"] == Reason.TORN_LINE).sum()
    return (
        check(
            "rows_conserved",
            holds=judged.len() == raw.lines.height == judged.n_unique(),
            expected=raw.lines.height,
            observed=f"{accepted.height} accepted + {rejected.height} rejected",
            detail="Every line of the file has to be accepted or rejected, and once.",
        ),
        check(
            "no_conflicting_duplicates",
            holds=conflicts == 0,
            expected=0,
            observed=conflicts,
            detail="Rows of one identity differ in their quantities; see the rejects.",
        ),
        check(
            "file_complete",
            holds=torn == 0,
            expected="a last line with every column",
            observed="the file ends in the middle of a line" if torn else "all of them",
            detail="The publication was cut off on its way; fetch it again.",
        ),
        check(
            "has_rows",
            holds=accepted.height > 0,
            expected="at least 1",
            observed=accepted.height,
            detail="No line of the file could be used.",
        ),
    )

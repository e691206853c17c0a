"""How the three formats lay out the same rows."""

from collections.abc import Callable, Mapping

import polars as pl

from spine_common.testing.synthetic.defects import Defect
from spine_common.testing.synthetic.publication import published_on, updated_on, week_start
from spine_common.testing.synthetic.tiers import TIERS
from spine_common.testing.synthetic.week import Format, Week

SEPARATORS = {Format.WEEKLY: b"|", Format.API: b",", Format.SHORT: b"|"}


def written(week: Week, texts: pl.DataFrame) -> bytes:
    """Return the file of a frame of texts; its null ``tier`` means the week's own."""
    laid_out = texts.select(**_LAYOUTS[week.format](week)).with_columns(
        pl.lit(f"extra {number}").alias(f"extraColumn{number}")
        for number in range(1, week.defects.get(Defect.EXTRA_COLUMN, 0) + 1)
    )
    complete = laid_out.with_columns(pl.all().fill_null(""))
    return complete.write_csv(
        separator=SEPARATORS[week.format].decode(),
        quote_style="always" if week.format is Format.API else "never",
    ).encode()


def _weekly(week: Week) -> Mapping[str, pl.Expr]:
    return {
        "tierDescription": pl.col("tier").fill_null(TIERS[week.tier].description),
        "issueSymbolIdentifier": pl.col("symbol"),
        "issueName": pl.col("issue_name"),
        "marketParticipantName": pl.col("venue"),
        "MPID": pl.col("mpid"),
        "totalWeeklyShareQuantity": pl.col("shares"),
        "totalWeeklyTradeCount": pl.col("trades"),
        "lastUpdateDate": pl.lit(updated_on(week).isoformat()),
    }


def _api(week: Week) -> Mapping[str, pl.Expr]:
    monday = pl.lit(week_start(week).isoformat())
    ats = pl.col("mpid").is_not_null()
    return {
        "issueSymbolIdentifier": pl.col("symbol"),
        "issueName": pl.col("issue_name"),
        "firmCRDNumber": pl.col("firm"),
        "MPID": pl.col("mpid"),
        "marketParticipantName": pl.col("venue"),
        "tierIdentifier": pl.col("tier").fill_null(TIERS[week.tier].identifier),
        "tierDescription": pl.col("tier").fill_null(TIERS[week.tier].description),
        "summaryStartDate": monday,
        "totalWeeklyTradeCount": pl.col("trades"),
        "totalWeeklyShareQuantity": pl.col("shares"),
        "productTypeCode": pl.col("product"),
        "summaryTypeCode": pl.when(ats)
        .then(pl.lit("ATS_W_SMBL_FIRM"))
        .otherwise(pl.lit("OTC_W_SMBL_FIRM")),
        "weekStartDate": monday,
        "lastUpdateDate": pl.lit(updated_on(week).isoformat()),
        "initialPublishedDate": pl.lit(published_on(week).isoformat()),
        "lastReportedDate": pl.lit(week.week_ending.isoformat()),
    }


def _short(week: Week) -> Mapping[str, pl.Expr]:
    return {
        "WeekEnding": pl.lit(week.week_ending.isoformat()),
        "Tier": pl.col("tier").fill_null(week.tier),
        "Symbol": pl.col("symbol"),
        "MPID": pl.col("mpid"),
        "TotalShares": pl.col("shares"),
        "TotalTrades": pl.col("trades"),
    }


_LAYOUTS: Mapping[Format, Callable[[Week], Mapping[str, pl.Expr]]] = {
    Format.WEEKLY: _weekly,
    Format.API: _api,
    Format.SHORT: _short,
}

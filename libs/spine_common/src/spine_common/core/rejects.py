"""A reject is a source line we can't use, kept with its reason, place and text."""

import polars as pl

REJECT_SCHEMA = pl.Schema(
    {
        "line": pl.Int64(),  # 1-based line of the source file, the header being line 1
        "reason": pl.String(),  # a member of the domain's reason enum
        "column": pl.String(),  # the source column at fault; null when it is the whole line
        "value": pl.String(),  # what stood there, cut to 200 characters
        "detail": pl.String(),  # a sentence: what happened and what would be right
        "text": pl.String(),  # the source line as it was, cut to 2,000 characters
    }
)


def no_rejects() -> pl.DataFrame:
    """Return a reject frame without rows."""
    return pl.DataFrame(schema=REJECT_SCHEMA)

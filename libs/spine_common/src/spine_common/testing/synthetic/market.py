"""Which rows a made-up week has: symbols that come and go, venues, volumes with a heavy tail."""

from dataclasses import dataclass

import polars as pl

from spine_common.testing.synthetic.draws import bell, below, chance, draw, power_of_two
from spine_common.testing.synthetic.names import issue_name, listed_symbol, otc_symbol
from spine_common.testing.synthetic.publication import week_start
from spine_common.testing.synthetic.tiers import NMS_TIER_1, NMS_TIER_2, OTC
from spine_common.testing.synthetic.venues import NON_ATS, VENUES
from spine_common.testing.synthetic.week import Week

_MISSED_WEEK = 60
"""Per mille of rows that a symbol's lesser venues leave out in a given week."""
_SPIKE = 40
"""Per mille of symbols with four times their volume in a given week."""
_MORE_THAN_PLACES = 100


@dataclass(frozen=True, slots=True)
class Shape:
    """How one tier looks.

    ``securities`` exist, ``steady`` of a thousand trade every week, the others every second one on
    average; ``narrow`` of a thousand steady (occasional) ones trade at their home venue only.
    Volumes are about 2^``middle``, spread by ``spread`` bits of a bell; ``rows_each`` is the mean
    number of rows of a security that exists, times ten.
    """

    securities: int
    first: int
    steady: int
    narrow: tuple[int, int]
    middle: int
    spread: int
    trade_size: int
    rows_each: int


SHAPES = {
    NMS_TIER_1: Shape(2_424, 0, 980, (0, 100), 13, 24, 7, 205),
    # Numbers shared with tier 1: a symbol may be in both in the same week.
    NMS_TIER_2: Shape(8_400, 2_010, 905, (20, 300), 11, 28, 7, 155),
    OTC: Shape(4_470, 0, 342, (200, 850), 11, 44, 8, 10),
}


def market(week: Week) -> pl.DataFrame:
    """Return the week's rows in file order.

    Columns: ``symbol, issue_name, product, mpid, venue, firm, shares, trades``; ``mpid`` is null
    and ``firm`` tells apart where a firm is no ATS.
    """
    shape = SHAPES[week.tier]
    securities = _securities_for(week, shape)
    pairs = _pairs(week, shape, securities)
    while week.rows is not None and pairs.height < week.rows:
        securities += securities // 4 + 10
        pairs = _pairs(week, shape, securities)
    if week.rows is not None:
        # Chosen by (symbol, venue) alone, so that the same rows are there week after week.
        kept = draw(week.seed, "kept", pairs["number"], pairs["place"])
        pairs = pairs.with_columns(kept=kept).bottom_k(week.rows, by=["kept", "number", "place"])
    rows = _with_volumes(week, shape, pairs).join(_named(week, pairs), on="number", how="left")
    # Sorting by one whole number costs a fifth of sorting by a text and a number.
    return rows.sort(pl.col("symbol_order") * _MORE_THAN_PLACES + pl.col("place_order")).select(
        "symbol", "issue_name", "product", "mpid", "venue", "firm", "shares", "trades"
    )


def _securities_for(week: Week, shape: Shape) -> int:
    if week.rows is None:
        return shape.securities
    enough = week.rows * 11 // shape.rows_each + 20
    # A small file is one of many symbols at a few venues each, not of one symbol at all of them.
    return max(enough, min(week.rows // 3, shape.securities))


def _pairs(week: Week, shape: Shape, securities: int) -> pl.DataFrame:
    """Return which security trades where in this week: ``number``, ``place`` and its venue."""
    monday = week_start(week).toordinal()
    trading, places = _trading(week, shape, securities), _places(week)
    at_home = trading.join(places, left_on="home", right_on="place").rename({"home": "place"})
    abroad = trading.filter(~pl.col("narrow")).join(places, how="cross")
    keys = (abroad["number"], abroad["place"])
    reached = chance(draw(week.seed, "reach", *keys), abroad["reach"])
    missed = chance(draw(week.seed, "missed", *keys, monday), _MISSED_WEEK)
    abroad = abroad.filter((abroad["place"] != abroad["home"]) & reached & ~missed)
    return pl.concat([at_home, abroad.select(at_home.columns)])


def _trading(week: Week, shape: Shape, securities: int) -> pl.DataFrame:
    """Return the securities that trade at all in this week, their home and their breadth."""
    monday = week_start(week).toordinal()
    numbers = pl.int_range(shape.first, shape.first + securities, dtype=pl.UInt64, eager=True)
    steady = chance(draw(week.seed, f"{week.tier} steady", numbers), shape.steady)
    every_second = chance(draw(week.seed, f"{week.tier} week", numbers, monday), 500)
    breadth = below(draw(week.seed, "breadth", numbers), 1000)
    wheel = [place for place, venue in enumerate(VENUES[week.tier]) for _ in range(venue.home)]
    turn = below(draw(week.seed, "home", numbers), len(wheel))
    narrow = pl.when("steady").then(shape.narrow[0]).otherwise(shape.narrow[1])
    return (
        pl.DataFrame({"number": numbers, "steady": steady, "breadth": breadth})
        .with_columns(
            narrow=pl.col("breadth") < narrow, home=pl.Series(wheel, dtype=pl.UInt64).gather(turn)
        )
        .filter(steady | every_second)
        .drop("breadth")
    )


def _places(week: Week) -> pl.DataFrame:
    venues = VENUES[week.tier] + (NON_ATS if week.non_ats else ())
    order = sorted(venues, key=lambda venue: (venue.mpid is None, venue.mpid or "", venue.firm))
    return pl.DataFrame(
        {
            "place": range(len(venues)),
            "place_order": [order.index(venue) for venue in venues],
            "mpid": [venue.mpid for venue in venues],
            "venue": [venue.name for venue in venues],
            "firm": [venue.firm for venue in venues],
            "reach": [venue.reach for venue in venues],
            "size": [venue.size for venue in venues],
        },
        schema_overrides={"place": pl.UInt64},
    )


def _with_volumes(week: Week, shape: Shape, pairs: pl.DataFrame) -> pl.DataFrame:
    """Add ``shares`` and ``trades``: a constant size of each pair, and the week's mood."""
    monday = week_start(week).toordinal()
    number, keys = pairs["number"], (pairs["number"], pairs["place"])
    liquidity = bell(draw(week.seed, "liquidity", number), shape.spread)
    favour = bell(draw(week.seed, "favour", *keys), 8)
    exponent = liquidity + favour + pairs["size"] + pairs["steady"].cast(pl.Int64) + shape.middle
    usual = power_of_two(exponent.clip(0, 34), draw(week.seed, "volume", *keys))
    mood = below(draw(week.seed, "mood", *keys, monday), 1000).cast(pl.Int64) + 500
    spike = chance(draw(week.seed, "spike", number, monday), _SPIKE).cast(pl.Int64) * 3 + 1
    shares = (usual * mood * spike // 1000).clip(1)
    size_exponent = bell(draw(week.seed, "trade size", *keys), 20) + shape.trade_size
    size = power_of_two(size_exponent.clip(0, 20), draw(week.seed, "trades", *keys, monday))
    return pairs.with_columns(shares=shares, trades=(shares // size).clip(1))


def _named(week: Week, pairs: pl.DataFrame) -> pl.DataFrame:
    number, otc = pairs["number"].unique().sort(), week.tier == OTC
    on_utp = chance(draw(week.seed, "tape", number), 550)
    tapes = pl.Series(["CTS", "UTP"]).gather(on_utp.cast(pl.UInt32))
    named = pl.DataFrame(
        {
            "number": number,
            "symbol": (otc_symbol if otc else listed_symbol)(week.seed, number),
            "issue_name": issue_name(week.seed, number, otc=otc),
            "product": pl.repeat("", len(number), eager=True) if otc else tapes,
        }
    )
    return named.sort("symbol").with_row_index("symbol_order")

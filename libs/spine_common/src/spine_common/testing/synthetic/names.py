"""What the made-up securities are called.

A symbol is a bijection of the security's number, so that no two are alike and none has to be looked
up; the words of the issue names are invented.
"""

import polars as pl

from spine_common.testing.synthetic.draws import below, chance, draw

_LETTERS = 26
# Coprime to 26, so that multiplying by it permutes the numbers of n letters.
_STRIDES = {3: 7_717, 4: 184_903}
_OFFSETS = {3: 4_211, 4: 91_733}
_THREE_LETTERS, _FOUR_LETTERS = _LETTERS**3, _LETTERS**4
_OTC_ENDINGS = ["", "F", "F", "F", "Y"]
_FURTHER_ENDINGS = list("ABCDEGHIJKLMNOPQRSTUVWXZ")

_STARTS = ("Vel Tar Quo Bri Nel Osk Ful Zan", "Mer Kip Dov Hal Jun Wex Lor Ith")
_ENDS = ("mora dexa rrin tano vista lume gard fell", "ston bara nique zelle ptra dyne wick sol")
_TRADES = (
    "Holdings Technologies Energy Pharma Mining Foods Bancorp Marine",
    "Robotics Textiles Software Timber Optics Rail Water Studios",
)
_LISTED_KINDS = (
    "Inc Common Stock",
    "Corp Class A Common Stock",
    "Ltd Ordinary Shares",
    "Income ETF",
)
_OTC_KINDS = (
    "Inc Common Stock",
    "Ltd Ordinary Shares",
    "Corp Unsponsored ADR (Cayman Islands)",
    "Inc Com Par $0.001",
)
_QUOTED = '12" Pipe & Tube Co Common Stock'
"""A bare quotation mark is data in a file without quoting."""


def listed_symbol(seed: int, number: pl.Series) -> pl.Series:
    """Return symbols as exchanges have them: mostly letters, some ``XYZ.B``, ``XYZpD``, ``XYZPD``.

    Each ``XYZpD`` (a preferred) has a namesake ``XYZPD`` that only its case tells apart.
    """
    series = _letter(below(draw(seed, "series", number // 20), 4))
    group, member = pl.col("number") % 20, pl.col("number") // 20
    triple = member * 3 + group - 3
    base = _short(member, seed)
    symbol = (
        pl.when(group == 0)
        .then(pl.concat_str(base, pl.lit("."), "series"))
        .when(group == 1)
        .then(pl.concat_str(base, pl.lit("p"), "series"))
        .when(group == 2)  # noqa: PLR2004 - the namesakes of group 1
        .then(pl.concat_str(base, pl.lit("P"), "series"))
        .when((group <= 5) & (triple < _THREE_LETTERS))  # noqa: PLR2004 - three of twenty
        .then(_letters(triple, 3, seed))
        .otherwise(_letters(pl.col("number"), 4, seed))
    )
    return pl.DataFrame({"number": number, "series": series}).select(symbol).to_series()


def otc_symbol(seed: int, number: pl.Series) -> pl.Series:
    """Return symbols as the OTC market has them: four letters, or five that end in F or Y.

    A market that has run out of four letters goes on with the other endings.
    """
    usual = pl.Series(_OTC_ENDINGS).gather(below(draw(seed, "ending", number), len(_OTC_ENDINGS)))
    further = pl.lit(pl.Series(_FURTHER_ENDINGS)).gather(
        (pl.col("number") // _FOUR_LETTERS).clip(1) - 1
    )
    ending = pl.when(pl.col("number") < _FOUR_LETTERS).then("usual").otherwise(further)
    symbol = pl.concat_str(_letters(pl.col("number"), 4, seed), ending)
    return pl.DataFrame({"number": number, "usual": usual}).select(symbol).to_series()


def issue_name(seed: int, number: pl.Series, *, otc: bool) -> pl.Series:
    """Return names of companies that do not exist; a few hold a bare quotation mark."""
    words = {
        "start": _one_of(" ".join(_STARTS).split(), draw(seed, "start", number)),
        "end": _one_of(" ".join(_ENDS).split(), draw(seed, "end", number)),
        "trade": _one_of(" ".join(_TRADES).split(), draw(seed, "trade", number)),
        "kind": _one_of(_OTC_KINDS if otc else _LISTED_KINDS, draw(seed, "kind", number)),
        "quoted": chance(draw(seed, "quoted", number), 4),
    }
    usual = pl.concat_str("trade", "kind", separator=" ")
    rest = pl.when("quoted").then(pl.lit(_QUOTED)).otherwise(usual)
    name = pl.concat_str(pl.concat_str("start", "end"), rest, separator=" ")
    return pl.DataFrame(words).select(name).to_series()


def _short(number: pl.Expr, seed: int) -> pl.Expr:
    """Return three letters; a very large market runs out of them and gets four."""
    four = _letters(number, 4, seed)
    return pl.when(number < _THREE_LETTERS).then(_letters(number, 3, seed)).otherwise(four)


def _letters(number: pl.Expr, length: int, seed: int) -> pl.Expr:
    code = (number * _STRIDES[length] + _OFFSETS[length] + seed * 31) % _LETTERS**length
    digits = [code // _LETTERS**place % _LETTERS for place in reversed(range(length))]
    alphabet = pl.lit(pl.Series([chr(ord("A") + place) for place in range(_LETTERS)]))
    return pl.concat_str([alphabet.gather(digit) for digit in digits])


def _letter(digit: pl.Series) -> pl.Series:
    return _one_of([chr(ord("A") + place) for place in range(_LETTERS)], digit)


def _one_of(words: list[str] | tuple[str, ...], bits: pl.Series) -> pl.Series:
    return pl.Series(list(words)).gather(bits % len(words))

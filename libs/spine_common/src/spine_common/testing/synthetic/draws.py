"""How numbers are drawn so that the same seed gives the same bytes everywhere.

Everything is integer arithmetic on 64 bits (splitmix64 over Polars columns): no library's hash or
generator, whose output may change with a release, and no logarithm or power, whose last digit
depends on the platform. A draw is a function of its keys, so any cell can be computed alone and a
symbol keeps its character from week to week.
"""

import polars as pl

_GOLDEN = 0x9E37_79B9_7F4A_7C15
_FIRST = 0xBF58_476D_1CE4_E5B9
_SECOND = 0x94D0_49BB_1331_11EB
_WORD = (1 << 64) - 1


def draw(seed: int, purpose: str, column: pl.Series, *keys: pl.Series | int) -> pl.Series:
    """Return 64 random bits for each row, a pure function of seed, purpose and keys."""
    state = _mix_one(seed & _WORD)
    for byte in purpose.encode():
        state = _mix_one(state ^ byte)
    bits = _mix(column.cast(pl.UInt64) ^ _word(state))
    for key in keys:
        bits = _mix(bits ^ (_word(key) if isinstance(key, int) else key.cast(pl.UInt64)))
    return bits


def below(bits: pl.Series, bound: int) -> pl.Series:
    """Map bits to 0 … bound - 1; ``bound`` is far below 2^32, so the bias does not show."""
    return (bits // _word(1 << 32)) * _word(bound) // _word(1 << 32)


def chance(bits: pl.Series, per_mille: pl.Series | int) -> pl.Series:
    """Say yes in ``per_mille`` of a thousand cases."""
    return below(bits, 1000) < per_mille


def bell(bits: pl.Series, width: int) -> pl.Series:
    """Return a bell-shaped whole number around 0 with a deviation of √width / 2.

    It counts the ones among ``width`` bits (at most 64, even), which needs no floating point.
    """
    ones = (bits // _word(1 << (64 - width))).bitwise_count_ones()
    return ones.cast(pl.Int64) - width // 2


def power_of_two(exponent: pl.Series, bits: pl.Series) -> pl.Series:
    """Return a whole number between 2^exponent and 2^(exponent+1): a bell becomes a heavy tail."""
    powers = pl.Series([1 << n for n in range(40)], dtype=pl.Int64)
    base = powers.gather(exponent)
    return base + (bits // _word(1 << 33)).cast(pl.Int64) % base


def _mix(bits: pl.Series) -> pl.Series:
    bits = bits + _word(_GOLDEN)
    bits = (bits ^ (bits // _word(1 << 30))) * _word(_FIRST)
    bits = (bits ^ (bits // _word(1 << 27))) * _word(_SECOND)
    return bits ^ (bits // _word(1 << 31))


def _mix_one(bits: int) -> int:
    bits = (bits + _GOLDEN) & _WORD
    bits = ((bits ^ bits >> 30) * _FIRST) & _WORD
    bits = ((bits ^ bits >> 27) * _SECOND) & _WORD
    return bits ^ bits >> 31


def _word(number: int) -> pl.Series:
    return pl.Series([number], dtype=pl.UInt64)

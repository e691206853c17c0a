"""Who trades in the made-up market: venues with an MPID, and firms without one."""

from dataclasses import dataclass

from spine_common.testing.synthetic.tiers import NMS_TIER_1, NMS_TIER_2, OTC


@dataclass(frozen=True, slots=True)
class Venue:
    """One place of trading and its weight.

    ``reach`` is how many of a thousand broadly traded symbols it has, ``home`` its weight as the
    one venue every symbol has, ``size`` how many times its volumes are doubled (or halved).
    """

    mpid: str | None
    name: str
    firm: int
    reach: int
    home: int
    size: int


_KINDS = ("ATS", "CROSS", "POOL", "X", "BOOK")
_TREES = (
    ("ALDR ALDER", "ASPN ASPEN", "BIRC BIRCH", "BRCH BEECH", "CEDR CEDAR", "CHRY CHERRY"),
    ("CYPR CYPRESS", "ELMX ELM", "FIRS FIR STREET", "GNKO GINKGO", "HAZL HAZEL", "HCKR HICKORY"),
    ("HOLY HOLLY", "HRNB HORNBEAM", "JNPR JUNIPER", "LARC LARCH", "LAUR LAUREL", "LIND LINDEN"),
    ("LOCU LOCUST", "MAGN MAGNOLIA", "MAPL MAPLE", "MRTL MYRTLE", "MULB MULBERRY", "OAKX OAK"),
    ("OLIV OLIVE", "PALM PALM", "PEAR PEAR", "PCAN PECAN", "PINE PINE", "PLUM PLUM"),
    ("POPL POPLAR", "QUIN QUINCE", "ROWN ROWAN", "SPRU SPRUCE", "SYCM SYCAMORE", "TEAK TEAK"),
    ("TULP TULIP TREE", "WALN WALNUT", "WILO WILLOW", "YEWX YEW"),
)
_LISTED = [tree for row in _TREES for tree in row]
_OTC = (
    # mpid and name, reach, home, doublings
    ("HRBR HARBOR QUOTES", 950, 620, 1),
    ("LGHT LIGHTHOUSE ECN", 760, 160, -1),
    ("PIER PIER SEVEN ATS", 560, 30, -2),
    ("TIDE TIDEWATER PRIVATE MARKET", 8, 180, -7),
    ("BUOY BUOY SECURITIES, LLC", 3, 4, -6),
    ("REEF REEF ALTERNATIVE", 2, 3, -6),
    ("KEEL KEEL & MAST ATS", 1, 1, 3),
    ("ANCR ANCHOR SECONDARY", 1, 1, -7),
    ("SAIL SAIL ADVISERS", 2, 1, -4),
)
_FIRMS = (
    ("GRANITE", "BASALT", "MARBLE", "SLATE", "FLINT", "QUARTZ", "ONYX", "OPAL", "JASPER", "AGATE"),
    ("GARNET", "TOPAZ", "BERYL", "PYRITE", "GYPSUM", "COBALT", "NICKEL", "ZINC", "BORAX", "TALC"),
)
_FIRST_FIRM = 900_001
_FIRST_NON_ATS_FIRM = 950_001


def _listed(reach_of: int) -> tuple[Venue, ...]:
    """Spread forty venues from one that has nearly all symbols to one that has few."""
    last = len(_LISTED) - 1
    # Not in the order of the alphabet, in which the largest would come first in every file.
    shuffled = [_LISTED[rank * 7 % len(_LISTED)] for rank in range(len(_LISTED))]
    return tuple(
        Venue(
            mpid=tree[:4],
            name=f"{tree} {_KINDS[rank % len(_KINDS)]}",
            firm=_FIRST_FIRM + rank,
            reach=reach_of * (980 * (last - rank) + 70 * rank) // (last * 1000),
            home=max(1, 120 - 8 * rank),
            size=2 - rank // 6,
        )
        for rank, tree in enumerate(shuffled)
    )


VENUES: dict[str, tuple[Venue, ...]] = {
    NMS_TIER_1: _listed(1000),
    NMS_TIER_2: _listed(790),
    OTC: tuple(
        Venue(text[:4], text, _FIRST_FIRM + 100 + number, reach, home, size)
        for number, (text, reach, home, size) in enumerate(_OTC)
    ),
}
NON_ATS: tuple[Venue, ...] = (
    Venue(None, "De Minimis Firms", 0, 640, 0, 1),
    *(
        Venue(
            None, f"{stone} SECURITIES LLC", _FIRST_NON_ATS_FIRM + number, 260 - 12 * number, 0, 0
        )
        for number, stone in enumerate(stone for row in _FIRMS for stone in row)
    ),
)

"""Which fault happens at which failpoint, when: a small grammar for an environment variable.

``name=action[:argument][@n][%probability][#execution]``, joined by ``;``. ``@n`` is the n-th time a
process comes by, once in a scenario however often the process is started again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from spine_common.framework.failpoints import Failpoint

ACTIONS = ("kill", "stop", "sleep", "thread", "block", "fail", "crash")
_RULE = re.compile(
    r"(?P<place>[a-z.]+)=(?P<action>[a-z]+)(:(?P<argument>[0-9.]+))?"
    r"(@(?P<nth>[0-9]+))?(%(?P<chance>[0-9.]+))?(#(?P<only>[0-9a-f-]+))?"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. ``argument`` is seconds, for those that take time."""

    place: Failpoint
    action: str
    argument: float = 0.0
    nth: int | None = None
    chance: float = 1.0
    only: str | None = None
    """The id of the only execution it happens to."""

    def __str__(self) -> str:
        nth = f"@{self.nth}" if self.nth else ""
        chance = f"%{self.chance:g}" if self.chance < 1 else ""
        only = f"#{self.only}" if self.only else ""
        return f"{self.place}={self.action}:{self.argument:g}{nth}{chance}{only}"


def spelled(rules: Iterable[Rule]) -> str:
    """Return rules as the launcher reads them."""
    return ";".join(map(str, rules))


def read_rules(text: str) -> list[Rule]:
    """Read rules; ``ValueError`` names the one that is none."""
    return [_read(part.strip()) for part in text.split(";") if part.strip()]


def _read(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if match is None or match["action"] not in ACTIONS:
        raise ValueError(f"{text!r} is no rule: place=action[:seconds][@n][%chance][#execution].")
    return Rule(
        Failpoint(match["place"]),
        match["action"],
        float(match["argument"] or 0),
        int(match["nth"]) if match["nth"] else None,
        float(match["chance"] or 1),
        match["only"],
    )

"""Text that every database keeps: no NUL, no half of a surrogate pair."""

LONGEST = 4_000


def storable(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` with what can't be stored replaced, cut to ``longest`` characters."""
    kept = text[:longest].encode(errors="replace").decode()
    return kept.replace("\x00", "\N{REPLACEMENT CHARACTER}")

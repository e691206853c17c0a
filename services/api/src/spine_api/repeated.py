"""Whether a query gives a parameter twice, of which one would silently be ignored."""

from collections import Counter

from fastapi import Request

from spine_common.core.errors import InvalidParams


async def refuse_repeated(request: Request) -> None:
    """Raise ``InvalidParams`` for a query parameter that is given more than once."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if times > 1:
            raise InvalidParams(
                f"{name[:80]} is given {times} times.", remedy="Give it once.", field=name
            )

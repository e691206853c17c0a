"""How a route gets at what its process is composed of."""

from typing import Annotated

from fastapi import Depends, Request

from spine_common.bootstrap.platform import Platform


async def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


Composed = Annotated[Platform, Depends(_platform)]
"""The platform of this process, as a route's parameter."""

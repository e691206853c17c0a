"""How what was typed becomes an order: checked first, its file uploaded, then recorded."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spine_common.core.execution import Execution
from spine_common.core.pipeline import Lane, TriggerSource

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform

_FILE = "file_path"
_HELD = "sha256:"


async def order(
    platform: "Platform", pipeline: str, params: Mapping[str, Any], lane: Lane = Lane.NORMAL
) -> Execution:
    """Order a pipeline and return its execution.

    A ``file_path`` is read here, with the rights of who typed it, and goes on as the upload's
    ``sha256:<hex>/<name>``: any folder works, and a service elsewhere sees the same bytes.
    Raises ``PipelineNotFound``, ``InvalidParams`` or a ``SourceError`` before anything is
    ordered.
    """
    platform.dispatcher.prepare(pipeline, params, lane, TriggerSource.CLI)
    location = params.get(_FILE)
    if location is not None and not str(location).startswith(_HELD):
        params = {**params, _FILE: await platform.upload(str(location))}
    return await platform.dispatcher.submit(pipeline, params, lane, TriggerSource.CLI)

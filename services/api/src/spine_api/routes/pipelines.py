"""Pipelines: what can be run, and with which parameters."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from spine_api.schemas.errors import failures
from spine_api.schemas.pipelines import PipelineAnswer, PipelineList
from spine_api.wiring import Composed

router = APIRouter(prefix="/pipelines", tags=["pipelines"])


class PipelineQuery(BaseModel):
    """Which pipelines are asked for."""

    model_config = ConfigDict(extra="forbid")

    prefix: str = Field("", max_length=200, description="What their names start with.")


@router.get("", summary="List the pipelines there are.", responses=failures(400))
async def list_pipelines(
    query: Annotated[PipelineQuery, Query()], platform: Composed
) -> PipelineList:
    """Return pipelines by their canonical names, with parameters and aliases."""
    registry = platform.registry
    found = registry.pipelines(query.prefix)
    return PipelineList(
        pipelines=[PipelineAnswer.of(one, registry.domain_of(one.name)) for one in found]
    )


@router.get("/{name}", summary="Show a pipeline and its parameters.", responses=failures(404))
async def get_pipeline(name: str, platform: Composed) -> PipelineAnswer:
    """Return a pipeline by its name or one of its aliases."""
    pipeline = platform.registry.pipeline(name)
    return PipelineAnswer.of(pipeline, platform.registry.domain_of(pipeline.name))

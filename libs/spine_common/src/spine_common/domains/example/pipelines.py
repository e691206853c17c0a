"""What the example can do: say hello."""

from collections.abc import Mapping
from typing import Any

from spine_common.core.clock import utc_now
from spine_common.core.pipeline import Param, Pipeline, PipelineResult, Stage


def hello(params: Mapping[str, Any]) -> PipelineResult:
    """Greet ``name``; the greeting is in the metrics."""
    started_at = utc_now()
    return PipelineResult(
        status="completed",
        started_at=started_at,
        completed_at=utc_now(),
        metrics={"greeting": f"Hello, {params['name']}!"},
    )


HELLO = Pipeline(
    name="example.hello",
    stage=Stage.AGGREGATE,
    description="Greet someone.",
    params=(Param("name", "whom to greet", default="World"),),
    run=hello,
)

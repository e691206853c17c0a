"""Pipelines as JSON: what can be run, and with which parameters."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from spine_common.core.domain import Domain
from spine_common.core.pipeline import Param, Pipeline, Stage


class ParamAnswer(BaseModel):
    """A parameter of a pipeline."""

    name: str
    description: str
    type: str
    required: bool
    default: Any
    choices: list[str]

    @classmethod
    def of(cls, param: Param) -> Self:
        """Show a parameter."""
        return cls(
            name=param.name,
            description=param.description,
            type=param.type,
            required=param.required,
            default=param.default,
            choices=list(param.choices),
        )


class PipelineAnswer(BaseModel):
    """What can be run, and with which parameters."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "example.hello",
                    "description": "Greet someone.",
                    "domain": "example",
                    "stage": "aggregate",
                    "aliases": [],
                    "params": [
                        {
                            "name": "name",
                            "description": "whom to greet",
                            "type": "text",
                            "required": False,
                            "default": "World",
                            "choices": [],
                        }
                    ],
                    "steps": [],
                    "partition": [],
                }
            ]
        }
    )

    name: str
    description: str
    domain: str
    stage: Stage
    aliases: list[str]
    params: list[ParamAnswer]
    steps: list[str] = Field(description="What a workflow runs, one after the other.")
    partition: list[str] = Field(description="The parameters that name its partition.")

    @classmethod
    def of(cls, pipeline: Pipeline, domain: Domain) -> Self:
        """Show a pipeline of a domain."""
        return cls(
            name=pipeline.name,
            description=pipeline.description,
            domain=domain.name,
            stage=pipeline.stage,
            aliases=list(pipeline.aliases),
            params=[ParamAnswer.of(param) for param in pipeline.params],
            steps=list(pipeline.steps),
            partition=list(pipeline.partition.names) if pipeline.partition else [],
        )


class PipelineList(BaseModel):
    """Pipelines by name."""

    pipelines: list[PipelineAnswer]

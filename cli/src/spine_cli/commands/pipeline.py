"""`spine pipeline`: what can be run, with which parameters."""

from typing import Annotated, Any

import typer

from spine_cli.commands.run import run
from spine_cli.commands.submit import submit
from spine_cli.documents import pipeline_document
from spine_cli.invocation import spine
from spine_cli.options import Json, PipelineName
from spine_cli.render import Field, print_json, print_table

app = typer.Typer(help="List pipelines, show one, run or submit it.", no_args_is_help=True)
app.command("run")(run)
app.command("submit")(submit)

Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Only names that begin with it.")]


@app.command("list")
def list_pipelines(*, prefix: Prefix = "", json: Json = False) -> None:
    """List the pipelines there are."""
    from spine_common.framework.registry import discover  # noqa: PLC0415 - heavy

    registry = discover()
    documents = [
        pipeline_document(pipeline, registry.domain_of(pipeline.name).name)
        for pipeline in registry.pipelines(prefix)
    ]
    if json:
        print_json({"pipelines": documents})
        return
    rows = [{**doc, "aliases": ", ".join(doc["aliases"])} for doc in documents]
    fields = [
        Field("name", "pipeline"),
        Field("stage", "stage"),
        Field("aliases", "also"),
        Field("description", "what it does"),
    ]
    print_table("", fields, rows)


@app.command()
def show(pipeline: PipelineName, *, json: Json = False) -> None:
    """Show a pipeline's parameters and steps."""
    from spine_common.framework.registry import discover  # noqa: PLC0415 - heavy

    registry = discover()
    declared = registry.pipeline(pipeline)
    document = pipeline_document(declared, registry.domain_of(declared.name).name)
    if json:
        print_json(document)
        return
    typer.secho(declared.name, bold=True)
    typer.echo(declared.description)
    for title, values in (("also", declared.aliases), ("steps", declared.steps)):
        if values:
            typer.echo(f"{title}: {', '.join(values)}")
    if declared.params:
        print_table("", _PARAM_FIELDS, [_param_row(param) for param in document["params"]])
    typer.echo(f"Run it: {spine('run', declared.name, _example(document['params']))}".rstrip())


_PARAM_FIELDS = [
    Field("name", "parameter"),
    Field("need", ""),
    Field("description", "what it is"),
    Field("choices", "choices"),
    Field("default", "default"),
]


def _param_row(param: dict[str, Any]) -> dict[str, Any]:
    return {
        **param,
        "need": "required" if param["required"] else "",
        "choices": ", ".join(param["choices"]),
    }


def _example(params: list[dict[str, Any]]) -> str:
    return " ".join(f"-p {param['name']}=…" for param in params if param["required"])

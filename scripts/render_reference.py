"""Renders docs/reference from the code: settings, pipelines, datasets. `--check` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path

from spine_common.bootstrap.settings import RESERVED, Settings
from spine_common.framework.registry import discover

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def settings() -> Iterator[str]:
    """Yield the page of every setting."""
    yield "# Settings"
    yield ""
    yield "Read from the environment or `.env`. Most names work without the prefix, too"
    yield "(`DATABASE_URL`); the prefixed one wins. A secret also from the file `…_FILE` names."
    yield ""
    yield "Those marked *later* are accepted and checked, and do nothing yet."
    yield ""
    yield "| variable | a value is | default |"
    yield "|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = "derived" if field.default_factory else field.default
        shown = (
            ""
            if default is None
            else f"`{_spelled(default)}`"
            if default != "derived"
            else "derived"
        )
        later = " *(later)*" if name in RESERVED else ""
        yield f"| `SPINE_{name.upper()}` | {field.description}{later} | {shown} |"


def pipelines() -> Iterator[str]:
    """Yield the page of every pipeline."""
    yield "# Pipelines"
    for pipeline in discover().pipelines():
        yield ""
        yield f"## {pipeline.name}"
        yield ""
        yield f"{pipeline.description} Stage: {pipeline.stage}."
        if pipeline.aliases:
            yield f"Also called {', '.join(f'`{alias}`' for alias in pipeline.aliases)}."
        if pipeline.steps:
            yield f"Steps: {' → '.join(f'`{step}`' for step in pipeline.steps)}."
        if pipeline.params:
            yield ""
            yield "| parameter | | default |"
            yield "|---|---|---|"
            for param in pipeline.params:
                required = " (required)" if param.required else ""
                default = "" if param.default is None else f"`{param.default}`"
                yield f"| `{param.name}`{required} | {param.description} | {default} |"


def datasets() -> Iterator[str]:
    """Yield the page of every dataset."""
    yield "# Datasets"
    yield ""
    yield "Every table adds `capture_no`, the short number of the capture a row belongs to."
    for domain in discover().domains.values():
        for dataset in domain.datasets:
            yield ""
            yield f"## {dataset.table}"
            yield ""
            yield f"{dataset.description} Key within a capture: {', '.join(dataset.key)}."
            yield ""
            yield "| column | type | |"
            yield "|---|---|---|"
            for column in dataset:
                unit = f" ({column.unit})" if column.unit else ""
                null = ", may be null" if column.nullable else ""
                yield f"| `{column.name}` | {column.type}{null} | {column.description}{unit} |"


def _spelled(default: object) -> str:
    if isinstance(default, tuple):
        return ":".join(_spelled(item) for item in default)
    return str(default).lower() if isinstance(default, bool) else str(default)


PAGES = {"settings.md": settings, "pipelines.md": pipelines, "datasets.md": datasets}


def main() -> None:
    """Write the pages, or with --check exit 1 naming those that differ from the code."""
    stale = []
    for name, render in PAGES.items():
        text = "\n".join(render()) + "\n"
        path = FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f"docs/reference is stale: {', '.join(stale)}. Run scripts/render_reference.py.")


if __name__ == "__main__":
    main()

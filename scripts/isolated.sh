#!/bin/sh
# Installs each service alone, without the others and without the development tools, and imports it.
# One shared environment hides a dependency that a service uses and does not declare.
set -eu
cd "$(dirname "$0")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
unset VIRTUAL_ENV
for service in api scheduler ingestor normalizer aggregator dlq; do
    UV_PROJECT_ENVIRONMENT="$folder/$service" UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 \
        .bootstrap/bin/uv sync --frozen --quiet --no-dev --package "spine-$service" \
        --python .venv/bin/python
    "$folder/$service/bin/python" -W error::ImportWarning -c "import spine_$service.app as app; print('$service:', app.SERVICE.name, 'imports alone')"
done

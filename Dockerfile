# One recipe, an image per service: docker build --build-arg SERVICE=ingestor .
# SERVICE=cli holds every service and the spine command.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS build
ARG SERVICE=cli
RUN pip install --no-cache-dir "uv==0.13.8"
WORKDIR /build
COPY pyproject.toml uv.lock README.md ./
COPY libs libs
COPY services services
COPY cli cli
ENV UV_PROJECT_ENVIRONMENT=/app UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
# Only the service's own dependencies: the API's image holds no stage code.
RUN uv sync --frozen --no-dev --no-editable --package "spine-${SERVICE}"

FROM ${PYTHON_IMAGE}
ARG SERVICE=cli
RUN useradd --uid 10001 --create-home spine && install -d -o spine /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 SERVICE=${SERVICE} \
    SPINE_HTTP_HOST=0.0.0.0 SPINE_DATA_DIR=/data
USER 10001
WORKDIR /data
EXPOSE 8000
CMD ["sh", "-c", "exec python -m spine_${SERVICE}.app"]

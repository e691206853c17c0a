"""Which status and which words a failure is answered with: one table over the error codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from spine_api.faults import explain
from spine_common.core.errors import InvalidParams, Kind, SpineError
from spine_common.observability.redaction import hide_credentials

MAX_BODY_BYTES = 256 * 1024
RETRY_AFTER_SECONDS = 5
_SHOWN_CHARACTERS = 200
_SHOWN_ITEMS = 20
_log = structlog.get_logger(__name__)


class DuplicateInProgress(SpineError):
    """The key given belongs to another order, which has not ended yet."""

    code = "DUPLICATE_IN_PROGRESS"


# An error without a line of its own has its family's; without a family it is a bug of ours.
STATUS: Mapping[str, int] = {
    "INVALID_PARAMS": 400,
    "NOT_FOUND": 404,
    "DATA_NOT_READY": 409,
    "DEPENDENCY_MISSING": 409,
    "DUPLICATE_IN_PROGRESS": 409,
    "NOT_CANCELLABLE": 409,
    "PARAMS_TOO_LARGE": 413,
    "SOURCE_INVALID": 422,
    "SCHEMA_MISSING": 503,
}
_WORDS = {
    404: ("NOT_FOUND", "There is no such resource."),
    400: ("INVALID_PARAMS", "The body can't be read as JSON."),
    405: ("METHOD_NOT_ALLOWED", "The resource does not take this method."),
}
_UNAVAILABLE = f"This can't be answered at the moment. Try again in {RETRY_AFTER_SECONDS} seconds."
_INTERNAL = "This went wrong on our side. The log says more under the trace id."


def status_of(error: SpineError) -> int:
    """Return the HTTP status of a failure; a transient one is 503: the same request may succeed."""
    if error.kind is Kind.TRANSIENT:
        return 503
    families = (cls.code for cls in type(error).__mro__ if issubclass(cls, SpineError))
    return next((STATUS[code] for code in families if code in STATUS), 500)


def error_response(  # noqa: PLR0913 - an error answer is all of this
    trace_id: str,
    status: int,
    code: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the one shape of every failure."""
    shown = {name: _shown(value) for name, value in (details or {}).items()}
    error = {"code": code, "message": message, "details": shown, "trace_id": trace_id}
    content = to_json({"error": error}, fallback=str, inf_nan_mode="null")
    return Response(content, status, headers=headers, media_type="application/json")


def internal_error(trace_id: str) -> Response:
    """Answer a bug of ours: what happened is for the log alone."""
    return error_response(trace_id, 500, "INTERNAL", _INTERNAL)


def too_large(trace_id: str) -> Response:
    """Answer a body over the cap; the rest of it isn't read, so the connection ends."""
    details = {"limit_bytes": MAX_BODY_BYTES, "remedy": "Pass bulk data by reference, as a file."}
    message = f"The body has more than {MAX_BODY_BYTES:,} bytes."
    return error_response(
        trace_id, 413, "BODY_TOO_LARGE", message, details=details, headers={"Connection": "close"}
    )


@contextmanager
def naming_values(given: Mapping[str, Any]) -> Iterator[None]:
    """Add to an ``InvalidParams`` which of the values given is at fault."""
    try:
        yield
    except InvalidParams as error:
        field = error.details.get("field") or next((n for n in given if n in error.message), None)
        if field is not None:
            value = {"value": given[field]} if field in given else {}
            error.details = {"field": field, **value, **error.details}
        raise


async def _on_spine_error(request: Request, error: SpineError) -> Response:
    status, trace_id = status_of(error), request.state.trace_id
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        _log.warning("request_postponed", code=error.code, error=str(error))
        later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return error_response(trace_id, status, error.code, _UNAVAILABLE, headers=later)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    remedy = {"remedy": error.remedy} if error.remedy else {}
    details = {**error.details, **remedy}
    return error_response(
        trace_id, status, error.code, hide_credentials(str(error)), details=details
    )


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    status, trace_id = error.status_code, request.state.trace_id
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(trace_id)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    code, message = _WORDS.get(status, (HTTPStatus(status).name, error.detail))
    details = {"method": request.method, "path": request.url.path}
    return error_response(trace_id, status, code, message, details=details, headers=headers)


def _methods(request: Request) -> list[str]:
    """Return what every route of the path takes; the framework names the first one's alone."""
    taken: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            taken |= route.methods or set()
    return sorted(taken)


async def _on_misfit(request: Request, error: RequestValidationError) -> Response:
    code, message, details = explain(error.errors())
    return error_response(request.state.trace_id, 400, code, message, details=details)


HANDLERS: dict[Any, Any] = {
    SpineError: _on_spine_error,
    HTTPException: _on_http_error,
    RequestValidationError: _on_misfit,
}


def _shown(value: Any) -> Any:
    """Return a value as an answer may repeat it: short, flat, and text that can be sent."""
    if isinstance(value, Mapping):
        return {str(name): _shown_flat(item) for name, item in list(value.items())[:_SHOWN_ITEMS]}
    if isinstance(value, list | tuple):
        return [_shown_flat(item) for item in value[:_SHOWN_ITEMS]]
    return _shown_flat(value)


def _shown_flat(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Mapping | list | tuple):
        return "…"
    text = str(value).encode("utf-8", "backslashreplace").decode()
    if len(text) > _SHOWN_CHARACTERS:
        return f"{text[:_SHOWN_CHARACTERS]}…"
    return value if isinstance(value, int) else text

"""What every answer has in common: a trace id, safe headers, and a request that is bounded."""

import re
import secrets

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spine_api.errors import MAX_BODY_BYTES, internal_error, too_large
from spine_common.observability.logs import log_context

_DIGITS = 18
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}"
    r"(?P<more>-.*)?"
)
_log = structlog.get_logger(__name__)


class Edge:
    """Wraps the app: nothing goes in or out around it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace_id = trace_id_of(headers.get("traceparent", ""))
        scope["state"] = {**scope.get("state", {}), "trace_id": trace_id}
        with log_context(trace_id=trace_id):
            await self._answer(scope, receive, send, declared=headers.get("content-length", ""))

    async def _answer(self, scope: Scope, receive: Receive, send: Send, declared: str) -> None:
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        trace_id = scope["state"]["trace_id"]
        if _is_over(declared):
            await too_large(trace_id)(scope, receive, send_safely)
            return
        try:
            await self._app(scope, _bounded(receive), send_safely)
        except Exception:
            # Logged here, where the trace id is known; the server would only say it again.
            _log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            await internal_error(trace_id)(scope, receive, send_safely)


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a W3C ``traceparent``, or a fresh one if it is none that is valid."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return secrets.token_hex(16)
    if not int(match["trace"], 16) or not int(match["span"], 16):
        return secrets.token_hex(16)
    return match["trace"]


def _is_over(declared: str) -> bool:
    return declared.isdecimal() and (len(declared) > _DIGITS or int(declared) > MAX_BODY_BYTES)


def _bounded(receive: Receive) -> Receive:
    """Count what comes in: a body that doesn't declare its length ends at the cap, too."""
    taken = 0

    async def receive_bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receive_bounded

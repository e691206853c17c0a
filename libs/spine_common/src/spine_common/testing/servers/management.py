"""What RabbitMQ says of itself over HTTP, and what can be changed there."""

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

_TIMEOUT_S = 15


class ManagementRefused(Exception):
    """The management interface answered with an error."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Management:
    """The management plugin at ``url``, which carries user and password."""

    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the decoded answer, or None when there is none.

        Raises ``ManagementRefused`` for an error status, ``OSError`` when nobody answers.
        """
        parts = urlsplit(self.url)
        where = f"{parts.scheme}://{parts.hostname}:{parts.port}{path}"
        request = urllib.request.Request(where, method=method)  # noqa: S310 - http(s) by construction
        who = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(who.encode()).decode()}")
        request.add_header("Content-Type", "application/json")
        request.data = None if body is None else json.dumps(body).encode()
        # No proxy: the server is on this machine, or where its URL says it is.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as response:
                text = response.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ManagementRefused(refusal.code, refusal.read().decode()) from None
        return json.loads(text) if text else None

    def queues(self, vhost: str) -> list[dict[str, Any]]:
        """Return the queues of a virtual host as RabbitMQ describes them."""
        found: list[dict[str, Any]] = self.call("GET", f"/api/queues/{quote(vhost, safe='')}")
        return found

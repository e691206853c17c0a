"""How the tuned limits reach the broker: as policies, over its management API."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from urllib.parse import SplitResult, quote, unquote, urlsplit

from spine_common.adapters.bus.topology import Policy
from spine_common.core.errors import BusUnavailable

ANSWER_SECONDS = 10.0


async def set_policies(management_url: str, amqp_url: str, policies: tuple[Policy, ...]) -> None:
    """Put every policy, priority 0, so that an operator's own of a higher priority wins.

    ``management_url`` is ``http(s)://[user:password@]host:port``; without a user the AMQP URL's
    one is taken. Raises ``BusUnavailable`` when the API does not accept.
    """
    for policy in policies:
        await asyncio.to_thread(_put, _request(management_url, amqp_url, policy))


def _request(management_url: str, amqp_url: str, policy: Policy) -> urllib.request.Request:
    management, amqp = urlsplit(management_url), urlsplit(amqp_url)
    if management.scheme not in {"http", "https"}:
        raise BusUnavailable(f"The management URL's scheme is {management.scheme!r}, not http(s).")
    vhost = unquote(amqp.path.removeprefix("/")) or "/"
    host = management.netloc.rpartition("@")[2]
    path = f"{management.path.rstrip('/')}/api/policies/{quote(vhost, safe='')}/{policy.name}"
    body = {
        "pattern": policy.pattern,
        "definition": dict(policy.definition),
        "apply-to": "queues",
        "priority": 0,
    }
    return urllib.request.Request(  # noqa: S310 - the scheme was checked above
        f"{management.scheme}://{host}{path}",
        data=json.dumps(body).encode(),
        method="PUT",
        headers={
            "Authorization": f"Basic {_credentials(management if management.username else amqp)}",
            "Content-Type": "application/json",
        },
    )


def _credentials(url: SplitResult) -> str:
    user, password = unquote(url.username or "guest"), unquote(url.password or "guest")
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _put(request: urllib.request.Request) -> None:
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310 - see _request
            accepted = response.status in {HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}
    except OSError as error:
        raise BusUnavailable(f"The broker's management API refused a policy: {error}.") from error
    if not accepted:
        raise BusUnavailable(f"The broker's management API answered {response.status}.")

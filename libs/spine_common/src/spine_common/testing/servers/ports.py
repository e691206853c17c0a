"""Which loopback ports a private server can have and keep."""

import contextlib
import secrets
import socket

_LOW, _HIGH = 20_000, 32_000
_STANDARD = {25_672}
_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """Return ``count`` ports nobody listens on.

    They lie below the range systems give to outgoing connections: a client that retries against a
    killed server could otherwise be given the server's own port, and keep it from coming back.
    """
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for _ in range(_TRIES):
            if len(ports) == count:
                return ports
            port = _LOW + secrets.randbelow(_HIGH - _LOW)
            candidate = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                if port not in _STANDARD:
                    candidate.bind(("127.0.0.1", port))
                    ports.append(port)
        raise OSError(
            f"No {count} free ports between {_LOW} and {_HIGH} on the loopback interface."
        )

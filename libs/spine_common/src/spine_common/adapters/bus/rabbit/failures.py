"""What the client library raises, said in our words."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from spine_common.adapters.bus.verdict import is_being_cancelled
from spine_common.core.errors import BusUnavailable, SpineError

REMEDY = "Is the broker up, and is the URL right?"


@contextmanager
def broker_failures(doing: str) -> Iterator[None]:
    """Turn whatever the broker connection does to us while ``doing`` into ``BusUnavailable``."""
    try:
        yield
    except SpineError:
        raise
    except asyncio.CancelledError as error:
        # A channel that closes cancels what waits on it. Nobody asked *us* to stop, and a
        # relay that took this for its own cancellation would end.
        if is_being_cancelled():
            raise
        raise BusUnavailable(f"The connection was lost while {doing}.", remedy=REMEDY) from error
    except TimeoutError as error:
        raise BusUnavailable(f"The broker did not answer while {doing}.", remedy=REMEDY) from error
    except Exception as error:
        # Not only the library's own errors: a relay gives a message back for errors of ours alone.
        raise BusUnavailable(
            f"The broker failed while {doing}: {error or repr(error)}.", remedy=REMEDY
        ) from error

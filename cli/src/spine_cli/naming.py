"""How executions are named at the command line, and what is said of a name nothing has."""

import uuid

from spine_common.core.errors import ExecutionNotFound
from spine_common.core.ids import ExecutionId


def execution_named(text: str) -> ExecutionId:
    """Return the id meant: a UUID is the same however its letters are written."""
    try:
        return ExecutionId(str(uuid.UUID(text.strip())))
    except ValueError:
        return ExecutionId(text)


def no_execution(execution_id: ExecutionId) -> ExecutionNotFound:
    """Return the error for an id no execution has."""
    return ExecutionNotFound(
        f"There is no execution {execution_id!r}.", remedy="See `spine execution list`."
    )

"""Whether what a driver says about a broken connection is told from a mistake of ours."""

import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError

from spine_common.adapters.database.faults import translate
from spine_common.core.errors import DatabaseUnavailable


@pytest.mark.parametrize(
    "said",
    [
        "cannot perform operation: another operation is in progress",
        "cannot call Transaction.commit(): the underlying connection is closed",
        "connection was closed in the middle of operation",
    ],
)
def test_a_connection_that_ended_under_us_is_the_database_away(said: str):
    assert isinstance(translate(InterfaceError("q", {}, Exception(said))), DatabaseUnavailable)


@pytest.mark.parametrize(
    "error",
    [
        InterfaceError("q", {}, Exception("the server expects 2 arguments for this query")),
        DBAPIError("q", {}, Exception("cannot perform operation: a word in a value")),
    ],
)
def test_a_mistake_of_ours_stays_one(error: DBAPIError):
    assert translate(error) is error

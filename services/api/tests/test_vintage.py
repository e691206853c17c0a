from datetime import UTC, datetime

import pytest

from spine_api.vintage import read_moment
from spine_common.core.errors import InvalidDate


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-15T14:00:00Z", datetime(2025, 12, 15, 14, tzinfo=UTC)),
        ("2025-12-15T14:00:00+02:00", datetime(2025, 12, 15, 12, tzinfo=UTC)),
        ("2025-12-15T14:00:00 02:00", datetime(2025, 12, 15, 12, tzinfo=UTC)),
        ("2025-12-15T14:00", datetime(2025, 12, 15, 14, tzinfo=UTC)),
        ("2025-12-15 14:00", datetime(2025, 12, 15, 14, tzinfo=UTC)),
        ("2025-12-15", datetime(2025, 12, 15, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_utc_and_a_bare_day_means_its_end(text, moment):
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "now", "15.12.2025", "2025-13-01", "1765807200", "9999-12-31T23:00:00-12:00"]
)
def test_a_moment_that_is_none_is_refused(text):
    with pytest.raises(InvalidDate) as raised:
        read_moment(text)
    assert raised.value.details["field"] == "as_of"

"""Secrets are hidden by name and by shape, and the words of the product are not."""

import pytest

from spine_common.observability.redaction import hide_credentials, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://spine:hunter2@mq:5672/", "amqp://spine:***@mq:5672/"),
        (
            "to postgresql+asyncpg://u:p@ss/w@db/x, twice",
            "to postgresql+asyncpg://u:***@db/x, twice",
        ),
        ("redis://:hunter2@h", "redis://:***@h"),
        ("https://h/x?api_key=hunter2&a=1", "https://h/x?api_key=***&a=1"),
        ("https://h/x?a=1&access_token=hunter2", "https://h/x?a=1&access_token=***"),
        ("Authorization: Bearer hunter2hunter2.x", "Authorization: Bearer ***"),
    ],
)
def test_credentials_in_a_text_are_hidden(text: str, shown: str):
    assert hide_credentials(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8000/a?b=c@d",
        "sqlite+aiosqlite:////srv/spine.db",
        "postgresql://spine@db:5432/spine",
        "finra.otc_transparency: 12:30 to 13:00",
        "basic tests",
    ],
)
def test_a_text_without_credentials_stays_as_it_is(text: str):
    assert hide_credentials(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "client_secret",
        "token",
        "api_key",
        "X-API-Key",
        "apikey",
        "key",
        "Authorization",
        "set-cookie",
        "aws_credentials",
    ],
)
def test_what_is_kept_under_a_secret_name_is_hidden(name: str):
    assert redact({"outer": [{name: "hunter2"}]}) == {"outer": [{name: "***"}]}


@pytest.mark.parametrize(
    "name", ["partition_key", "logical_key", "raw_key", "routing_key", "keys", "passed", "tokyo"]
)
def test_the_words_of_the_product_are_no_secrets(name: str):
    assert redact({name: "2025-11-14/OTC"}) == {name: "2025-11-14/OTC"}


def test_an_exceptions_text_is_searched_too():
    assert redact(OSError("amqp://u:hunter2@h")) == "OSError('amqp://u:***@h')"

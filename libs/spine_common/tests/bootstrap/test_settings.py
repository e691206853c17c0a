"""Settings are read from every promised spelling, and say what is wrong without telling secrets."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spine_common.bootstrap.settings import Settings, get_settings
from spine_common.bootstrap.variables import InvalidSetting

Set = Callable[..., None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with none of our variables set."""
    for name in list(os.environ):
        if name.removeprefix("SPINE_").removesuffix("_FILE").lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Set:
    def set_them(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return set_them


def test_nothing_set_is_the_embedded_mode(folder: Path):
    settings = Settings()

    assert settings.database_url == f"sqlite+aiosqlite:///{folder}/data/spine.db"
    assert settings.rabbitmq_url is None
    assert settings.storage_type == "local"
    assert settings.storage_local_path == folder / "data" / "objects"
    assert settings.file_roots == (folder,)
    assert settings.http_host == "127.0.0.1"
    assert (settings.max_retries, settings.retention_days) == (3, 90)
    assert (settings.lease_seconds, settings.heartbeat_seconds) == (60.0, 10.0)


def test_the_usual_word_for_encryption_is_understood(variables: Set):
    variables(DATABASE_URL="postgres://u@h/d?a=b&sslmode=require")
    assert Settings().database_url == "postgresql+asyncpg://u@h/d?a=b&ssl=require"


@pytest.mark.parametrize("spelled", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_spelling_of_postgresql_gets_our_driver(spelled: str, variables: Set):
    variables(DATABASE_URL=f"{spelled}://spine:p%40ss@db:5432/spine?application_name=x")

    assert (
        Settings().database_url
        == "postgresql+asyncpg://spine:p%40ss@db:5432/spine?application_name=x"
    )


def test_a_sqlite_path_is_made_absolute_where_the_process_started(folder: Path, variables: Set):
    variables(DATABASE_URL="sqlite:///my/file.db")
    assert Settings().database_url == f"sqlite+aiosqlite:///{folder}/my/file.db"

    variables(DATABASE_URL="sqlite+aiosqlite:////srv/file.db")
    assert Settings().database_url == "sqlite+aiosqlite:////srv/file.db"


def test_the_old_spellings_of_the_database_still_work(folder: Path, variables: Set):
    variables(SPINE_DATA_DIR="./my_data", SPINE_LOG_LEVEL="debug")
    settings = Settings()
    assert settings.database_url == f"sqlite+aiosqlite:///{folder}/my_data/spine.db"
    assert settings.storage_local_path == folder / "my_data" / "objects"
    assert settings.log_level == "DEBUG"

    variables(SPINE_DATABASE_PATH="./my_custom.db")
    assert Settings().database_url == f"sqlite+aiosqlite:///{folder}/my_custom.db"

    variables(DATABASE_URL="postgresql://u:p@h/d")
    assert Settings().database_url == "postgresql+asyncpg://u:p@h/d"


@pytest.mark.parametrize(
    ("backend", "broker"),
    [
        ("local", None),
        ("rabbitmq", "amqp://guest:guest@localhost:5672/"),
        ("Celery", "amqp://guest:guest@localhost:5672/"),
    ],
)
def test_the_backend_type_only_picks_the_default_broker(
    backend: str, broker: str | None, variables: Set
):
    variables(BACKEND_TYPE=backend)
    assert Settings().rabbitmq_url == broker

    variables(RABBITMQ_URL="amqp://u:p@mq/")
    assert Settings().rabbitmq_url == "amqp://u:p@mq/"


def test_the_prefixed_spelling_wins(variables: Set):
    variables(MAX_RETRIES=5, SPINE_MAX_RETRIES=7)

    assert Settings().max_retries == 7


def test_a_name_that_others_use_too_is_read_with_the_prefix_only(variables: Set):
    variables(HTTP_PORT="tcp://10.0.0.1:80", PREFETCH="100")
    assert (Settings().http_port, Settings().prefetch) == (8000, 2)

    variables(SPINE_HTTP_PORT=9000)
    assert Settings().http_port == 9000


def test_an_empty_variable_counts_as_unset(variables: Set):
    variables(RABBITMQ_URL="", SPINE_MAX_RETRIES="", MAX_RETRIES="4")

    assert Settings().rabbitmq_url is None
    assert Settings().max_retries == 4


def test_dotenv_is_read_and_the_environment_wins_over_it(folder: Path, variables: Set):
    (folder / ".env").write_text(
        'STORAGE_TYPE=local  # or "s3"\nMAX_RETRIES=8\nSPINE_RETENTION_DAYS=30\n'
        "OTC_API_KEY='a${HOME}b'\nUNRELATED=1\n"
    )
    variables(RETENTION_DAYS=31)
    settings = Settings()

    assert settings.max_retries == 8
    assert settings.retention_days == 31
    assert settings.otc_api_key is not None
    assert settings.otc_api_key.get_secret_value() == "a${HOME}b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://u:p@h/d"),
        ("RABBITMQ_URL", "amqp://u:p@h/"),
        ("OTC_API_KEY", "key"),
        ("FINRA_API_CLIENT_ID", "id"),
        ("FINRA_API_CLIENT_SECRET", "secret"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "SPINE_"])
def test_a_secret_may_be_in_a_file(
    name: str, value: str, prefix: str, folder: Path, variables: Set
):
    (folder / "secret").write_text(f"{value}\n")
    variables(**{f"{prefix}{name}_FILE": folder / "secret"})

    read = getattr(Settings(), name.lower())

    assert getattr(read, "get_secret_value", lambda: read)() == value


def test_a_secret_given_twice_is_refused(folder: Path, variables: Set):
    (folder / "secret").write_text("x")
    variables(OTC_API_KEY="y", OTC_API_KEY_FILE=folder / "secret")

    with pytest.raises(InvalidSetting, match="OTC_API_KEY and OTC_API_KEY_FILE are both set"):
        Settings()


@pytest.mark.parametrize("content", [None, "\n"])
def test_a_secrets_file_that_gives_nothing_is_named(
    content: str | None, folder: Path, variables: Set
):
    if content is not None:
        (folder / "secret").write_text(content)
    variables(OTC_API_KEY_FILE=folder / "secret")

    with pytest.raises(InvalidSetting, match=r"OTC_API_KEY_FILE names '.*/secret', which"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("DATABASE_URL", "mysql://h/d", "postgresql://user:password@host:5432/database"),
        ("DATABASE_URL", "spine.db", "sqlite:///path"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///path"),
        ("DATABASE_URL", "postgresql://h:port/d", "postgresql://"),
        ("RABBITMQ_URL", "redis://localhost:6379/0", "amqp://"),
        ("BACKEND_TYPE", "threads", "local, rabbitmq or celery"),
        ("STORAGE_TYPE", "tape", "local or s3"),
        ("MAX_RETRIES", "many", "a whole number, 0 or more"),
        ("RETENTION_DAYS", "0", "1 or more"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("SPINE_LOG_FORMAT", "xml", "json or console"),
        ("METRICS_ENABLED", "perhaps", "true or false"),
        ("SPINE_HTTP_PORT", "70000", "a port from 0 to 65535"),
        ("SPINE_LEASE_SECONDS", "nan", "seconds, 1 or more"),
        ("SPINE_HEARTBEAT_SECONDS", "31", "at most half of SPINE_LEASE_SECONDS"),
        ("SPINE_FILE_ROOTS", ":", "folders separated by ':'"),
        ("OTLP_ENDPOINT", "localhost:4317", "an http(s) URL"),
    ],
)
def test_a_bad_value_is_named_with_its_variable_and_what_is_right(
    name: str, value: str, right: str, variables: Set
):
    variables(**{name: value})

    with pytest.raises(InvalidSetting) as caught:
        Settings()

    assert f"{name} can't be {value!r}: it is " in str(caught.value)
    assert right in str(caught.value)


def test_every_bad_value_is_named_at_once(variables: Set):
    variables(SPINE_MAX_RETRIES="-1", LOG_LEVEL="LOUD", SPINE_DATA_DIR="fine")

    with pytest.raises(InvalidSetting) as caught:
        Settings()

    assert caught.value.details["variables"] == ["SPINE_MAX_RETRIES", "LOG_LEVEL"]


def test_a_shorter_lease_takes_its_heartbeat_along(variables: Set):
    variables(SPINE_LEASE_SECONDS=6)

    assert Settings().heartbeat_seconds == 1.0


def test_file_roots_are_separated_like_any_path_list(folder: Path, variables: Set):
    variables(SPINE_FILE_ROOTS=os.pathsep.join(["/srv/in", "drop", ""]))

    assert Settings().file_roots == (Path("/srv/in"), folder / "drop")


def test_no_secret_is_shown(variables: Set):
    variables(
        DATABASE_URL="postgresql://spine:hunter2@db/spine",
        RABBITMQ_URL="amqp://spine:hunter2@mq/",
        SPINE_RABBITMQ_MANAGEMENT_URL="http://spine:hunter2@mq:15672",
        OTC_API_KEY="hunter2",
        FINRA_API_CLIENT_SECRET="hunter2",  # noqa: S106 - the one not to be seen
    )
    settings = Settings()

    for shown in (repr(settings), str(settings), str(settings.safe())):
        assert "hunter2" not in shown
        assert "postgresql+asyncpg://spine:***@db/spine" in shown
    assert settings.safe()["otc_api_key"] == "***"
    assert settings.safe()["finra_api_client_id"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://spine:hunter2@db/spine"),
        ("DATABASE_URL", "postgresql://spine:hunter2/@db/spine"),
        ("RABBITMQ_URL", "http://spine:hunter2@mq/"),
    ],
)
def test_an_error_does_not_tell_the_password(name: str, value: str, variables: Set):
    variables(**{name: value})

    with pytest.raises(InvalidSetting) as caught:
        Settings()

    assert "hunter2" not in str(caught.value)
    assert "spine:***@" in str(caught.value)


def test_settings_given_in_code_win_and_are_checked_alike(variables: Set):
    variables(MAX_RETRIES=5)
    assert Settings(max_retries=1).max_retries == 1

    with pytest.raises(InvalidSetting, match="SPINE_MAX_RETRIES can't be -1"):
        Settings(max_retries=-1)
    with pytest.raises(InvalidSetting, match="no setting 'max_retires'"):
        Settings(max_retires=1)


def test_the_process_reads_its_settings_once(variables: Set):
    get_settings.cache_clear()
    first = get_settings()
    variables(MAX_RETRIES=9)

    assert get_settings() is first
    get_settings.cache_clear()
    assert get_settings().max_retries == 9
    get_settings.cache_clear()


def test_retries_by_pipeline_are_pairs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAX_RETRIES_BY_PIPELINE", "a.b=5, c.d=0")

    assert Settings().max_retries_by_pipeline == {"a.b": 5, "c.d": 0}


@pytest.mark.parametrize("value", ["a.b", "a.b=-1", "a.b=many", "a.b=1,a.b=2"])
def test_retries_by_pipeline_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SPINE_MAX_RETRIES_BY_PIPELINE", value)

    with pytest.raises(InvalidSetting, match=r"SPINE_MAX_RETRIES_BY_PIPELINE.*name=number"):
        Settings()

"""What can be set from outside, with which default, and what a value may be."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from spine_common.bootstrap.urls import LOCAL_BROKER, BrokerUrl, DatabaseUrl, HttpUrl, sqlite_url
from spine_common.bootstrap.variables import (
    PREFIX,
    InvalidSetting,
    Variable,
    Variables,
    current_variables,
)
from spine_common.observability.redaction import HIDDEN, is_secret_name, redacted

_SECRETS = {"database_url", "rabbitmq_url", "rabbitmq_management_url", "finra_api_client_id"}
"""Settings that may be in a file although their names do not look like it."""

RESERVED = {
    "finra_api_base_url",
    "finra_api_client_id",
    "finra_api_client_secret",
    "otc_api_base_url",
    "otc_api_key",
    "otlp_endpoint",
    "retention_days",
    "scheduler_enabled",
    "storage_s3_bucket",
    "storage_s3_endpoint",
    "tracing_enabled",
}
"""Settings that are read and checked, and that nothing uses yet."""

_PREFIXED_ONLY = {
    "data_dir",
    "database_path",
    "file_roots",
    "heartbeat_seconds",
    "http_host",
    "http_port",
    "lease_seconds",
    "log_format",
    "prefetch",
    "relay_interval_seconds",
    "retry_base_seconds",
    "shutdown_grace_seconds",
    "stage_deadline_seconds",
    "sweep_patience_seconds",
    "sweep_seconds",
}
"""Settings whose bare names would be too common to take from an environment unasked."""


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _split_paths(value: Any) -> Any:
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def _split_numbers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    pairs = {name.strip(): number.strip() for name, _, number in parts}
    # Said twice it is refused as it stands: which of the two is meant?
    return pairs if len(pairs) == len(parts) else value


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _default_database(data: dict[str, Any]) -> str:
    return sqlite_url(data["database_path"] or data["data_dir"] / "spine.db")


def _default_broker(data: dict[str, Any]) -> str | None:
    return LOCAL_BROKER if data["backend_type"] in {"rabbitmq", "celery"} else None


Folder = Annotated[Path, AfterValidator(_absolute)]
Folders = Annotated[tuple[Folder, ...], BeforeValidator(_split_paths)]


class _FromVariables(PydanticBaseSettingsSource):
    """Feeds pydantic-settings from our order of spellings."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self._variables = current_variables()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a field's value or None, its name, and that it needs no decoding."""
        del field
        variable = _find(self._variables, field_name)
        return variable and variable.value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of the fields that are set."""
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """Everything that can be set. A bad value is an ``InvalidSetting`` naming the variable.

    Setting ``x`` is read from ``SPINE_X``, else (unless the name is too common) from ``X``; a
    secret also from the file its ``…_FILE`` names; the environment wins over `.env`. Paths come
    out absolute. ``database_url`` is ready for the engine; ``rabbitmq_url`` is None for the bus in
    process.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    data_dir: Folder = Field(Path("data"), description="a folder")
    database_path: Folder | None = Field(None, description="the path of a SQLite file")
    database_url: DatabaseUrl = Field(
        default_factory=_default_database,
        description="postgresql://user:password@host:5432/database or sqlite:///path",
    )
    backend_type: Annotated[
        Literal["local", "rabbitmq", "celery"] | None, BeforeValidator(_lower)
    ] = Field(None, description="local, rabbitmq or celery")
    rabbitmq_url: BrokerUrl | None = Field(
        default_factory=_default_broker,
        description="amqp://user:password@host:5672/ or amqps://…, special characters encoded",
    )
    rabbitmq_management_url: HttpUrl | None = Field(None, description="http://host:15672")
    prefetch: int = Field(2, ge=1, le=1000, description="a whole number from 1 to 1000")

    storage_type: Annotated[Literal["local", "s3"], BeforeValidator(_lower)] = Field(
        "local", description="local or s3"
    )
    storage_local_path: Folder = Field(
        default_factory=lambda data: data["data_dir"] / "objects", description="a folder"
    )
    storage_s3_bucket: str | None = Field(None, description="a bucket's name")
    storage_s3_endpoint: HttpUrl | None = Field(None, description="http://host:9000")
    file_roots: Folders = Field(
        (Path(),), min_length=1, description=f"folders separated by {os.pathsep!r}"
    )

    finra_api_base_url: HttpUrl = Field("https://api.finra.org", description="an http(s) URL")
    finra_api_client_id: SecretStr | None = Field(None, description="a client id")
    finra_api_client_secret: SecretStr | None = Field(None, description="a client secret")
    otc_api_base_url: HttpUrl | None = Field(None, description="an http(s) URL")
    otc_api_key: SecretStr | None = Field(None, description="an API key")

    max_retries: int = Field(3, ge=0, description="a whole number, 0 or more")
    max_retries_by_pipeline: Annotated[
        dict[str, NonNegativeInt], BeforeValidator(_split_numbers)
    ] = Field(
        default_factory=dict,
        description="name=number, separated by commas; each name once, numbers 0 or more",
    )
    retry_base_seconds: float = Field(5.0, gt=0, le=900, description="seconds, above 0 up to 900")
    retention_days: int = Field(90, ge=1, description="a whole number of days, 1 or more")
    lease_seconds: float = Field(60.0, ge=1, description="seconds, 1 or more")
    heartbeat_seconds: float = Field(
        default_factory=lambda data: data["lease_seconds"] / 6,
        gt=0,
        description="seconds, more than 0 and at most half of SPINE_LEASE_SECONDS",
    )
    stage_deadline_seconds: float = Field(900.0, gt=0, description="seconds, more than 0")
    relay_interval_seconds: float = Field(
        0.5, gt=0, le=60, description="seconds, more than 0 and at most 60"
    )
    shutdown_grace_seconds: float = Field(20.0, ge=0, description="seconds, 0 or more")

    sweep_seconds: float = Field(15.0, gt=0, le=600, description="seconds, more than 0 up to 600")
    sweep_patience_seconds: float = Field(60.0, gt=0, description="seconds, more than 0")
    scheduler_enabled: bool = Field(default=True, description="true or false")
    http_host: str = Field("127.0.0.1", description="an address to listen on, like 0.0.0.0")
    http_port: int = Field(8000, ge=0, le=65535, description="a port from 0 to 65535")
    auth_mode: Annotated[Literal["none", "api_key", "jwt"], BeforeValidator(_lower)] = Field(
        "none", description="none, api_key or jwt"
    )

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL")
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        "json", description="json or console"
    )
    metrics_enabled: bool = Field(default=True, description="true or false")
    tracing_enabled: bool = Field(default=False, description="true or false")
    otlp_endpoint: HttpUrl = Field("http://localhost:4317", description="an http(s) URL")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explained(error, given=set(values)) from None

    @field_validator("heartbeat_seconds")
    @classmethod
    def _beats_within_the_lease(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("lease_seconds", value * 2) / 2:
            raise ValueError("a lease would expire between two heartbeats")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what the caller gives, then our variables in our order."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _FromVariables(settings_cls)

    def safe(self) -> dict[str, Any]:
        """Return every setting as plain values that may be shown: secrets are hidden."""
        return {name: _showable(name, getattr(self, name)) for name in type(self).model_fields}

    def __repr_args__(self) -> Any:
        """Show in a repr what ``safe`` shows."""
        return self.safe().items()


@cache
def get_settings() -> Settings:
    """Return this process's settings, read once; ``InvalidSetting`` names every bad variable."""
    return Settings()


def _find(variables: Variables, setting: str) -> Variable | None:
    return variables.find(
        setting,
        bare=setting not in _PREFIXED_ONLY,
        secret=setting in _SECRETS or is_secret_name(setting),
    )


def _showable(name: str, value: Any) -> Any:
    match value:
        case SecretStr():
            return HIDDEN
        case Path():
            return str(value)
        case tuple():
            return [_showable(name, item) for item in value]
        case _:
            return redacted(name, value)


def _explained(error: ValidationError, given: set[str]) -> InvalidSetting:
    variables = current_variables()
    said, names = [], []
    for fault in error.errors(include_url=False, include_context=False):
        setting = str(fault["loc"][0])
        field = Settings.model_fields.get(setting)
        if field is None:
            said.append(f"There is no setting {setting!r}.")
        elif fault["type"] != "default_factory_not_called":
            variable = None if setting in given else _find(variables, setting)
            name = variable.name if variable else PREFIX + setting.upper()
            names.append(name)
            shown = _showable(setting, variable.value if variable else fault["input"])
            said.append(f"{name} can't be {shown!r}: it is {field.description}.")
    return InvalidSetting(" ".join(dict.fromkeys(said)), variables=names)

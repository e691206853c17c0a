"""Where a setting's value comes from: the environment, a secret's file, or `.env`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from spine_common.core.errors import SpineError

PREFIX = "SPINE_"
FILE_SUFFIX = "_FILE"


class InvalidSetting(SpineError):
    """A variable has a value the product can't start with."""

    code = "SETTING_INVALID"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is set, as it was spelled."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment, and below it what `.env` says. An empty variable counts as unset."""

    environment: Mapping[str, str] = field(repr=False)
    dotenv: Mapping[str, str] = field(repr=False)

    def find(self, setting: str, *, bare: bool, secret: bool) -> Variable | None:
        """Return the variable that decides ``setting``, or None.

        The environment wins over `.env`; in each, the prefixed spelling over the ``bare`` one.
        A ``secret`` may also be in the file its ``…_FILE`` names.
        """
        name = setting.upper()
        spellings = [PREFIX + name, name] if bare else [PREFIX + name]
        for source in (self.environment, self.dotenv):
            for spelling in spellings:
                found = _in_file(source, spelling) if secret else None
                value = source.get(spelling)
                if value and found:
                    raise InvalidSetting(
                        f"{spelling} and {spelling}{FILE_SUFFIX} are both set.",
                        remedy="Set one of them.",
                    )
                if value:
                    return Variable(spelling, value)
                if found:
                    return found
        return None


def read_variables(environment: Mapping[str, str], folder: Path) -> Variables:
    """Return ``environment`` above the `.env` file of ``folder``, if there is one."""
    dotenv = dotenv_values(folder / ".env", interpolate=False)
    return Variables(environment, {name: value for name, value in dotenv.items() if value})


def current_variables() -> Variables:
    """Return the variables of this process in its current folder."""
    return read_variables(os.environ, Path.cwd())


def _in_file(source: Mapping[str, str], spelling: str) -> Variable | None:
    name = spelling + FILE_SUFFIX
    path = source.get(name)
    if not path:
        return None
    try:
        value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InvalidSetting(
            f"{name} names {path!r}, which can't be read: {reason}.",
            remedy=f"Name a file that holds the value of {spelling}.",
        ) from error
    if not value:
        raise InvalidSetting(
            f"{name} names {path!r}, which is empty.",
            remedy=f"Name a file that holds the value of {spelling}.",
        )
    return Variable(name, value)

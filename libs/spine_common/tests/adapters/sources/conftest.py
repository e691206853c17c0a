"""The folders and the store a source is tried with."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spine_common.adapters.sources.files import FileSources
from spine_common.adapters.storage.local import LocalStore
from spine_common.framework.ports.storage import Store

NOBODY = 65534


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "objects")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def sources(root: Path, store: Store) -> FileSources:
    return FileSources([root], store, max_bytes=1000)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike ``tmp_path``."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Gives up root's right to ignore permissions, when called and until the test ends."""
    user = os.geteuid()
    yield lambda: os.seteuid(NOBODY) if user == 0 else None
    os.seteuid(user)

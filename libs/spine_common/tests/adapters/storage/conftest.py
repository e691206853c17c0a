"""Which stores the behaviour suite runs over, and what its tests share."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from spine_common.adapters.storage.local import LocalStore
from spine_common.framework.ports.storage import Store

NOBODY = 65534


@asynccontextmanager
async def local_store(folder: Path) -> AsyncIterator[Store]:
    yield LocalStore(folder / "objects")


# Another adapter joins the suite with one line here.
STORES: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {
    "local": local_store,
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with STORES[request.param](tmp_path) as opened:
        yield opened


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

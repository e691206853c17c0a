"""Where the demo keeps its things: a folder of its own, made anew each time."""

import shutil
from pathlib import Path

from spine_cli.errors import DemoFolderTaken
from spine_cli.invocation import shortest

_MARK = ".made-by-spine-demo"


def fresh_folder(folder: Path) -> Path:
    """Return ``folder``, empty; ``DemoFolderTaken`` if something else is in it."""
    if folder.is_symlink() or (folder.exists() and not (folder / _MARK).is_file()):
        if folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()):
            raise DemoFolderTaken(
                f"{shortest(folder)} is there and the demo did not make it.",
                remedy="Move it away, or set SPINE_DATA_DIR to another folder.",
            )
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder

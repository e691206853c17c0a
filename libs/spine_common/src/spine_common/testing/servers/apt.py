"""How a server is installed without its package starting a shared instance of it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from spine_common.testing.servers.errors import NotHere

_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID_SERVICES = "#!/bin/sh\nexit 101\n"
_PATIENCE_S = 900
_OPT_OUT = "SPINE_TEST_SERVERS_INSTALL"


def install(package: str) -> None:
    """Install a Debian package with its services left off.

    Raises ``NotHere`` when that is not ours to do: no root, no apt, or
    ``SPINE_TEST_SERVERS_INSTALL=0``; or when apt fails.
    """
    if os.environ.get(_OPT_OUT) == "0":
        raise NotHere(f"{_OPT_OUT}=0 forbids to install {package}")
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise NotHere(f"{package} can't be installed here: that needs root on Debian or Ubuntu")
    with _services_left_off():
        _apt(apt, "update")
        _apt(apt, "install", "--yes", "--no-install-recommends", package)


def _apt(apt: str, *arguments: str) -> None:
    options = ["-qq", "-o", "DPkg::Lock::Timeout=300"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [apt, *options, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"apt-get {arguments[0]} took over {_PATIENCE_S} s") from None
    if done.returncode:
        raise NotHere(f"apt-get {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")


@contextlib.contextmanager
def _services_left_off() -> Iterator[None]:
    """Put Debian's own veto on starting services in place, unless the machine has one."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(_FORBID_SERVICES)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()

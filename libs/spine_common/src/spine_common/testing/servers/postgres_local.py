"""How a private PostgreSQL is started from the binaries on this machine."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from spine_common.testing.servers.control import LocalProcess
from spine_common.testing.servers.errors import NotHere
from spine_common.testing.servers.household import Household
from spine_common.testing.servers.ports import free_ports
from spine_common.testing.servers.postgres import PostgresServer
from spine_common.testing.servers.processes import Account

_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_UNPRIVILEGED = ("postgres", "nobody")
_USER = "spine_admin"

_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 300
shared_buffers = 128MB
dynamic_shared_memory_type = mmap
max_wal_size = 2GB
log_timezone = UTC
timezone = UTC
lc_messages = C
jit = off
"""
_NOT_DURABLE = """
fsync = off
synchronous_commit = off
full_page_writes = off
"""


def start_local_postgres(household: Household, *, durable: bool = True) -> PostgresServer:
    """Start PostgreSQL on a free loopback port with its data in the household.

    ``durable=False`` trades the promise to survive a power cut for speed.
    """
    binaries = _binaries()
    account = _account()
    home = household.new_home("postgres")
    if account is not None:
        os.chown(home, account.uid, account.gid)
    password = secrets.token_urlsafe(16)
    data = _init(binaries, home, account, password)
    (port,) = free_ports(1)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(_SETTINGS.format(port=port) + ("" if durable else _NOT_DURABLE))
    process = LocalProcess.prepared(
        home,
        [str(binaries / "postgres"), "-D", str(data)],
        _environment(home),
        account=account,
        stop_by=signal.SIGINT,  # "fast": waits for no client, writes everything
        end_by=signal.SIGQUIT,  # "immediate": writes nothing, releases its shared memory
        stale=[data / "postmaster.pid"],  # it would take a dead process not yet reaped for alive
    )
    household.adopt(process)
    url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres"
    server = PostgresServer.at(url, process)
    server.start()
    return server


def _binaries() -> Path:
    """Find the folder with ``postgres`` and ``initdb``, the newest version first."""
    on_path = shutil.which("postgres")
    found = [folder for pattern in _FOLDERS for folder in Path("/").glob(pattern[1:])]
    newest_first = sorted(found, key=_version, reverse=True)
    folders = ([Path(on_path).resolve().parent] if on_path else []) + newest_first
    for folder in folders:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise NotHere("no PostgreSQL server binaries on PATH or in the usual folders")


def _version(folder: Path) -> list[int]:
    digits = "".join(sign if sign.isdigit() else " " for sign in str(folder))
    return [int(number) for number in digits.split()]


def _account() -> Account | None:
    """Choose whom PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user.pw_uid, user.pw_gid)
    raise NotHere(f"PostgreSQL refuses to run as root and there is no user {_UNPRIVILEGED}")


def _init(binaries: Path, home: Path, account: Account | None, password: str) -> Path:
    password_file = home / "password"
    password_file.write_text(password)
    if account is not None:
        os.chown(password_file, account.uid, account.gid)
    data = home / "data"
    initdb = subprocess.run(  # noqa: S603 - fixed arguments
        [
            *(str(binaries / "initdb"), "-D", str(data), "-U", _USER, "--auth=password"),
            *(f"--pwfile={password_file}", "-E", "UTF8", "--locale=C", "--no-sync"),
        ],
        env=_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if initdb.returncode:
        raise NotHere(f"initdb failed: {initdb.stderr.strip() or initdb.stdout.strip()}")
    return data


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"}

"""The pytest plugin: one server for a run, however many processes it has; markers by themselves."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from spine_common.testing.servers.postgres import plain

CONFIG = """
[pytest]
addopts = --strict-markers -p spine_common.testing.plugin -p no:cacheprovider
markers =
    server: needs a server
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture
def project(tmp_path: Path):
    """A small test project; call it with a module's text and pytest's arguments."""

    def call(text: str, *arguments: str, **environment: str) -> str:
        (tmp_path / "pytest.ini").write_text(CONFIG)
        (tmp_path / "test_it.py").write_text(text)
        done = subprocess.run(  # noqa: S603 - pytest itself
            [sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )
        return done.stdout + done.stderr

    return call


def test_a_test_that_takes_a_server_is_marked_also_when_a_parameter_names_it(project):
    answer = project(
        "import pytest\n"
        "def test_plain(): pass\n"
        "def test_direct(rabbit_url): pass\n"
        "@pytest.mark.parametrize('url', ['sqlite_url', 'postgres_url'])\n"
        "def test_each(url, request): request.getfixturevalue(url)\n",
        "--collect-only",
        "-q",
        "-m",
        "not server",
    )
    assert answer.splitlines()[:2] == [
        "test_it.py::test_plain",
        "test_it.py::test_each[sqlite_url]",
    ]
    assert "2/4 tests collected (2 deselected)" in answer


def test_loading_the_plugin_loads_nothing_heavy():
    program = (
        "import sys, spine_common.testing.plugin\n"
        "heavy = {'testcontainers', 'docker', 'sqlalchemy', 'asyncpg', 'polars', 'faststream'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.check_output([sys.executable, "-c", program], text=True)  # noqa: S603
    assert answer == "[]\n"


@pytest.mark.server
def test_all_workers_of_a_run_share_one_server_and_it_ends_with_the_run(project, tmp_path):
    answer = project(
        "import os, pathlib, time, pytest\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_url(empty_postgres_url, postgres_server, household, n):\n"
        "    worker = os.environ['PYTEST_XDIST_WORKER']\n"
        "    pathlib.Path(f'{worker}.seen').write_text(f'{household.path} {postgres_server.url}')\n"
        "    deadline = time.monotonic() + 60\n"
        "    while len(list(pathlib.Path().glob('*.seen'))) < 2:\n"
        "        assert time.monotonic() < deadline\n"
        "        time.sleep(0.05)\n"
        "    assert len({file.read_text() for file in pathlib.Path().glob('*.seen')}) == 1\n"
        "    pathlib.Path('household').write_text(str(household.path))\n",
        "-n",
        "2",
        "-q",
    )
    assert "4 passed" in answer
    assert not Path((tmp_path / "household").read_text()).exists()


def test_a_test_without_a_server_to_be_had_fails_with_the_reason(project, postgres_server):
    wrong = plain(urlsplit(postgres_server.url)._replace(path="/nowhere").geturl())
    answer = project(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_url(empty_postgres_url, n): pass\n",
        "-q",
        SPINE_TEST_DATABASE_URL=wrong,
    )
    assert "3 errors" in answer
    assert "skipped" not in answer
    assert 'PostgreSQL does not answer: database "nowhere" does not exist' in answer


async def test_every_test_gets_a_virtual_host_of_its_own(rabbit_url, rabbit_server):
    assert rabbit_url.startswith("amqp://")
    assert rabbit_url != rabbit_server.new_vhost()


def test_finras_files_are_there(finra_files):
    assert list(finra_files.glob("finra_otc_weekly_*.csv"))


def test_missing_files_of_finras_are_a_failure_that_says_where_to_put_them(project, tmp_path):
    answer = project(
        "def test_files(finra_files): pass\n", "-q", SPINE_FINRA_FILES=str(tmp_path / "nowhere")
    )
    assert "1 error" in answer
    assert "SPINE_FINRA_FILES" in answer


async def test_a_migrated_database_is_a_copy_of_one_template(
    postgres_url, postgres_template, sqlite_url
):
    assert postgres_url.startswith("postgresql+asyncpg://")
    assert postgres_url != postgres_template
    assert sqlite_url.startswith("sqlite+aiosqlite:///")

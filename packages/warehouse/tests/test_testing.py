"""The pytest plugin: a database for each test, one server for all workers, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded.process import is_alive, wait_until
from windlass.warehouse.testing.server import SERVER_VARIABLE, release

pytestmark = pytest.mark.integration


def test_each_test_gets_an_empty_migrated_database(warehouse):
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from ops.schema_migration").fetchone()[0] >= 4
        assert connection.execute("select count(*) from warehouse.dim_date").fetchone() == (0,)
        connection.execute(
            "insert into warehouse.dim_date values "
            "(20210101, '2021-01-01', 2021, 1, 1, 53, 5, false, true, 'New Year')"
        )


def test_what_a_test_writes_the_next_one_does_not_see(warehouse):
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from warehouse.dim_date").fetchone() == (0,)


def test_a_database_is_dropped_even_with_a_session_in_it(warehouse_server):
    with warehouse_server.database() as database:
        session = database.connect()
        session.execute("select 1")
    with connect(warehouse_server.dsn()) as connection:
        query = "select count(*) from pg_database where datname = %s"
        assert connection.execute(query, (database.name,)).fetchone() == (0,)
    session.close()


def test_no_password_shows_in_a_failure_report(warehouse, warehouse_server):
    assert "password" not in repr(warehouse) + repr(warehouse_server)


INNER = """
import os
import pytest

@pytest.mark.parametrize("number", range(6))
def test_inner(warehouse, warehouse_server, number):
    with warehouse.connect() as connection:
        home = connection.execute("show data_directory").fetchone()[0]
        databases = connection.execute("select datname from pg_database").fetchall()
        assert connection.execute("select count(*) from ops.schema_migration").fetchone()[0] > 0
    pid = open(os.path.join(home, "postmaster.pid")).readline().strip()
    with open(os.environ["REPORT"], "a") as report:
        report.write(f"{home} {pid} {warehouse.name}\\n")
    if os.environ.get("HANG"):
        open(os.environ["HANG"]).read()
"""


@pytest.fixture
def inner(tmp_path):
    """Start another pytest run that uses the plugin; gives its process and the file it reports to."""
    (tmp_path / "test_inner.py").write_text(INNER)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    started = []

    def start(*options, **variables):
        report = tmp_path / "report"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", SERVER_VARIABLE))
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, tmp_path],
            cwd=tmp_path,
            env={**inherited, "REPORT": str(report), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process, report

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _servers(report: Path) -> set[tuple[Path, int]]:
    return {(Path(line.split()[0]), int(line.split()[1])) for line in report.read_text().splitlines()}


@pytest.mark.parametrize("options", [["-n", "0"], ["-n", "2"]], ids=" ".join)
def test_a_run_uses_one_server_and_leaves_none(inner, options):
    process, report = inner(*options)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    ((home, pid),) = _servers(report)
    assert not is_alive(pid, home)
    assert not home.parent.exists()


@pytest.mark.parametrize("options", [["-n", "0"], ["-n", "2"]], ids=" ".join)
def test_a_run_that_is_killed_leaves_no_server(inner, tmp_path, options):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process, report = inner(*options, HANG=str(fifo))
    assert wait_until(
        lambda: report.exists() and report.read_text().endswith("\n"), timeout=60, interval=0.05
    )
    ((home, pid),) = _servers(report)
    assert is_alive(pid, home)
    workers = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    process.kill()
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    assert wait_until(lambda: not is_alive(pid, home) and not home.parent.exists(), timeout=30, interval=0.05)


def test_a_given_server_is_used_and_left_clean(inner, warehouse_server):
    query = "select array_agg(datname::text) from pg_database"
    with connect(warehouse_server.dsn(), autocommit=True) as connection:
        home = connection.execute("show data_directory").fetchone()[0]
        process, report = inner("-n", "0", **{SERVER_VARIABLE: warehouse_server.dsn()})
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        assert {str(folder) for folder, _ in _servers(report)} == {home}
        left = connection.execute(query).fetchone()[0]
        used = {line.split()[2] for line in report.read_text().splitlines()}
        assert len(used) == 6
        assert not used & set(left)


def test_releasing_what_is_gone_does_nothing(tmp_path):
    assert release(tmp_path / "gone", wait=True) is False


def test_releasing_what_another_uses_does_nothing(tmp_path):
    import fcntl

    with (tmp_path / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        assert release(tmp_path, wait=False) is False
    assert (tmp_path / "users").exists()

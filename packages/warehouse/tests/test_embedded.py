"""The embedded server: one a folder, there in half a second, recovering from whatever killed it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres, find_binaries
from windlass.warehouse.embedded.account import Account, may_execute
from windlass.warehouse.embedded.process import is_alive, wait_until
from windlass.warehouse.errors import (
    AuthenticationError,
    EmbeddedError,
    MissingExtraError,
    NotRunningError,
    PortTakenError,
    StartFailedError,
)
from windlass.warehouse.migrations import migrate

pytestmark = pytest.mark.integration

# The wheel carries older servers too, and a machine may have its own.
CANDIDATES = [*find_binaries().prefix.parent.glob("pginstall*"), *Path("/usr/lib/postgresql").glob("1[5-8]")]
INSTALLED = sorted(prefix for prefix in CANDIDATES if (prefix / "bin" / "initdb").exists())

as_root_only = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root needs another account to run the server"
)


@pytest.fixture
def server(server_folder):
    """A running server."""
    handle = EmbeddedPostgres(server_folder, durable=False)
    handle.start()
    return handle


def _one(dsn: str, query: str = "select 1") -> object:
    with connect(dsn) as connection:
        return connection.execute(query).fetchone()[0]


def _fill(dsn: str) -> None:
    with connect(dsn) as connection:
        connection.execute("create table kept (id integer)")
        connection.execute("insert into kept values (1)")


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _processes_of(folder: Path) -> list[str]:
    """Command lines of the servers and launching shells of a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"/postgres\0-D\0" + os.fsencode(folder) + b"/" in line:
            found.append(line.decode())
    return found


class TestStarting:
    def test_a_new_folder_becomes_a_server_on_tcp_and_socket(self, server):
        assert _one(server.dsn(), "show server_version_num") == str(
            _one(server.dsn(over_socket=True), "show server_version_num")
        )
        assert _one(server.dsn(), "select inet_server_addr() is not null") is True
        assert _one(server.dsn(over_socket=True), "select inet_server_addr() is null") is True

    def test_status_tells_what_runs_where(self, server, server_folder):
        found = server.status()
        assert found.running
        assert found.data_dir == server_folder
        assert (found.pid, found.port) == (server.pid, server.port)
        assert found.listen == "127.0.0.1"
        assert (found.socket_dir / f".s.PGSQL.{found.port}").is_socket()
        assert found.log.exists()

    def test_a_folder_without_a_server_says_so(self, server_folder):
        handle = EmbeddedPostgres(server_folder)
        assert not handle.status().running
        assert handle.stop() is False
        with pytest.raises(NotRunningError, match="No server runs in"):
            handle.dsn()
        assert not server_folder.exists()

    def test_an_initialised_cluster_starts_in_under_half_a_second(self, server):
        server.stop()
        begun = time.perf_counter()
        server.start()
        assert time.perf_counter() - begun < 0.5

    def test_data_and_port_are_kept_over_a_restart(self, server):
        _fill(server.dsn())
        port = server.port
        server.stop()
        server.start()
        assert server.port == port
        assert _one(server.dsn(), "select count(*) from kept") == 1

    def test_durable_is_the_default_and_quick_is_asked_for(self, server, server_folder):
        assert _one(server.dsn(), "show fsync") == "off"
        server.stop()
        people = EmbeddedPostgres(server_folder)
        people.start()
        assert [
            _one(people.dsn(), f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")
        ] == ["on"] * 3

    def test_a_user_setting_outlives_a_restart(self, server):
        with connect(server.dsn(), autocommit=True) as connection:
            connection.execute("alter system set work_mem = '7MB'")
        server.stop()
        server.start()
        assert _one(server.dsn(), "show work_mem") == "7MB"

    def test_variables_of_the_users_shell_do_not_reach_the_server(self, server_folder, monkeypatch):
        monkeypatch.setenv("PGDATA", "/nowhere")
        monkeypatch.setenv("PGPORT", "1")
        handle = EmbeddedPostgres(server_folder, durable=False)
        handle.start()
        assert _one(handle.dsn(), "show port") == str(handle.port)

    def test_a_long_path_gets_a_socket_all_the_same(self, server_folder):
        deep = server_folder / ("d" * 60) / ("e" * 60)
        handle = EmbeddedPostgres(deep, durable=False)
        handle.start()
        try:
            assert len(str(handle.status().socket_dir)) < 90
            assert _one(handle.dsn(over_socket=True)) == 1
        finally:
            socket_dir = handle.status().socket_dir
            handle.destroy()
        assert not socket_dir.exists()

    def test_a_path_with_quotes_commas_and_spaces_works(self, server_folder):
        handle = EmbeddedPostgres(server_folder / 'o\'hara, "x" y', durable=False)
        handle.start()
        try:
            assert _one(handle.dsn(over_socket=True)) == 1
        finally:
            handle.destroy()

    def test_letters_beyond_ascii_have_upper_and_lower_case(self, server):
        assert _one(server.dsn(), "select upper('éß')") != "éß"


# Gives back the memory that holds its arguments: /proc shows none then, as it does in the instant of execve.
HIDES_ITS_ARGUMENTS = """
import ctypes, time
start, end = map(int, open("/proc/self/stat").read().rpartition(")")[2].split()[45:47])
ctypes.memset(start, 0, end - start)
print("hidden", flush=True)
time.sleep(600)
"""

USES_THE_SERVER = """
import os, sys
from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.migrations import migrate, status
before = dict(os.environ)
with EmbeddedPostgres(sys.argv[1], durable=False) as server:
    server.create_database("fresh")
    for over_socket in (False, True):
        dsn = server.dsn("fresh", over_socket=over_socket)
        migrate(dsn)
        print({found.state.value for found in status(dsn)})
        with connect(dsn) as connection:
            query = "select 'é', timestamptz '2026-02-01', current_setting('timezone')"
            text, moment, zone = connection.execute(query).fetchone()
            print(text, moment.isoformat(), zone)
assert dict(os.environ) == before
"""


class TestEnvironment:
    @pytest.mark.parametrize(
        "variables",
        [
            {"PGSSLMODE": "require"},
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"},
            {"PGSSLNEGOTIATION": "direct", "PGSSLCERTMODE": "require"},
            {"PGSERVICE": "nosuch", "PGSERVICEFILE": "/nowhere"},
            {"PGHOST": "nowhere.invalid", "PGHOSTADDR": "203.0.113.7", "PGPORT": "1"},
            {"PGUSER": "nobody", "PGPASSWORD": "wrong", "PGDATABASE": "nowhere", "PGPASSFILE": "/nowhere"},
            {"PGTARGETSESSIONATTRS": "standby", "PGLOADBALANCEHOSTS": "random"},
            {"PGREQUIREAUTH": "none", "PGREQUIREPEER": "stranger"},
            {"PGCHANNELBINDING": "require"},
            {"PGGSSENCMODE": "require"},
            {"PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on"},
            {"PGTZ": "Mars/Olympus"},
            {"PGDATESTYLE": "German"},
            {"PGCLIENTENCODING": "SQL_ASCII"},
        ],
        ids=lambda variables: next(iter(variables)),
    )
    def test_libpqs_variables_do_not_reach_its_connections(
        self, server, server_folder, start_python, monkeypatch, variables
    ):
        server.stop()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        process = start_python(USES_THE_SERVER, server_folder)
        for name in variables:
            monkeypatch.delenv(name)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        row = "é 2026-02-01T00:00:00+00:00 UTC"
        assert out.splitlines() == ["{'applied'}", row] * 2

    def test_a_plain_driver_is_kept_from_what_keywords_can_override(self, server, start_python, monkeypatch):
        hostile = {"PGSSLMODE": "require", "PGHOSTADDR": "203.0.113.7", "PGOPTIONS": "-c nonsense=1 -x"}
        for name, value in hostile.items():
            monkeypatch.setenv(name, value)
        for over_socket in (False, True):
            with psycopg.connect(server.dsn(over_socket=over_socket)) as connection:
                assert connection.execute("select 1").fetchone() == (1,)


class TestSecrets:
    def test_the_password_is_in_a_file_for_the_user_alone_and_in_no_command_line(self, server, server_folder):
        holders = [
            path for path in server_folder.iterdir() if path.is_file() and server.password in path.read_text()
        ]
        assert [path.name for path in holders] == ["pgpass"]
        assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not any(server.password.encode() in line for line in lines)
        assert server.password not in repr(server)

    def test_a_dsn_without_the_password_finds_it_in_the_file(self, server):
        dsn = server.dsn(with_password=False)
        assert server.password not in dsn
        assert _one(dsn) == 1

    @pytest.mark.parametrize("over_socket", [False, True])
    def test_nobody_enters_without_the_password(self, server, over_socket):
        parameters = conninfo_to_dict(server.dsn(over_socket=over_socket)) | {"password": "guess"}
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect("", **parameters)

    def test_two_clusters_have_two_passwords(self, server, server_folder):
        other = EmbeddedPostgres(server_folder / "other", durable=False)
        other.start()
        try:
            assert other.password != server.password
        finally:
            other.destroy()


class TestSharing:
    def test_a_second_handle_attaches(self, server, server_folder):
        second = EmbeddedPostgres(server_folder)
        assert second.start().pid == server.pid
        assert (server.started_here, second.started_here) == (True, False)

    def test_leaving_a_context_stops_only_what_it_started(self, server_folder):
        with EmbeddedPostgres(server_folder, durable=False) as owner:
            with EmbeddedPostgres(server_folder) as guest:
                pid = guest.pid
            assert owner.pid == pid
        assert not owner.status().running

    def test_any_handle_can_stop_it_when_asked(self, server, server_folder):
        pid = server.pid
        assert EmbeddedPostgres(server_folder).stop() is True
        assert _gone(pid)
        assert EmbeddedPostgres(server_folder).stop() is False

    def test_two_starters_at_once_get_one_server(self, server_folder, start_python):
        code = (
            "import sys\nfrom windlass.warehouse.embedded import EmbeddedPostgres\nsys.stdin.readline()\n"
            "server = EmbeddedPostgres(sys.argv[1], durable=False)\nserver.start()\n"
            "print(server.pid, server.started_here)"
        )
        starters = [start_python(code, server_folder) for _ in range(3)]
        for starter in starters:
            starter.stdin.write("go\n")
            starter.stdin.flush()
        answers = [starter.communicate(timeout=120) for starter in starters]
        assert [starter.returncode for starter in starters] == [0, 0, 0], answers
        pids, started = zip(*(out.split() for out, _ in answers), strict=True)
        assert len(set(pids)) == 1
        assert sorted(started) == ["False", "False", "True"]

    def test_sessions_end_and_open_transactions_are_rolled_back_by_a_stop(self, server):
        _fill(server.dsn())
        with psycopg.connect(server.dsn()) as session:
            session.execute("delete from kept")
            server.stop()
            with pytest.raises(psycopg.OperationalError):
                session.execute("select 1")
        server.start()
        assert _one(server.dsn(), "select count(*) from kept") == 1

    def test_asking_for_another_address_than_it_has_is_refused(self, server, server_folder):
        with pytest.raises(EmbeddedError, match=f"already runs on 127.0.0.1, port {server.port}"):
            EmbeddedPostgres(server_folder, port=server.port + 1).start()
        with pytest.raises(EmbeddedError, match="stop it first"):
            EmbeddedPostgres(server_folder, listen="0.0.0.0").start()


class TestPorts:
    def test_a_taken_port_is_named_and_nothing_is_started(self, server_folder):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(PortTakenError, match=f"Port {port} on 127.0.0.1 is taken") as caught:
                EmbeddedPostgres(server_folder, port=port, durable=False).start()
        assert caught.value.port == port
        assert not EmbeddedPostgres(server_folder).status().running

    def test_when_last_times_port_is_taken_another_is_found(self, server):
        port = server.port
        server.stop()
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            server.start()
            assert server.port != port
            assert _one(server.dsn()) == 1

    def test_all_addresses_can_be_listened_on(self, server_folder):
        handle = EmbeddedPostgres(server_folder, listen="0.0.0.0", durable=False)
        handle.start()
        assert _one(handle.dsn()) == 1
        assert handle.status().listen == "0.0.0.0"

    @pytest.mark.parametrize(
        ("listen", "message"),
        [("203.0.113.7", "Cannot listen on 203.0.113.7"), ("no such host", "is not an address")],
    )
    def test_an_address_of_no_use_is_refused(self, server_folder, listen, message):
        with pytest.raises(EmbeddedError, match=message):
            EmbeddedPostgres(server_folder, listen=listen, durable=False).start()

    def test_a_port_lost_between_looking_and_listening_is_told_as_taken(self, server_folder, monkeypatch):
        handle = EmbeddedPostgres(server_folder, durable=False)
        monkeypatch.setattr("windlass.warehouse.embedded.launch.refuse_taken_port", lambda listen, port: None)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(PortTakenError, match=str(port)):
                EmbeddedPostgres(server_folder, port=port, durable=False).start()
            (server_folder / "port").write_text(str(port))
            monkeypatch.setattr("windlass.warehouse.embedded.launch._FREE_PORT_TRIES", 2)
            with pytest.raises(PortTakenError):
                handle.start()


class TestCrashes:
    def test_after_a_kill_of_the_server_the_next_start_recovers_what_was_committed(self, server_folder):
        handle = EmbeddedPostgres(server_folder)
        handle.start()
        _fill(handle.dsn())
        killed = handle.pid
        os.kill(killed, signal.SIGKILL)
        assert wait_until(lambda: _gone(killed), timeout=10)
        assert not handle.status().running
        handle.start()
        assert handle.pid != killed
        assert _one(handle.dsn(), "select count(*) from kept") == 1

    def test_a_backend_that_outlives_its_server_does_not_stop_the_next_start(self, server):
        with psycopg.connect(server.dsn(), autocommit=True) as busy:
            backend = busy.info.backend_pid
            # A stopped process cannot notice that its server is gone; so it keeps the shared memory.
            os.kill(backend, signal.SIGSTOP)
            os.kill(server.pid, signal.SIGKILL)
            begun = time.monotonic()
            server.start()
            assert time.monotonic() - begun < 10
        assert _gone(backend)
        assert _one(server.dsn()) == 1

    def test_a_pid_file_that_names_a_stranger_is_not_believed(self, server):
        cluster = server.status().cluster_dir
        text = (cluster / "postmaster.pid").read_text()
        server.stop()
        # The stranger runs as the server's own account, which is what the server itself would be fooled by.
        owner = cluster.stat()
        stranger = subprocess.Popen(["sleep", "600"], user=owner.st_uid if os.geteuid() == 0 else None)
        try:
            (cluster / "postmaster.pid").write_text(text.replace(text.splitlines()[0], str(stranger.pid), 1))
            assert not server.status().running
            server.start()
            assert _one(server.dsn()) == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_a_broken_pid_file_is_cleared_away(self, server):
        cluster = server.status().cluster_dir
        server.stop()
        (cluster / "postmaster.pid").write_text("")
        server.start()
        assert _one(server.dsn()) == 1

    def test_stale_socket_files_are_cleared_away(self, server):
        found = server.status()
        lock = found.socket_dir / f".s.PGSQL.{found.port}.lock"
        text = lock.read_text()
        server.stop()
        lock.write_text(text.replace(text.splitlines()[0], str(os.getppid()), 1))
        server.start()
        assert _one(server.dsn(over_socket=True)) == 1

    def test_a_starter_killed_during_initdb_leaves_nothing_that_hinders(self, server_folder):
        (server_folder / "cluster.new" / "base").mkdir(parents=True)
        (server_folder / "cluster.new" / "PG_VERSION").write_text("18\n")
        server_folder.chmod(0o711)
        handle = EmbeddedPostgres(server_folder, durable=False)
        handle.start()
        assert _one(handle.dsn()) == 1

    def test_a_server_that_cannot_start_tells_why(self, server):
        server.stop()
        (server.status().cluster_dir / "global" / "pg_control").write_bytes(b"")
        with pytest.raises(StartFailedError, match=r"ended while starting: .*pg_control") as caught:
            server.start()
        assert "server.log" in caught.value.advice

    def test_a_server_that_is_not_ready_in_time_is_told(self, server, server_folder):
        os.kill(server.pid, signal.SIGSTOP)
        pid_file = server.status().cluster_dir / "postmaster.pid"
        try:
            pid_file.write_text(pid_file.read_text().replace("ready   ", "starting"))
            with pytest.raises(StartFailedError, match=r"is not ready after 0\.05 s"):
                EmbeddedPostgres(server_folder, timeout=0.05).start()
        finally:
            pid_file.write_text(pid_file.read_text().replace("starting", "ready   "))
            os.kill(server.pid, signal.SIGCONT)

    def test_one_that_is_shutting_down_is_waited_for_and_started_anew(self, server):
        old = server.pid
        with psycopg.connect(server.dsn(), autocommit=True):
            os.kill(old, signal.SIGTERM)  # smart shutdown: it waits for the session to end
            pid_file = server.status().cluster_dir / "postmaster.pid"
            assert wait_until(lambda: "stopping" in pid_file.read_text(), timeout=10)
            assert not server.status().running
        server.start()
        assert server.pid != old
        assert _one(server.dsn()) == 1


class TestFailingAfterTheLaunch:
    def test_when_the_first_connection_fails_the_server_is_stopped_again(self, server, server_folder):
        server.stop()
        kept = (server_folder / "pgpass").read_text()
        (server_folder / "pgpass").write_text("*:*:*:windlass:wrong\n")
        with pytest.raises(AuthenticationError):
            server.start()
        assert _processes_of(server_folder) == []
        assert not server.started_here
        (server_folder / "pgpass").write_text(kept)
        server.start()
        assert _one(server.dsn()) == 1

    def test_a_server_that_is_not_ready_in_time_is_stopped_again(self, server, server_folder):
        server.stop()
        with pytest.raises(StartFailedError, match="is not ready after") as caught:
            EmbeddedPostgres(server_folder, durable=False, timeout=0.0001).start()
        assert _processes_of(server_folder) == []
        assert "more time" in caught.value.advice
        server.start()
        assert _one(server.dsn()) == 1

    def test_an_interrupt_while_connecting_stops_the_server_again(self, server, server_folder, start_python):
        with connect(server.dsn(), autocommit=True) as connection:
            connection.execute("alter system set pre_auth_delay = '8s'")
        server.stop()
        code = (
            "import sys\nfrom windlass.warehouse.embedded import EmbeddedPostgres\n"
            "EmbeddedPostgres(sys.argv[1], durable=False).start()"
        )
        process = start_python(code, server_folder)
        assert wait_until(lambda: server.status().running, timeout=60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert _processes_of(server_folder) == []


class TestLiveness:
    def test_a_process_without_a_command_line_yet_is_not_taken_for_dead(self, tmp_path):
        process = subprocess.Popen(
            [sys.executable, "-c", HIDES_ITS_ARGUMENTS], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout.readline() == "hidden\n"
            assert Path(f"/proc/{process.pid}/cmdline").read_bytes().strip(b"\0") == b""
            assert is_alive(process.pid, tmp_path)
        finally:
            process.kill()
            process.stdout.close()
        # Until it is waited for it is a zombie: its command line is empty still.
        assert wait_until(lambda: not is_alive(process.pid, tmp_path), timeout=10)
        process.wait()
        assert not is_alive(process.pid, tmp_path)

    def test_a_stranger_is_not_taken_for_the_server(self, tmp_path):
        assert not is_alive(os.getpid(), tmp_path)


class TestFolders:
    def test_what_is_in_the_way_is_not_deleted(self, server_folder):
        (server_folder / "cluster").mkdir(parents=True)
        (server_folder / "cluster" / "thesis.txt").write_text("mine")
        with pytest.raises(EmbeddedError, match="in the way"):
            EmbeddedPostgres(server_folder).start()
        assert (server_folder / "cluster" / "thesis.txt").exists()
        (server_folder / "cluster" / "thesis.txt").unlink()

    def test_the_data_directory_of_another_server_is_refused(self, server_folder):
        server_folder.mkdir()
        (server_folder / "PG_VERSION").write_text("15\n")
        try:
            with pytest.raises(EmbeddedError, match="is itself the data directory"):
                EmbeddedPostgres(server_folder).start()
        finally:
            (server_folder / "PG_VERSION").unlink()

    def test_data_of_another_version_is_refused(self, server):
        server.stop()
        (server.status().cluster_dir / "PG_VERSION").write_text("14\n")
        with pytest.raises(EmbeddedError, match="is PostgreSQL 14's"):
            server.start()

    def test_a_lost_password_file_is_told_and_nothing_is_deleted(self, server, server_folder):
        server.stop()
        kept = (server_folder / "pgpass").read_text()
        (server_folder / "pgpass").unlink()
        with pytest.raises(EmbeddedError, match="pgpass is missing"):
            server.start()
        (server_folder / "pgpass").write_text(kept)
        (server_folder / "pgpass").chmod(0o600)
        server.start()
        assert _one(server.dsn()) == 1

    def test_a_socket_folder_that_others_can_enter_is_refused(self, server):
        found = server.status()
        server.stop()
        found.socket_dir.chmod(0o777)
        with pytest.raises(EmbeddedError, match="not this server's private folder"):
            server.start()

    def test_destroying_stops_it_and_leaves_no_data(self, server, server_folder):
        pid = server.pid
        server.destroy()
        assert _gone(pid)
        assert [path.name for path in server_folder.iterdir()] == ["lock"]
        server.destroy()
        server.start()
        assert _one(server.dsn()) == 1

    def test_a_failing_initdb_is_told_and_leaves_nothing(self, server_folder, tmp_path):
        source = find_binaries().prefix
        broken = server_folder.parent / "pg"
        (broken / "bin").mkdir(parents=True)
        broken.chmod(0o755)
        (broken / "bin").chmod(0o755)
        for name in ("initdb", "postgres"):
            (broken / "bin" / name).write_bytes((source / "bin" / name).read_bytes())
            (broken / "bin" / name).chmod(0o755)
        handle = EmbeddedPostgres(server_folder / "data", prefix=broken)  # it lacks its share folder
        with pytest.raises(EmbeddedError, match="initdb could not create a cluster"):
            handle.start()
        assert sorted(path.name for path in (server_folder / "data").iterdir()) == ["lock"]

    def test_a_long_log_makes_room_for_a_new_one(self, server, monkeypatch):
        log = server.status().log
        server.stop()
        monkeypatch.setattr("windlass.warehouse.embedded.cluster._LOG_LIMIT", 10)
        server.start()
        assert log.with_suffix(".log.1").exists()
        assert log.exists()


class TestBinaries:
    def test_a_folder_without_postgres_is_refused(self, tmp_path):
        with pytest.raises(EmbeddedError, match="no PostgreSQL in"):
            find_binaries(tmp_path)

    def test_a_missing_extra_is_named(self, monkeypatch):
        monkeypatch.setattr("windlass.warehouse.embedded.binaries.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match="'embedded'") as caught:
            find_binaries()
        assert "windlass-warehouse[embedded]" in caught.value.advice

    def test_the_newest_version_is_taken(self):
        assert find_binaries().version >= 18

    @pytest.mark.parametrize("prefix", INSTALLED, ids=lambda prefix: prefix.name)
    def test_server_and_schema_run_on_every_installed_version(self, server_folder, prefix):
        handle = EmbeddedPostgres(server_folder, prefix=prefix, durable=False)
        handle.start()
        assert migrate(handle.dsn())
        assert migrate(handle.dsn()) == ()
        assert _one(handle.dsn(over_socket=True), "select ops.is_valid_input('12x', 'integer')") is False


class TestDatabases:
    def test_a_database_is_created_once_even_by_two_at_once(self, server, server_folder, start_python):
        code = (
            "import sys\nfrom windlass.warehouse.embedded import EmbeddedPostgres\nsys.stdin.readline()\n"
            "print(EmbeddedPostgres(sys.argv[1]).create_database('a \"b\"'))"
        )
        both = [start_python(code, server_folder) for _ in range(2)]
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60) for process in both]
        assert sorted(out.strip() for out, _ in answers) == ["False", "True"], answers
        assert _one(server.dsn('a "b"'), "select current_database()") == 'a "b"'


AS_A_USER = """
import json, os, signal, sys
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.embedded.account import Account, may_execute
from windlass.warehouse.embedded.process import is_alive, wait_until
from windlass.warehouse.connection import connect
folder, warm_up = sys.argv[1:]
with connect(warm_up) as connection:  # loads all that this needs, while the interpreter can still be read
    connection.execute("select 1")
"localhost".encode("idna")
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
server = EmbeddedPostgres(folder, durable=False)
server.start()
with connect(server.dsn(over_socket=True)) as connection:
    connection.execute("create table kept (id integer)")
first = server.pid
os.kill(first, signal.SIGKILL)
server.start()
with connect(server.dsn()) as connection:
    rows = connection.execute("select count(*) from kept").fetchone()[0]
owners = {os.stat(f"/proc/{server.pid}").st_uid, os.stat(server.status().cluster_dir).st_uid}
found = {"restarted": server.pid != first, "rows": rows, "uid": os.geteuid(), "owners": sorted(owners)}
print(json.dumps(found))
server.destroy()
"""


def _copy_wheel(folder: Path) -> Path:
    """Copy what the extra installs, as it lies in a virtual environment; returns the new prefix."""
    prefix = find_binaries().prefix
    package = prefix.parent
    for part in (prefix, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.relative_to(package.parent))
    return folder / prefix.relative_to(package.parent)


class TestAccounts:
    def test_an_ordinary_user_runs_it_as_themselves(self, server_folder, warehouse_server, start_python):
        server_folder.mkdir()
        if os.geteuid() == 0:
            os.chown(server_folder, 65534, 65534)
        process = start_python(AS_A_USER, server_folder, warehouse_server.dsn())
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        found = json.loads(out)
        assert found["uid"] != 0
        assert found == {"restarted": True, "rows": 0, "uid": found["uid"], "owners": [found["uid"]]}

    @as_root_only
    def test_root_runs_it_as_an_unprivileged_account(self, server):
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner != 0
        assert server.status().cluster_dir.stat().st_uid == owner
        assert (server.data_dir / "pgpass").stat().st_uid == 0

    @as_root_only
    def test_root_names_the_account(self, server_folder):
        handle = EmbeddedPostgres(server_folder, account="nobody", durable=False)
        handle.start()
        assert Path(f"/proc/{handle.pid}").stat().st_uid == 65534

    @as_root_only
    def test_an_existing_cluster_is_run_by_its_owner(self, server_folder):
        EmbeddedPostgres(server_folder, account="nobody", durable=False).start()
        EmbeddedPostgres(server_folder).stop()
        later = EmbeddedPostgres(server_folder, account="daemon")
        later.start()
        assert Path(f"/proc/{later.pid}").stat().st_uid == 65534

    @as_root_only
    @pytest.mark.parametrize("name", ["no-such-account", "root"])
    def test_an_account_of_no_use_is_refused(self, server_folder, name):
        with pytest.raises(EmbeddedError, match=f"there is no account {name}"):
            EmbeddedPostgres(server_folder, account=name).start()

    @as_root_only
    def test_below_a_private_folder_the_data_lies_in_the_system_folder(self, server_folder):
        private = server_folder.parent / "root"
        private.mkdir(mode=0o700)
        system = server_folder.parent / "system"
        handle = EmbeddedPostgres(private / "pg", system_dir=system, durable=False)
        handle.start()
        try:
            cluster = handle.status().cluster_dir
            assert cluster.parent == system
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
            assert stat.S_IMODE(cluster.stat().st_mode) == 0o700
            assert (cluster / "windlass-data-folder").read_text() == f"{private / 'pg'}\n"
            _fill(handle.dsn())
            handle.stop()
            private.chmod(0o755)  # opened later: the data stays where it is
            handle.start()
            assert _one(handle.dsn(over_socket=True), "select count(*) from kept") == 1
            assert handle.status().cluster_dir == cluster
        finally:
            handle.destroy()
        assert [path.name for path in system.iterdir() if path.name.startswith("cluster")] == []

    @as_root_only
    def test_a_deleted_data_folder_takes_its_data_with_it(self, server_folder):
        private = server_folder.parent / "root"
        private.mkdir(mode=0o700)
        handle = EmbeddedPostgres(private / "pg", system_dir=server_folder.parent / "system", durable=False)
        handle.start()
        old = handle.pid
        _fill(handle.dsn())
        shutil.rmtree(private / "pg")
        handle.start()
        try:
            assert _gone(old)
            assert _one(handle.dsn(), "select to_regclass('kept') is null") is True
        finally:
            handle.destroy()

    @as_root_only
    def test_binaries_below_a_private_folder_are_brought_within_reach(self, server_folder):
        private = server_folder.parent / "root"
        private.mkdir(mode=0o700)
        prefix = _copy_wheel(private)
        system = server_folder.parent / "system"
        handle = EmbeddedPostgres(server_folder, prefix=prefix, system_dir=system, durable=False)
        handle.start()
        assert Path(f"/proc/{handle.pid}/exe").readlink().is_relative_to(system)
        handle.stop()
        before = sorted(path.name for path in system.iterdir())
        handle.start()
        assert sorted(path.name for path in system.iterdir()) == before

    @as_root_only
    def test_binaries_that_only_root_may_execute_are_copied_and_stay_as_they_are(self, server_folder):
        closed = _copy_wheel(server_folder.parent / "wheel")
        for path in (closed / "bin").iterdir():
            path.chmod(0o700)
        handle = EmbeddedPostgres(
            server_folder, prefix=closed, system_dir=server_folder.parent / "system", durable=False
        )
        handle.start()
        assert _one(handle.dsn()) == 1
        assert stat.S_IMODE((closed / "bin" / "postgres").stat().st_mode) == 0o700

    @as_root_only
    def test_when_nothing_is_within_reach_it_says_so(self, server_folder, tmp_path):
        tmp_path.chmod(0o700)
        handle = EmbeddedPostgres(server_folder, prefix=_copy_wheel(tmp_path), system_dir=tmp_path / "system")
        with pytest.raises(EmbeddedError, match="can reach neither"):
            handle.start()

    @as_root_only
    def test_another_users_cluster_is_refused(self, server_folder, warehouse_server, start_python):
        EmbeddedPostgres(server_folder, account="daemon", durable=False).start()
        for reason in ("cannot be used: Permission denied", "belongs to user daemon"):
            process = start_python(AS_A_USER, server_folder, warehouse_server.dsn())
            _, err = process.communicate(timeout=120)
            assert process.returncode == 1
            assert reason in err
            server_folder.chmod(0o777)
            (server_folder / "lock").chmod(0o666)

    def test_a_file_in_place_of_the_folder_is_refused(self, server_folder):
        file = server_folder.with_name("file")
        file.write_text("")
        with pytest.raises(EmbeddedError, match=f"The folder {file} cannot be used"):
            EmbeddedPostgres(file).start()


@pytest.mark.parametrize(
    ("mode", "owner", "group", "allowed"),
    [
        (0o700, 7, 7, True),
        (0o077, 7, 7, False),
        (0o070, 1, 7, True),
        (0o707, 1, 7, False),
        (0o701, 1, 1, True),
        (0o776, 1, 1, False),
    ],
)
def test_the_one_class_of_the_mode_that_applies_decides(mode, owner, group, allowed):
    status = os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert may_execute(status, Account(uid=7, gid=7)) is allowed

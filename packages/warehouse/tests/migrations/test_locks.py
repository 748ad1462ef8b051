"""One migrator at a time, no wait without an end, and nothing half done when one dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.errors import MigrationFailedError, MigrationLockedError
from windlass.warehouse.migrations import Migration, MigrationState, load_migrations, migrate, status
from windlass.warehouse.migrations.locks import ADVISORY_LOCK
from windlass.warehouse.testing.server import WarehouseDatabase

KNOWN = load_migrations()


def _extra(sql: str) -> tuple[Migration, ...]:
    return (*KNOWN, Migration(version=9000, name="9000_ops_extra", group="ops", sql=sql))


MIGRATOR = """
import sys
from windlass.warehouse.migrations import migrate
sys.stdin.readline()
print(len(migrate(sys.argv[1])))
"""


KILLED = """
import sys
from windlass.warehouse.migrations import migrate
migrate(sys.argv[1], folders=[sys.argv[2]])
"""


def _await_migrator(database, condition):
    query = (
        "select pid from pg_stat_activity where datname = current_database() "
        f"and application_name = 'windlass-warehouse migrate' and {condition}"
    )
    deadline = time.monotonic() + 30
    with database.connect(autocommit=True) as connection:
        while not (found := connection.execute(query).fetchall()):
            assert time.monotonic() < deadline
    return found[0][0]


@pytest.mark.integration
class TestConcurrency:
    def test_two_migrators_at_once_apply_everything_once(self, empty, start_python):
        both = [start_python(MIGRATOR, empty.dsn) for _ in range(2)]
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60) for process in both]
        assert [process.returncode for process in both] == [0, 0], answers
        assert sorted(int(out) for out, _ in answers) == [0, len(KNOWN)]
        assert {each.state for each in status(empty.dsn)} == {MigrationState.APPLIED}

    def test_who_holds_the_lock_is_named_when_the_wait_is_over(self, empty):
        with connect(empty.dsn, application_name="stuck deployment") as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            pid = holder.info.backend_pid
            with pytest.raises(MigrationLockedError, match=rf"pid {pid} \(stuck deployment, user") as caught:
                migrate(empty.dsn, lock_wait=0.05)
            assert len(caught.value.holders) == 1

    def test_a_lock_in_another_database_is_no_hindrance(self, empty, warehouse):
        with warehouse.connect() as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            assert len(migrate(empty.dsn, lock_wait=0.05)) == len(KNOWN)

    def test_the_lock_is_free_after_a_failure(self, empty):
        with pytest.raises(MigrationFailedError):
            migrate(empty.dsn, migrations=_extra("select 1 / 0"))
        assert migrate(empty.dsn, lock_wait=0.05) == ()

    def test_a_table_in_use_is_waited_for_with_an_end(self, warehouse):
        change = _extra("alter table ops.loaded_file add column size bigint;")
        with warehouse.connect() as reader:
            reader.execute("select count(*) from ops.loaded_file")
            with pytest.raises(MigrationLockedError, match=r"9000_ops_extra waited 0\.05 s for a table"):
                migrate(warehouse.dsn, lock_timeout=0.05, migrations=change)
        assert [each.name for each in migrate(warehouse.dsn, migrations=change)] == ["9000_ops_extra"]

    def test_who_uses_the_table_and_since_when_is_named(self, warehouse):
        change = _extra("alter table ops.loaded_file add column size bigint;")
        with connect(warehouse.dsn, application_name="nightly load") as load:
            load.execute("select count(*) from ops.loaded_file")
            pid = load.info.backend_pid
            expected = (
                rf"pid {pid} \(nightly load, user \w+, .*; idle in a transaction since "
                r"[-\d]+ [:\d]+ UTC\) holds ops\.loaded_file"
            )
            with pytest.raises(MigrationLockedError, match=expected) as caught:
                migrate(warehouse.dsn, lock_timeout=0.6, migrations=change)
        assert len(caught.value.holders) == 1

    def test_a_waiting_migration_starts_when_the_load_has_ended(self, warehouse):
        change = _extra("alter table ops.loaded_file add column size bigint;")
        with warehouse.connect() as load:
            load.execute("lock table ops.loaded_file in row exclusive mode")
            with ThreadPoolExecutor() as pool:
                waiting = pool.submit(migrate, warehouse.dsn, lock_timeout=60, migrations=change)
                _await_migrator(warehouse, "wait_event_type = 'Lock'")
                load.commit()
                assert [each.name for each in waiting.result(timeout=30)] == ["9000_ops_extra"]

    @pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
    def test_after_kill_9_or_ctrl_c_nothing_is_half_done_and_the_next_run_succeeds(
        self, warehouse, make_folder, start_python, signal_number
    ):
        slow = "create schema sales; create table sales.half (a integer); select pg_sleep(20);"
        folder = make_folder(v0001_sales="create schema before", v0002_sales=slow)
        process = start_python(KILLED, warehouse.dsn, folder)
        backend = _await_migrator(warehouse, "wait_event = 'PgSleep'")
        process.send_signal(signal_number)
        process.wait(timeout=30)
        # The server notices a dead client when it next writes to it, or here because it is told.
        with warehouse.connect(autocommit=True) as killer:
            killer.execute("select pg_terminate_backend(%s, 10000)", (backend,))
            assert killer.execute("select to_regnamespace('sales')").fetchone() == (None,)
        make_folder(v0002_sales="create schema sales")
        done = migrate(warehouse.dsn, folders=[folder], lock_wait=0.05)
        assert [each.title for each in done] == ["sales/0002_sales"]

    def test_when_the_server_is_killed_the_error_is_clear_and_the_next_run_goes_on(
        self, server_folder, make_folder
    ):
        folder = make_folder(v0001_sales="create schema sales", v0002_sales="select pg_sleep(60)")
        server = EmbeddedPostgres(server_folder, system_dir=server_folder.parent / "system")
        with server, ThreadPoolExecutor() as pool:
            database = WarehouseDatabase("postgres", server.dsn())
            migrating = pool.submit(migrate, database.dsn, folders=[folder], only={"ops", "sales"})
            _await_migrator(database, "wait_event = 'PgSleep'")
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(
                MigrationFailedError, match="connection broke while migration sales/0002"
            ) as caught:
                migrating.result(timeout=60)
            assert "migrate goes on from there" in caught.value.advice
            server.start()
            states = {each.title: each.state for each in status(server.dsn(), folders=[folder])}
            assert states["sales/0001_sales"] is MigrationState.APPLIED
            assert states["sales/0002_sales"] is MigrationState.PENDING
            make_folder(v0002_sales="select 1")
            done = migrate(server.dsn(), folders=[folder], only={"ops", "sales"})
            assert [each.title for each in done] == ["sales/0002_sales"]

    def test_a_migrator_that_is_killed_leaves_nothing_half_done(self, warehouse):
        slow = _extra("create table ops.half (a integer); select pg_sleep(600);")
        failures = []

        def run():
            try:
                migrate(warehouse.dsn, migrations=slow)
            except MigrationFailedError as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        with warehouse.connect(autocommit=True) as killer:
            find = (
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and application_name = 'windlass-warehouse migrate' and wait_event = 'PgSleep'"
            )
            while not killer.execute(find).fetchall():
                assert thread.is_alive()
            thread.join(timeout=30)
            assert "The connection broke while migration 9000_ops_extra was applied: terminat" in str(
                failures[0]
            )
            assert "status tells" in failures[0].advice
            assert killer.execute("select to_regclass('ops.half')").fetchone() == (None,)
        assert migrate(warehouse.dsn, lock_wait=1) == ()

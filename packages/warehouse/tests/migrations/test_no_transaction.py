"""Migrations outside a transaction: done or not done, and what a stopped one left is told and mended."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from windlass.warehouse.errors import (
    MigrationFailedError,
    MigrationLockedError,
    MigrationUnfinishedError,
)
from windlass.warehouse.migrations import MigrationState, migrate, status

pytestmark = pytest.mark.integration

TABLE = "create schema sales; create table sales.orders (id bigint primary key, code text);"
INDEX = "-- windlass: no-transaction\ncreate index concurrently orders_code on sales.orders (code);\n"
UNIQUE = INDEX.replace("create index", "create unique index")


def _states(dsn, folder):
    found = status(dsn, folders=[folder])
    return {each.name: each.state.value for each in found if each.collection == "sales"}


def _indexes(connection):
    query = (
        "select indexrelid::regclass::text, indisvalid from pg_index "
        "where indrelid = 'sales.orders'::regclass and not indisprimary"
    )
    return dict(connection.execute(query).fetchall())


@pytest.fixture
def orders(warehouse, make_folder):
    """A warehouse with a team's table, and its folder, in which an index is to be made concurrently."""
    folder = make_folder(v0001_sales=TABLE)
    migrate(warehouse.dsn, folders=[folder])
    make_folder(v0002_sales_index=INDEX)
    return warehouse, folder


@pytest.fixture
def duplicates(orders):
    """The same, the index unique and the rows not."""
    warehouse, folder = orders
    (folder / "0002_sales_index.sql").write_text(UNIQUE)
    with warehouse.connect() as connection:
        connection.execute("insert into sales.orders values (1, 'a'), (2, 'a')")
    return warehouse, folder


class TestRunning:
    def test_an_index_is_made_concurrently_and_noted(self, orders):
        warehouse, folder = orders
        assert [each.title for each in migrate(warehouse.dsn, folders=[folder])] == ["sales/0002_sales_index"]
        assert migrate(warehouse.dsn, folders=[folder]) == ()
        with warehouse.connect() as connection:
            assert _indexes(connection) == {"sales.orders_code": True}

    def test_without_the_directive_postgresql_refuses(self, orders):
        warehouse, folder = orders
        (folder / "0002_sales_index.sql").write_text(INDEX.partition("\n")[2])
        with pytest.raises(MigrationFailedError, match="cannot run inside a transaction block"):
            migrate(warehouse.dsn, folders=[folder])

    def test_an_error_leaves_nothing_in_the_ledger_and_a_mended_file_runs(self, orders):
        warehouse, folder = orders
        (folder / "0002_sales_index.sql").write_text(INDEX.replace("(code)", "(colour)"))
        with pytest.raises(MigrationFailedError, match='"colour" does not exist'):
            migrate(warehouse.dsn, folders=[folder])
        assert _states(warehouse.dsn, folder)["0002_sales_index"] == "pending"
        (folder / "0002_sales_index.sql").write_text(INDEX)
        assert len(migrate(warehouse.dsn, folders=[folder])) == 1

    def test_an_index_without_a_name_is_refused(self, orders):
        warehouse, folder = orders
        (folder / "0002_sales_index.sql").write_text(INDEX.replace("orders_code ", ""))
        with pytest.raises(MigrationFailedError, match="an index without a name"):
            migrate(warehouse.dsn, folders=[folder])

    def test_two_migrators_at_once_make_one_index_without_a_deadlock(self, orders, start_python):
        warehouse, folder = orders
        code = (
            "import sys; from windlass.warehouse.migrations import migrate; sys.stdin.readline()\n"
            "print(len(migrate(sys.argv[1], folders=[sys.argv[2]])))"
        )
        both = [start_python(code, warehouse.dsn, folder) for _ in range(2)]
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60) for process in both]
        assert sorted(out.strip() for out, _ in answers) == ["0", "1"], answers

    def test_a_waiting_migrator_does_not_keep_the_index_waiting(self, orders):
        warehouse, folder = orders
        with warehouse.connect() as writer:
            writer.execute("insert into sales.orders values (1, 'a')")
            first = threading.Thread(
                target=migrate, args=[warehouse.dsn], kwargs={"folders": [folder], "lock_timeout": 60}
            )
            first.start()
            _await_backend(warehouse, "migrate", "wait_event_type = 'Lock'")
            second = threading.Thread(target=migrate, args=[warehouse.dsn], kwargs={"folders": [folder]})
            second.start()
            _await_backend(warehouse, "migrate", "query like '%try_advisory_lock%'")
        first.join(timeout=30)
        second.join(timeout=30)
        assert not first.is_alive()
        assert not second.is_alive()
        assert _states(warehouse.dsn, folder)["0002_sales_index"] == "applied"


class TestLeftovers:
    def test_an_invalid_index_is_named_with_the_way_to_mend_and_then_the_next_run_works(self, duplicates):
        warehouse, folder = duplicates
        with pytest.raises(MigrationUnfinishedError, match="could not create unique index") as caught:
            migrate(warehouse.dsn, folders=[folder])
        assert caught.value.leftovers == ("sales.orders_code",)
        assert "drop index concurrently sales.orders_code;" in caught.value.advice
        with pytest.raises(MigrationUnfinishedError, match="cannot run: an earlier run was stopped half way"):
            migrate(warehouse.dsn, folders=[folder])
        with warehouse.connect(autocommit=True) as connection:
            connection.execute("drop index concurrently sales.orders_code")
            connection.execute("delete from sales.orders where id = 2")
            migrate(warehouse.dsn, folders=[folder])
            assert _indexes(connection) == {"sales.orders_code": True}

    def test_if_not_exists_does_not_take_an_invalid_index_for_done(self, duplicates):
        warehouse, folder = duplicates
        text = UNIQUE.replace("concurrently", 'concurrently -- "quoted"\n  if not exists')
        (folder / "0002_sales_index.sql").write_text(text)
        for _ in range(2):
            with pytest.raises(MigrationUnfinishedError):
                migrate(warehouse.dsn, folders=[folder])
        assert _states(warehouse.dsn, folder)["0002_sales_index"] == "pending"

    def test_what_waits_too_long_is_told_with_who_held_it(self, orders):
        warehouse, folder = orders
        with warehouse.connect() as writer:
            writer.execute("insert into sales.orders values (1, 'a')")
            holder = rf"lock timeout: pid {writer.info.backend_pid} \(windlass-test, user .* since \d{{4}}-"
            with pytest.raises(MigrationUnfinishedError, match=holder):
                migrate(warehouse.dsn, folders=[folder], lock_timeout=0.5)


def _await_backend(database, application, condition):
    query = (
        "select pid from pg_stat_activity where datname = current_database() "
        f"and application_name = 'windlass-warehouse {application}' and {condition}"
    )
    deadline = time.monotonic() + 30
    with database.connect(autocommit=True) as connection:
        while not (found := connection.execute(query).fetchall()):
            assert time.monotonic() < deadline
    return found[0][0]


class TestKilled:
    def _kill(self, warehouse, folder, start_python, condition, *, number=signal.SIGKILL):
        code = (
            "import sys; from windlass.warehouse.migrations import migrate\n"
            "migrate(sys.argv[1], folders=[sys.argv[2]], lock_timeout=60)"
        )
        process = start_python(code, warehouse.dsn, folder)
        backend = _await_backend(warehouse, "migrate", condition)
        process.send_signal(number)
        process.wait(timeout=30)
        return backend

    def test_after_kill_9_the_server_finishes_the_index_and_the_next_run_notes_it(self, orders, start_python):
        warehouse, folder = orders
        with warehouse.connect() as writer:
            writer.execute("insert into sales.orders values (1, 'a')")
            self._kill(warehouse, folder, start_python, "wait_event_type = 'Lock'")
            with pytest.raises(MigrationLockedError, match="windlass-warehouse migrate"):
                migrate(warehouse.dsn, folders=[folder], lock_wait=0.05)
            assert _states(warehouse.dsn, folder)["0002_sales_index"] == "unfinished"
        done = migrate(warehouse.dsn, folders=[folder])
        assert [(each.title, each.state) for each in done] == [
            ("sales/0002_sales_index", MigrationState.APPLIED)
        ]
        with warehouse.connect() as connection:
            assert _indexes(connection) == {"sales.orders_code": True}

    def test_after_ctrl_c_the_invalid_index_is_told(self, orders, start_python):
        warehouse, folder = orders
        with warehouse.connect() as writer:
            writer.execute("insert into sales.orders values (1, 'a')")
            self._kill(warehouse, folder, start_python, "wait_event_type = 'Lock'", number=signal.SIGINT)
            assert _states(warehouse.dsn, folder)["0002_sales_index"] == "unfinished"
            with pytest.raises(MigrationUnfinishedError, match=r"invalid: sales\.orders_code"):
                migrate(warehouse.dsn, folders=[folder])

    def test_after_the_server_s_session_ended_too_the_invalid_index_is_told(self, orders, start_python):
        warehouse, folder = orders
        with warehouse.connect() as writer, warehouse.connect(autocommit=True) as killer:
            writer.execute("insert into sales.orders values (1, 'a')")
            backend = self._kill(warehouse, folder, start_python, "wait_event_type = 'Lock'")
            killer.execute("select pg_terminate_backend(%s, 10000)", (backend,))
        with pytest.raises(MigrationUnfinishedError, match=r"invalid: sales\.orders_code"):
            migrate(warehouse.dsn, folders=[folder])
        with warehouse.connect(autocommit=True) as connection:
            connection.execute("drop index concurrently sales.orders_code")
        assert len(migrate(warehouse.dsn, folders=[folder])) == 1

    def test_a_connection_that_breaks_is_told_with_what_the_server_may_still_do(self, orders):
        warehouse, folder = orders
        with warehouse.connect() as writer, warehouse.connect(autocommit=True) as killer:
            writer.execute("insert into sales.orders values (1, 'a')")
            with ThreadPoolExecutor() as pool:
                migrating = pool.submit(migrate, warehouse.dsn, folders=[folder], lock_timeout=60)
                backend = _await_backend(warehouse, "migrate", "wait_event_type = 'Lock'")
                killer.execute("select pg_terminate_backend(%s, 10000)", (backend,))
                with pytest.raises(MigrationFailedError, match="broke while migration sales/0002") as caught:
                    migrating.result(timeout=30)
        assert "the server may still finish it" in caught.value.advice

    def test_a_text_edited_after_it_was_begun_is_not_taken_for_done(self, orders, start_python):
        warehouse, folder = orders
        with warehouse.connect() as writer:
            writer.execute("insert into sales.orders values (1, 'a')")
            self._kill(warehouse, folder, start_python, "wait_event_type = 'Lock'")
        (folder / "0002_sales_index.sql").write_text(INDEX.replace("(code)", "(id, code)"))
        with pytest.raises(MigrationFailedError, match="already exists"):
            migrate(warehouse.dsn, folders=[folder])

"""A try that was given up cannot write: two live writers, and one that hangs in its commit."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from windlass.warehouse.embedded.process import wait_until
from windlass.warehouse.errors import FencedError, LoadError, PermissionDeniedError
from windlass.warehouse.fence import hold_fence, take_fence, writing
from windlass.warehouse.generation import take_generation
from windlass.warehouse.identity import NO_TASK, RunContext

pytestmark = pytest.mark.integration


def attempt(number: int, **changes) -> RunContext:
    """A try whose id is greater than those of the tries before it."""
    ti_id = uuid.UUID(f"0190{number:04x}-0000-7000-8000-000000000000")
    first = RunContext("sales", "manual__1", "load", try_number=number, max_tries=2, ti_id=ti_id)
    return replace(first, **changes)


@pytest.fixture
def connect(warehouse) -> Iterator:
    opened = []

    def connect() -> psycopg.Connection:
        opened.append(warehouse.connect(autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def table(connect) -> psycopg.Connection:
    connection = connect()
    connection.execute("create table public.written (by text)")
    return connection


def rows(connection) -> list[str]:
    return [by for (by,) in connection.execute("select by from public.written order by 1")]


def test_a_zombies_late_write_is_refused_by_the_database(table, connect):
    zombie, later = connect(), connect()
    take_fence(zombie, attempt(1))

    def write_slowly() -> None:
        with writing(zombie, attempt(1)):
            zombie.execute("insert into public.written values ('zombie')")
            # Airflow gives the first try up and starts the second while the first is still at work.
            take_fence(later, attempt(2))
            with writing(later, attempt(2)):
                later.execute("insert into public.written values ('later')")

    with pytest.raises(FencedError, match=r"A later try of sales\.load of run manual__1") as refused:
        write_slowly()
    assert refused.value.identity.task_id == "load"
    assert "Nothing to do" in refused.value.advice
    assert rows(table) == ["later"]
    with pytest.raises(FencedError), writing(zombie, attempt(1)):
        zombie.execute("insert into public.written values ('again')")
    with pytest.raises(FencedError):
        take_fence(zombie, attempt(1))
    assert rows(table) == ["later"]


def test_a_zombie_in_repeatable_read_is_told_the_same(table, connect):
    zombie, later = connect(), connect()
    take_fence(zombie, attempt(1))
    zombie.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def write_slowly() -> None:
        with writing(zombie, attempt(1)):
            zombie.execute("insert into public.written values ('zombie')")
            take_fence(later, attempt(2))

    with pytest.raises(FencedError):
        write_slowly()
    assert rows(table) == []


def test_a_write_whose_commit_has_begun_is_waited_for(table, connect, warehouse, start_python):
    first = connect()
    take_fence(first, attempt(1))
    taking = TAKE.format(number=2, patience=60)
    with first.transaction():
        with writing(first, attempt(1)):
            first.execute("insert into public.written values ('first')")
        process = start_python(taking, warehouse.dsn)
        assert wait_until(lambda: waiting(table), timeout=20)
    assert process.communicate(timeout=30) == ("taken\n", "")
    assert rows(table) == ["first"]


def test_a_try_that_hangs_between_its_lock_and_its_commit_is_ended(table, connect, warehouse, start_python):
    hanging = start_python(HANG, warehouse.dsn)
    assert hanging.stdout.readline() == "holds\n"
    os.kill(hanging.pid, signal.SIGSTOP)
    later = connect()
    take_fence(later, attempt(2), patience=0.2)
    with writing(later, attempt(2)):
        later.execute("insert into public.written values ('later')")
    os.kill(hanging.pid, signal.SIGCONT)
    _, err = hanging.communicate(input="\n", timeout=30)
    assert "terminating connection" in err or "server closed the connection" in err
    assert rows(table) == ["later"]


def test_a_session_with_the_holders_old_process_id_is_left_alone(table, connect):
    """The recorded session ended; its number was given to another one."""
    bystander, blocker, later = connect(), connect(), connect()
    take_fence(blocker, attempt(1))
    table.execute("update ops.task_fence set backend_pid = %s", [bystander.info.backend_pid])
    with blocker.transaction():
        blocker.execute("select from ops.task_fence for share")
        with pytest.raises(LoadError, match=r"has been locked for 0\.2 s by another session") as locked:
            take_fence(later, attempt(2), patience=0.1)
    assert "pg_terminate_backend" in locked.value.advice
    assert bystander.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("privileges", [[], ["pg_read_all_stats"]])
def test_a_role_that_may_not_end_the_other_session_is_told_so(
    privileges, table, connect, warehouse, limited_role
):
    first = connect()
    take_fence(first, attempt(1))
    with first.transaction():
        first.execute("select from ops.task_fence for share")
        with psycopg.connect(limited_role(warehouse.dsn), autocommit=True) as limited:
            role = limited.info.user
            table.execute(f"grant usage on schema ops to {role}")
            table.execute(f"grant select, insert, update on ops.task_fence to {role}")
            for privilege in privileges:
                table.execute(f"grant {privilege} to {role}")
            with pytest.raises(LoadError, match="may not end its session") as refused:
                take_fence(limited, attempt(2), patience=0.1)
        table.execute(f"drop owned by {role}")
    assert "connect as one role" in refused.value.advice


def test_tries_of_other_task_instances_do_not_meet(connect):
    connection = connect()
    take_fence(connection, attempt(9))
    for other in (
        attempt(1, map_index=0),
        attempt(1, task_id="check"),
        attempt(1, run_id="manual__2"),
        attempt(1, dag_id="stock"),
    ):
        take_fence(connection, other)


def test_outside_airflow_there_is_no_fence(table):
    take_fence(table, NO_TASK)
    with writing(table):
        table.execute("insert into public.written values ('script')")
    assert rows(table) == ["script"]
    assert take_generation(table, NO_TASK) == 1
    assert table.execute("select count(*) from ops.task_fence").fetchone() == (0,)


def test_a_warehouse_without_bookkeeping_says_how_to_get_it(warehouse_server):
    with warehouse_server.database() as empty, empty.connect(autocommit=True) as connection:
        for use in (take_fence, take_generation):
            with pytest.raises(LoadError, match="lacks what") as missing:
                use(connection, attempt(1))
            assert "migrate --only ops" in missing.value.advice
        with pytest.raises(LoadError, match="lacks what"), writing(connection, attempt(1)):
            pass


class TestGenerations:
    def take(self, connection, number: int, **changes) -> int:
        return take_generation(connection, attempt(number, **changes))

    def test_a_retry_continues_what_the_try_before_it_began(self, connect):
        connection = connect()
        assert [self.take(connection, number) for number in (1, 2, 3)] == [1, 1, 1]

    def test_the_same_try_is_always_told_the_same(self, connect):
        connection = connect()
        assert [self.take(connection, 1), self.take(connection, 1, max_tries=4)] == [1, 1]

    def test_a_clear_begins_the_next(self, connect):
        """Airflow sets max_tries = try_number + retries when a finished task is cleared."""
        connection = connect()
        self.take(connection, 1)
        assert self.take(connection, 2, max_tries=3) == 2
        assert self.take(connection, 3, max_tries=3) == 2
        assert self.take(connection, 4, max_tries=5) == 3

    def test_a_recreated_run_begins_the_next_though_its_tries_count_from_one(self, connect):
        connection = connect()
        self.take(connection, 1)
        self.take(connection, 2)
        assert self.take(connection, 3, try_number=1) == 2

    def test_a_try_that_was_given_up_takes_none(self, connect):
        connection = connect()
        self.take(connection, 2)
        with pytest.raises(FencedError):
            self.take(connection, 1)
        assert self.take(connection, 2) == 1

    def test_two_tries_at_once_are_told_one_after_the_other(self, connect, warehouse, start_python):
        connection = connect()
        self.take(connection, 1)
        with connection.transaction():
            assert self.take(connection, 2, max_tries=3) == 2
            process = start_python(GENERATION, warehouse.dsn)
            assert wait_until(lambda: waiting(connect()), timeout=20)
        assert process.communicate(timeout=30) == ("3\n", "")


def waiting(connection) -> bool:
    found = connection.execute(
        "select exists (select from pg_locks as l join pg_stat_activity as a using (pid) "
        "where not l.granted and a.datname = current_database())"
    )
    return bool(found.fetchone()[0])


ATTEMPT = """
import sys, uuid, psycopg
from windlass.warehouse.identity import RunContext
def attempt(number, max_tries=2):
    ti_id = uuid.UUID(f"0190{{number:04x}}-0000-7000-8000-000000000000")
    return RunContext("sales", "manual__1", "load", try_number=number, max_tries=max_tries, ti_id=ti_id)
connection = psycopg.connect(sys.argv[1], autocommit=True)
"""
TAKE = (
    ATTEMPT
    + """
from windlass.warehouse.fence import take_fence
take_fence(connection, attempt({number}), patience={patience})
print("taken")
"""
)
HANG = (
    ATTEMPT.replace("{{", "{").replace("}}", "}")
    + """
from windlass.warehouse.fence import hold_fence, take_fence, writing
take_fence(connection, attempt(1))
with connection.transaction():
    with writing(connection, attempt(1)):
        connection.execute("insert into public.written values ('hanging')")
    print("holds")
    sys.stdin.readline()
"""
)
GENERATION = (
    ATTEMPT.replace("{{", "{").replace("}}", "}")
    + """
from windlass.warehouse.generation import take_generation
print(take_generation(connection, attempt(3, max_tries=5)))
"""
)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_roles_isolation_level_costs_no_try_its_fence(table, connect, level):
    """Under these levels PostgreSQL refuses a row that another transaction changed meanwhile."""
    earlier, later = connect(), connect()
    later.execute("select set_config('default_transaction_isolation', %s, false)", [level])
    take_fence(earlier, attempt(1))
    started, outcome = threading.Event(), []

    def take() -> None:
        started.set()
        take_fence(later, attempt(2))
        outcome.append(take_generation(later, attempt(2)))

    with writing(earlier, attempt(1)):
        earlier.execute("insert into public.written values ('first')")
        hold_fence(earlier, attempt(1))
        # Changes the row, which the later try waits for.
        earlier.execute("update ops.task_fence set acquired_at = now()")
        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        query = "select true from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        pid = later.info.backend_pid
        assert wait_until(lambda: table.execute(query, [pid]).fetchone() is not None, timeout=30)
    thread.join(30)
    assert outcome == [1]


def test_a_role_without_privileges_on_the_fences_is_told_which(warehouse, limited_role):
    with psycopg.connect(limited_role(warehouse.dsn), autocommit=True) as connection:
        with pytest.raises(PermissionDeniedError, match="fencing a task") as refused:
            take_fence(connection, attempt(1))
        assert "grant usage on schema ops" in refused.value.advice

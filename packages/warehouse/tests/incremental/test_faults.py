"""What goes down while a load runs: no partial rows, a clear message, and the next run succeeds."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import FencedError, LoadError, WarehouseError
from windlass.warehouse.fence import take_fence
from windlass.warehouse.identity import RunContext

pytestmark = pytest.mark.integration

# Only the read itself is repeatable read: it waits with 899 rows of half a kilobyte on their way.
GATED = """
select * from origin where
case when id = 900 and current_setting('transaction_isolation') = 'repeatable read'
then pg_advisory_lock_shared(815)::text is not null else true end order by id
"""


@pytest.fixture
def gate(play: Any) -> Any:
    """Stops a load in the midst of its read, until it is opened."""
    play.source.execute(
        "insert into origin (id, note) select n, repeat('x', 500) from generate_series(1, 1000) as n"
    )
    holder = play.connect()
    holder.execute("select pg_advisory_lock(815)")
    return holder


def wait_at_gate(play: Any) -> int:
    play.until(
        "select exists (select from pg_locks where locktype = 'advisory' and objid = 815 and not granted)"
    )
    (pid,) = play.warehouse_watch.execute(
        "select pid from pg_locks where locktype = 'advisory' and objid = 815 and not granted"
    ).fetchone()
    return int(pid)


def untouched(play: Any) -> None:
    watch = play.connect()
    assert watch.execute("select count(*) from target").fetchone() == (0,)
    query = "select count(*) from ops.load_watermark where pipeline = %s"
    assert watch.execute(query, [play.schema]).fetchone() == (0,)


def runs_again(play: Any, gate: Any) -> None:
    gate.execute("select pg_advisory_unlock_all()")
    play.source, play.warehouse = play.connect(), play.connect()
    assert play.load().inserted == 1000
    assert play.missing() == []


@pytest.mark.parametrize(
    ("which", "told"), [("source", "terminating connection|closed"), ("warehouse", "broke while")]
)
def test_a_server_that_goes_away(play: Any, gate: Any, which: str, told: str) -> None:
    play.warehouse_watch = play.connect()
    pid = getattr(play, which).info.backend_pid
    loading = play.background(lambda: play.load(sql=GATED))
    wait_at_gate(play)
    play.warehouse_watch.execute("select pg_terminate_backend(%s, 10000)", [pid])
    gate.execute("select pg_advisory_unlock_all()")
    with pytest.raises(LoadError, match=told):
        loading()
    untouched(play)
    runs_again(play, gate)


def test_a_load_that_is_killed(play: Any, gate: Any, start_python: Callable[..., Any]) -> None:
    play.warehouse_watch = play.connect()
    process = start_python(
        "import sys\n"
        "from windlass.warehouse.connection import connect\n"
        "from windlass.warehouse.incremental import incremental_load\n"
        "dsn, schema, sql = sys.argv[1:]\n"
        "with connect(dsn, autocommit=True) as source, connect(dsn, autocommit=True) as warehouse:\n"
        "    source.execute(f'set search_path to {schema}')\n"
        "    incremental_load(warehouse, source=source, table=f'{schema}.target', sql=sql,\n"
        "        watermark='updated_at', key=['id'], pipeline=schema)\n",
        play.database.dsn,
        play.schema,
        GATED,
    )
    wait_at_gate(play)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL
    runs_again(play, gate)


def test_rows_and_watermark_are_committed_together_or_not_at_all(play: Any) -> None:
    play.source.execute("insert into origin values (1)")
    play.warehouse.execute(
        "create function stop() returns trigger language plpgsql as "
        "'begin raise exception ''not this time''; end'; "
        "create constraint trigger stop after insert on target deferrable initially deferred "
        "for each row execute function stop()"
    )
    with pytest.raises(LoadError, match="not this time"):
        play.load()
    untouched(play)
    play.warehouse.execute("drop trigger stop on target")
    assert play.load().inserted == 1


def test_a_try_that_was_given_up_writes_nothing(play: Any) -> None:
    play.source.execute("insert into origin values (1)")
    old, new = (
        RunContext(
            dag_id="d",
            run_id=play.schema,
            task_id="t",
            ti_id=uuid.UUID(int=number << 100 | 7 << 76),
            try_number=1,
        )
        for number in (1, 2)
    )
    take_fence(play.warehouse, old)
    take_fence(play.connect(), new)
    with pytest.raises(FencedError):
        play.load(context=old)
    untouched(play)
    assert play.load(context=new).inserted == 1


def test_errors_tell_what_to_do(play: Any) -> None:
    play.warehouse.execute("create table wrong (id int primary key, updated_at boolean)")
    play.source.execute("insert into origin values (1)")
    with pytest.raises(WarehouseError) as caught:
        play.load(table=f"{play.schema}.wrong", sql="select id, updated_at from origin")
    assert caught.value.advice
    assert "windlass_increment" not in caught.value.message.partition("(")[0]
    assert isinstance(caught.value.__cause__, psycopg.Error)

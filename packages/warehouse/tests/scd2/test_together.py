"""Several at work: two applications of one dimension, a reader meanwhile, a try that was given up."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest

from windlass.warehouse.embedded.process import wait_until
from windlass.warehouse.errors import FencedError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.scd2 import apply_scd2
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

QUERY = "select id, name, grade from play.source"


def wait_for_lock(dim: Any, seconds: float = 20) -> None:
    """Wait until somebody waits for the dimension's lock."""
    waiting = "select count(*) from pg_locks where not granted and relation = 'play.dim'::regclass"
    somebody = wait_until(lambda: dim.connection.execute(waiting).fetchone() != (0,), timeout=seconds)
    assert somebody, "nobody waits"


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_two_applications_take_turns_and_readers_go_on(
    dim: Any, database: WarehouseDatabase, isolation: str
) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    results: list[Any] = []

    def second() -> None:
        with database.connect(autocommit=True) as other:
            other.execute(f"set default_transaction_isolation to '{isolation}'")
            results.append(
                apply_scd2(
                    other,
                    table="play.dim",
                    key=["id"],
                    sql="select 1 as id, 'c' as name, 1 as grade",
                    as_of=dim.day(3),
                )
            )

    worker = threading.Thread(target=second)
    with database.connect(autocommit=True) as first, first.transaction():
        apply_scd2(
            first,
            table="play.dim",
            key=["id"],
            sql="select 1 as id, 'b' as name, 1 as grade",
            as_of=dim.day(5),
        )
        worker.start()
        wait_for_lock(dim)
        assert dim.history() == [(1, "a", 1, None)], "a reader sees the state before, and does not wait"
    worker.join(timeout=20)
    assert results[0].late == 1
    assert dim.history() == [(1, "a", 1, 3), (1, "c", 3, 5), (1, "b", 5, None)]


def test_a_try_that_was_given_up_changes_nothing(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    old = RunContext("d", "r", "t", ti_id=UUID("01900000-0000-7000-8000-000000000001"))
    dim.connection.execute(
        "insert into ops.task_fence (dag_id, run_id, task_id, ti_id, backend_pid, backend_start) values "
        "('d', 'r', 't', '01900000-0000-7000-8000-000000000002', 1, now())"
    )
    try:
        with pytest.raises(FencedError, match="A later try"):
            dim.snapshot(2, [(1, "b", 1)], context=old)
    finally:
        dim.connection.execute("delete from ops.task_fence")
    assert dim.history() == [(1, "a", 1, None)]
    assert dim.connection.execute("select count(*) from ops.scd2_snapshot").fetchone() == (1,)

"""Fencing: a try that Airflow has given up may still live, and must not write any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from windlass.warehouse.errors import FencedError
from windlass.warehouse.identity import NO_TASK, RunContext

__all__ = ["hold_fence", "writing"]

_HOLD = """
select ti_id = %(ti_id)s from ops.task_fence
where dag_id = %(dag_id)s and run_id = %(run_id)s and task_id = %(task_id)s and map_index = %(map_index)s
for share
"""


@contextmanager
def writing(
    connection: psycopg.Connection[Any], context: RunContext = NO_TASK
) -> Iterator[psycopg.Transaction]:
    """A transaction, or a savepoint inside the caller's, that is kept only if its task may still write.

    Every function of this package that writes rows for a task does so inside this. Outside Airflow, and
    for a task that never took a fence, it is `connection.transaction()`.

    Args:
        connection: Connection to the warehouse.
        context: Who writes.

    Raises:
        FencedError: A later try has taken the fence; everything written inside is rolled back.
    """
    with connection.transaction() as transaction:
        yield transaction
        hold_fence(connection, context)


def hold_fence(connection: psycopg.Connection[Any], context: RunContext) -> None:
    """Keep later tries from taking the fence until the current transaction ends.

    Args:
        connection: Connection in a transaction that is about to commit.
        context: Who writes.

    Raises:
        FencedError: A later try has the fence.
    """
    if context.identity is None or context.ti_id is None:
        return
    with connection.cursor(row_factory=tuple_row) as cursor:
        held = cursor.execute(_HOLD, context.parameters()).fetchone()
    if held is not None and not held[0]:
        raise FencedError(context.identity, ti_id=str(context.ti_id))

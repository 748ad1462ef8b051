"""Generations: which tries of a task instance do the same work, and which begin it anew.

A retry continues the work of the try before it: what that one recorded (a check's result, a submitted job, a
sent message) is found and not done twice. A user's clear, or a run that was deleted and created again under
the same run_id, means that the work is wanted once more. Airflow tells the two apart only indirectly: every
try has an id of its own, a clear raises `max_tries`, and a recreated run starts with try 1 again.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from windlass.warehouse.bookkeeping import bookkeeping_needed, read_committed
from windlass.warehouse.errors import FencedError
from windlass.warehouse.identity import RunContext

__all__ = ["take_generation"]

# The upsert locks the row: of two tries at once the second sees what the first one stored.
_TAKE = """
insert into ops.task_generation as g (dag_id, run_id, task_id, map_index, ti_id, try_number, max_tries)
values (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(ti_id)s, %(try_number)s, %(max_tries)s)
on conflict (dag_id, run_id, task_id, map_index) do update
set generation = g.generation + case
        when g.ti_id = excluded.ti_id then 0
        when g.max_tries = excluded.max_tries and g.try_number < excluded.try_number then 0
        else 1
    end,
    ti_id = excluded.ti_id,
    try_number = excluded.try_number,
    max_tries = excluded.max_tries,
    updated_at = now()
where g.ti_id <= excluded.ti_id
returning generation
"""


def take_generation(connection: psycopg.Connection[Any], context: RunContext) -> int:
    """Tell which generation of its task instance a try belongs to; the same try is always told the same.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        context: The try.

    Returns:
        The generation, from 1; 1 outside Airflow.

    Raises:
        FencedError: A later try was told its generation already: this one was given up.
        LoadError: The warehouse has no generations.
    """
    if context.identity is None or context.ti_id is None:
        return 1
    with (
        bookkeeping_needed("counting a task's generations"),
        read_committed(connection),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        taken = cursor.execute(_TAKE, context.parameters()).fetchone()
    if taken is None:
        raise FencedError(context.identity, ti_id=str(context.ti_id))
    return int(taken[0])

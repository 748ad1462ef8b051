"""Fencing: a try that Airflow has given up may still live, and must not write any more.

A try takes the fence of its task instance when it starts (`take_fence`), and every transaction in which it
writes locks the fence's row before it commits (`writing`). Airflow's ids of tries are UUIDs of version 7, so
a later try has a greater one: it takes the fence from an earlier one, never the other way round. The earlier
one's lock makes the later one wait for a commit that has begun; once the later one has the fence, the
database refuses what the earlier one writes.

Source of the idea: M. Kleppmann, "How to do distributed locking" (2016), fencing tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg.rows import tuple_row

from windlass.warehouse.bookkeeping import bookkeeping_needed, read_committed
from windlass.warehouse.errors import FencedError, LoadError
from windlass.warehouse.identity import NO_TASK, RunContext

__all__ = ["hold_fence", "take_fence", "writing"]

_TAKE = """
insert into ops.task_fence as f (dag_id, run_id, task_id, map_index, ti_id, backend_pid, backend_start)
select %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(ti_id)s, a.pid, a.backend_start
from pg_stat_activity as a where a.pid = pg_backend_pid()
on conflict (dag_id, run_id, task_id, map_index) do update
set ti_id = excluded.ti_id, backend_pid = excluded.backend_pid, backend_start = excluded.backend_start,
    acquired_at = now()
where f.ti_id <= excluded.ti_id
"""

_HOLD = """
select ti_id = %(ti_id)s from ops.task_fence
where (dag_id, run_id, task_id, map_index) = (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)
for share
"""
# The start of another role's session is null without pg_read_all_stats.
_HOLDER = """
select a.pid, a.backend_start = f.backend_start
from ops.task_fence as f join pg_stat_activity as a on a.pid = f.backend_pid and a.pid <> pg_backend_pid()
where (dag_id, run_id, task_id, map_index) = (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)
"""


def take_fence(connection: psycopg.Connection[Any], context: RunContext, *, patience: float = 5.0) -> None:
    """Take the fence of a task instance for its current try, in a transaction of its own.

    Taking it again is free. An earlier try that sits between locking the fence and committing is waited for;
    one that sits there for longer than `patience` (stopped, or its machine gone) has its session ended.

    Args:
        connection: Connection to the warehouse in autocommit mode, the one the task writes with.
        context: The try; nothing is done without `ti_id`.
        patience: Seconds to wait for an earlier try's commit.

    Raises:
        FencedError: A later try has the fence.
        LoadError: The fence is locked by a session that cannot be ended, or the warehouse has no fences.
    """
    identity = context.identity
    if identity is None or context.ti_id is None:
        return
    with bookkeeping_needed("fencing a task"):
        if not _taken(connection, context, patience=patience):
            _end_holder(connection, context, patience=patience)
            if not _taken(connection, context, patience=patience):
                raise LoadError(
                    f"The fence of {identity} has been locked for {2 * patience:g} s by another session.",
                    advice="Find it with: select pid, query from pg_stat_activity where pid = any "
                    "(pg_blocking_pids(PID of a waiting session)); end it with pg_terminate_backend(pid).",
                )


def _taken(connection: psycopg.Connection[Any], context: RunContext, *, patience: float) -> bool:
    """Whether the fence was taken; False when someone kept it locked for as long as we wait."""
    try:
        with read_committed(connection), connection.cursor() as cursor:
            timeout = f"{max(1, round(patience * 1000))}ms"
            cursor.execute("select set_config('lock_timeout', %s, true)", [timeout])
            cursor.execute(_TAKE, context.parameters())
            if not cursor.rowcount and context.identity is not None:
                raise FencedError(context.identity, ti_id=str(context.ti_id))
    except pg_errors.LockNotAvailable:
        return False
    return True


def _end_holder(connection: psycopg.Connection[Any], context: RunContext, *, patience: float) -> None:
    """End the session that took the fence; not one that was given its process id after it ended."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        pid, is_same = cursor.execute(_HOLDER, context.parameters()).fetchone() or (None, False)
        if is_same is None:
            raise _not_allowed(context, pid, "it cannot see when that session began")
        try:
            if is_same:
                cursor.execute("select pg_terminate_backend(%s, %s)", [pid, round(patience * 1000)])
        except pg_errors.InsufficientPrivilege as error:
            raise _not_allowed(context, pid, error.diag.message_primary) from error


def _not_allowed(context: RunContext, pid: int, why: str | None) -> LoadError:
    return LoadError(
        f"An earlier try keeps the fence of {context.identity}, and this role may not end its session "
        f"(pid {pid}): {why}.",
        advice="Let both tries connect as one role, or grant pg_signal_backend and pg_read_all_stats.",
    )


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
        LoadError: The warehouse has no fences.
    """
    if context.identity is None or context.ti_id is None:
        return
    with bookkeeping_needed("fencing a task"), connection.cursor(row_factory=tuple_row) as cursor:
        try:
            held = cursor.execute(_HOLD, context.parameters()).fetchone()
        except pg_errors.SerializationFailure as error:
            # Under repeatable read: the fence was taken after the transaction's snapshot.
            raise FencedError(context.identity, ti_id=str(context.ti_id)) from error
    if held is not None and not held[0]:
        raise FencedError(context.identity, ti_id=str(context.ti_id))

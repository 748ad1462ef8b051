"""What all bookkeeping needs, the schema `ops` and a task, said once with what to do where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import errors as pg_errors

from windlass.warehouse.errors import LoadError
from windlass.warehouse.identity import RunContext, TaskIdentity

__all__ = ["bookkeeping_needed", "task_of"]


@contextmanager
def bookkeeping_needed(doing: str) -> Iterator[None]:
    """Turn a missing bookkeeping table or column into an error that says how to get it.

    Args:
        doing: What it is needed for, e.g. `fencing a task`.

    Raises:
        LoadError: The database lacks the schema `ops`, or has an older one.
    """
    try:
        yield
    except (pg_errors.UndefinedTable, pg_errors.UndefinedColumn, pg_errors.InvalidSchemaName) as error:
        raise LoadError(
            f"The database lacks what {doing} needs: {error.diag.message_primary}.",
            advice="Run: windlass-warehouse migrate --only ops",
        ) from error


def task_of(context: RunContext, what: str) -> TaskIdentity:
    """The task instance that a record is about.

    Raises:
        LoadError: There is none.
    """
    if context.identity is None:
        raise LoadError(
            f"{what} belongs to a task: dag_id, run_id and task_id are needed.",
            advice="Outside Airflow make a RunContext with names of your own.",
        )
    return context.identity

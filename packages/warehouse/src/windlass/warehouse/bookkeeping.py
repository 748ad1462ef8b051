"""What all bookkeeping needs, the schema `ops` and a task, said once with what to do where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg import pq

from windlass.warehouse.errors import LoadError, PermissionDeniedError
from windlass.warehouse.identity import RunContext

__all__ = ["bookkeeping_needed", "read_committed", "require_task"]


@contextmanager
def bookkeeping_needed(doing: str) -> Iterator[None]:
    """Turn what keeps bookkeeping from being read or written into an error that says what to do.

    Args:
        doing: What it is needed for, e.g. `fencing a task`.

    Raises:
        LoadError: The database lacks the schema `ops`, or has an older one; or it only reads.
        PermissionDeniedError: The role may not use it.
    """
    try:
        yield
    except (pg_errors.UndefinedTable, pg_errors.UndefinedColumn, pg_errors.InvalidSchemaName) as error:
        raise LoadError(
            f"The database lacks what {doing} needs: {error.diag.message_primary}.",
            advice="Run: windlass-warehouse migrate --only ops",
        ) from error
    except pg_errors.InsufficientPrivilege as error:
        raise PermissionDeniedError(
            f"The role may not do what {doing} needs: {error.diag.message_primary}.",
            advice="As the owner of the warehouse: grant usage on schema ops to ROLE; "
            "grant select, insert, update, delete on all tables in schema ops to ROLE;",
        ) from error
    except pg_errors.ReadOnlySqlTransaction as error:
        raise LoadError(
            f"{doing[:1].upper()}{doing[1:]} writes, and this database only reads (a standby, or set so).",
            advice="Name the primary server, with a role that may write.",
        ) from error


@contextmanager
def read_committed(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction whose statements see what was committed before each, whatever the role's default is.

    Inside the caller's transaction it is a savepoint, of that one's isolation level.
    """
    is_own = connection.info.transaction_status is pq.TransactionStatus.IDLE
    with connection.transaction():
        if is_own:
            connection.execute("set transaction isolation level read committed")
        yield


def require_task(context: RunContext, what: str) -> None:
    """See that there is a task instance for a record to be about.

    Raises:
        LoadError: There is none.
    """
    if context.identity is None:
        raise LoadError(
            f"{what} belongs to a task: dag_id, run_id and task_id are needed.",
            advice="Outside Airflow make a RunContext with names of your own.",
        )

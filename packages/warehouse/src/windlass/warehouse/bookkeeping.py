"""The schema `ops` as something that may be missing: said once, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import errors as pg_errors

from windlass.warehouse.errors import LoadError

__all__ = ["bookkeeping_needed"]


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

"""Writing versions, with PostgreSQL's refusals turned into the rows and constraints they are about."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.publish.refusal import refused_by
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import at, joined

__all__ = ["Fill", "expect", "fill", "within"]

Fill = Callable[[int, int], object]


def within(first: int, last: int, *, rows: int, alias: str) -> sql.Composable:
    """SQL: whether a row's position is in a range; nothing to ask for when that is all of them."""
    if (first, last) == (1, rows):
        return sql.SQL("true")
    return sql.SQL('{}."windlass ord" between {} and {}').format(
        sql.SQL(alias), sql.Literal(first), sql.Literal(last)
    )


def fill(
    connection: PgConnection, dimension: Dimension, write: Fill, *, of: sql.Composable, rows: int
) -> None:
    """Write versions; if PostgreSQL refuses one, say which.

    Args:
        connection: Connection in the application's transaction.
        dimension: The dimension.
        write: Writes the rows of a range of positions.
        of: The table the rows are in, numbered by "windlass ord" from 1.
        rows: How many there are.

    Raises:
        HistoryError: A row does not fit the dimension.
    """
    try:
        with connection.transaction():
            write(1, rows)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        with connection.transaction(force_rollback=True):
            refusal = next(refused_by(connection, 1, rows, write), None)
        if refusal is None:
            raise
        raise HistoryError(
            f"The row with {_key_of(connection, dimension, of, refusal.ord)} does not fit {dimension.table}: "
            f"{refusal.message}. Nothing was changed.",
            advice="Mend the source or the query; to set rows with problems aside with their reasons, "
            "publish them into a table with the same constraints before.",
        ) from error


def _key_of(connection: PgConnection, dimension: Dimension, of: sql.Composable, position: int) -> str:
    texts = joined(sql.SQL("{}::text").format(at("c", column.name)) for column in dimension.key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL('select {} from {} as c where c."windlass ord" = {}').format(
                texts, of, sql.Literal(position)
            )
        )
        return dimension.named(cursor.fetchone() or ())


def expect(dimension: Dimension, *, wanted: int, written: int) -> None:
    """Make sure that nothing dropped rows on their way into the table.

    Raises:
        HistoryError: A trigger or rule did.
    """
    if wanted != written:
        raise HistoryError(
            f"{wanted} versions of {dimension.table} were to be written, and {written} were. "
            "Nothing was changed.",
            advice="A trigger, rule or row-level policy of the table drops rows, and history would have "
            "holes: remove it.",
        )

"""Writing versions, with PostgreSQL's refusals turned into the rows and constraints they are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.publish.refusal import refused_by
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import at, differs, joined, same

__all__ = ["Fill", "Written", "expect", "fill", "verify", "within"]

Fill = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Written:
    """How rows of a temporary table are in the dimension after they were written.

    Attributes:
        kinds: Which rows, by their "windlass kind".
        begin: SQL of the version's beginning; the row is `w`.
        end: SQL of its end; None to leave it out.
        values: Whether the row's values are the version's.
        rows: How many rows there are.
    """

    kinds: Sequence[str]
    begin: sql.Composable
    end: sql.Composable | None
    values: bool
    rows: int


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


def verify(connection: PgConnection, dimension: Dimension, written: Written, *, of: sql.Composable) -> None:
    """Make sure that the dimension's triggers and rules changed nothing; free where there are none.

    Args:
        connection: Connection in the application's transaction.
        dimension: The dimension.
        written: What should be there.
        of: The table with what was written.

    Raises:
        HistoryError: A version is not there as it was written.
    """
    if not dimension.meddlers or not written.rows:
        return
    tests = [
        same("t", "w", dimension.key),
        sql.SQL("{} = {}").format(at("t", dimension.begins.name), written.begin),
    ]
    if written.end is not None:
        tests.append(sql.SQL("{} is not distinct from {}").format(at("t", dimension.ends.name), written.end))
    if written.values:
        pairs = ((column, at("t", column.name), at("w", column.name)) for column in dimension.values)
        tests.append(sql.SQL("not {}").format(differs(pairs)))
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                'select count(*) from {} as w join {} as t on {} where w."windlass kind" = any ({})'
            ).format(of, dimension.identifier, joined(tests, " and "), sql.Literal(list(written.kinds)))
        )
        (found,) = cursor.fetchone() or (0,)
    if found != written.rows:
        raise HistoryError(
            f"{written.rows - found} versions of {dimension.table} are not there as they were written: "
            f"{', '.join(dict.fromkeys(dimension.meddlers))} changes them. Nothing was changed.",
            advice="Let it leave the query's and the validity columns alone, and do that work in the query.",
        )

"""Rows that only PostgreSQL itself refuses: for exclusion constraints, triggers, overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.publish.audit import AUDIT, GOOD, ORD, PROBLEM
from windlass.warehouse.publish.rules import REFUSALS, RuleBook

__all__ = ["Refusal", "note_refusals", "refused_by"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row PostgreSQL refuses: its position, the SQLSTATE and the message."""

    ord: int
    sqlstate: str
    message: str


def refused_by(
    connection: PgConnection, first: int, last: int, write: Callable[[int, int], object]
) -> Iterator[Refusal]:
    """Find the rows for which PostgreSQL refuses a write, by halving the range that fails.

    What can be written stays written, so that of two rows that exclude each other the first arrival is kept.

    Args:
        connection: Connection inside a transaction.
        first: First position.
        last: Last position.
        write: Writes the rows from one position to another.

    Raises:
        psycopg.Error: A failure that is no row's fault, e.g. a lock that was not free in time.
    """
    try:
        with connection.transaction():
            write(first, last)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        if first < last:
            middle = (first + last) // 2
            yield from refused_by(connection, first, middle, write)
            yield from refused_by(connection, middle + 1, last, write)
            return
        yield Refusal(first, error.sqlstate or "", error.diag.message_primary or str(error))


def note_refusals(connection: PgConnection, book: RuleBook, refusals: Iterable[Refusal]) -> None:
    """Note refused rows as bad, with PostgreSQL's own words as the reason."""
    rows = [
        (item.ord, book.refused[REFUSALS.get(item.sqlstate, AnomalyKind.INVALID_VALUE)], item.message)
        for item in refusals
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("insert into {} values (%s, %s, %s)").format(PROBLEM), rows)
        cursor.execute(
            sql.SQL("update {} set {} = false where {} = any (%s)").format(AUDIT, GOOD, ORD),
            [[row[0] for row in rows]],
        )

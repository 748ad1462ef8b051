"""Good rows into the target, with PostgreSQL having the last word on every one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.load.merge import differ, insert_absent, matches, update_differing
from windlass.warehouse.load.table import Column, PgConnection
from windlass.warehouse.publish.audit import AUDIT, ORD, positions
from windlass.warehouse.publish.duplicates import find_taken, good_rows, resolve_duplicates
from windlass.warehouse.publish.meddling import Meddlers, Tally, find_dropped, read_meddlers
from windlass.warehouse.publish.plan import Plan
from windlass.warehouse.publish.refusal import Refusal, note_refusals, refused_by
from windlass.warehouse.publish.rules import RuleBook

__all__ = ["Written", "publish_good_rows"]


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were good, and how many of them were inserted and updated; the rest was there already."""

    good: int
    inserted: int
    updated: int


def publish_good_rows(connection: PgConnection, plan: Plan, book: RuleBook, *, rows: int) -> Written:
    """Settle who is good across rows, and write them.

    A row that PostgreSQL refuses in spite of the audit becomes bad, and all is settled anew without it: a
    later copy of it may be good.

    Args:
        connection: Connection inside the publish's transaction.
        plan: The plan.
        book: The rules.
        rows: How many candidates there are.
    """
    # Others may read the target all the while; whoever writes waits, so what is checked now holds below.
    connection.execute(
        sql.SQL("lock table {} in share row exclusive mode").format(plan.target.name.identifier)
    )
    find_taken(connection, plan, book)
    meddlers = read_meddlers(connection, plan.target)
    while True:
        resolve_duplicates(connection, plan, book)
        refusals: tuple[Refusal, ...] = ()
        try:
            with connection.transaction() as attempt:
                written, refusals = _write(connection, plan, meddlers, rows=rows)
                if refusals:
                    raise psycopg.Rollback(attempt)
        except (psycopg.IntegrityError, psycopg.DataError):
            refusals = _refusals(connection, plan, rows)
            if not refusals:
                raise
        if not refusals:
            return Written(_count_good(connection), written.inserted, written.updated)
        note_refusals(connection, book, refusals)


def _write(
    connection: PgConnection, plan: Plan, meddlers: Meddlers, *, rows: int
) -> tuple[Tally, tuple[Refusal, ...]]:
    """Write all good rows; how many were written, and those that the target's triggers and rules dropped."""
    absent, differing = _absent(plan), _differing(plan)
    wanted = Tally(
        _count(connection, absent) if meddlers.on_insert else 0,
        _count(connection, differing) if meddlers.on_update else 0,
    )
    written = Tally(*_upsert(connection, plan, 1, rows, rows=rows))
    if not meddlers.on_insert:
        wanted = replace(wanted, inserted=written.inserted)
    dropped = find_dropped(
        connection, meddlers, wanted=wanted, written=written, missing=absent, differing=differing
    )
    return written, dropped


def _absent(plan: Plan) -> sql.Composed:
    """The positions of good rows whose key the target does not have."""
    return sql.SQL("select a.{} from {} as a where {} and not exists (select from {} as t where {})").format(
        ORD, AUDIT, good_rows("a"), plan.target.name.identifier, matches(plan.key)
    )


def _differing(plan: Plan) -> sql.Composed:
    """The positions of good rows that differ from the target's row of the same key."""
    return sql.SQL("select a.{} from {} as a join {} as t on {} where {} and ({})").format(
        ORD, AUDIT, plan.target.name.identifier, matches(plan.key), good_rows("a"), differ(_values(plan))
    )


def _count(connection: PgConnection, query: sql.Composed) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL("select count(*) from ({}) as windlass_row").format(query))
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def _refusals(connection: PgConnection, plan: Plan, rows: int) -> tuple[Refusal, ...]:
    with connection.transaction(force_rollback=True):
        write = partial(_upsert, connection, plan, rows=rows)
        return tuple(refused_by(connection, 1, rows, write))


def _count_good(connection: PgConnection) -> int:
    return _count(connection, sql.SQL("select from {} as a where {}").format(AUDIT, good_rows("a")))


def _upsert(connection: PgConnection, plan: Plan, first: int, last: int, *, rows: int) -> tuple[int, int]:
    """Insert and update the good rows of a range of positions."""
    where = sql.SQL("{} and {}").format(positions(first, last, rows=rows), good_rows("a"))
    updated = _update(connection, plan, where)
    inserted = _insert(connection, plan, where)
    for name in plan.constraints.deferrable:
        constraint = sql.Identifier(plan.target.name.schema or "public", name)
        connection.execute(sql.SQL("set constraints {} immediate").format(constraint))
    return inserted, updated


def _update(connection: PgConnection, plan: Plan, where: sql.Composed) -> int:
    statement = update_differing(plan.target, AUDIT, columns=plan.written, key=plan.key, where=where)
    return connection.execute(statement).rowcount if statement else 0


def _values(plan: Plan) -> list[Column]:
    return [column for column in plan.written if column.name not in plan.key]


def _insert(connection: PgConnection, plan: Plan, where: sql.Composed) -> int:
    statement = insert_absent(plan.target, AUDIT, columns=plan.written, key=plan.key, where=where)
    return connection.execute(statement).rowcount

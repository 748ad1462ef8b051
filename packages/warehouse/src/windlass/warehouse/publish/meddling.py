"""Triggers and rules of the target, which can drop or change a row without an error of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import PublishError
from windlass.warehouse.load.table import PgConnection, Table
from windlass.warehouse.publish.refusal import Refusal

__all__ = ["Meddlers", "Tally", "find_dropped", "read_meddlers"]

# A trigger of a partition acts on rows written through its parent. Bits of tgtype: 4 insert, 16 update.
_MEDDLERS = """
with recursive tree as (
    select %(table)s::oid as oid
    union
    select i.inhrelid from pg_inherits as i join tree on i.inhparent = tree.oid
),
found as (
    select 'trigger ' || t.tgname as name, t.tgtype & 4 > 0 as on_insert, t.tgtype & 16 > 0 as on_update
    from pg_trigger as t join tree on t.tgrelid = tree.oid
    where not t.tgisinternal and t.tgenabled <> 'D'
    union
    select 'rule ' || r.rulename, r.ev_type = '3', r.ev_type = '2'
    from pg_rewrite as r
    where r.ev_class = %(table)s and r.ev_enabled <> 'D'
)
select
    coalesce(array_agg(name order by name) filter (where on_insert), '{}'),
    coalesce(array_agg(name order by name) filter (where on_update), '{}')
from found
"""


@dataclass(frozen=True, slots=True)
class Meddlers:
    """What acts on rows as they are written, e.g. `trigger stamp_published_at`.

    Attributes:
        on_insert: Triggers and rules for inserts.
        on_update: Those for updates.
    """

    on_insert: tuple[str, ...]
    on_update: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows to be written, or rows written: by insert and by update."""

    inserted: int
    updated: int


def read_meddlers(connection: PgConnection, table: Table) -> Meddlers:
    """The enabled triggers of a table and its partitions, and its rules."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_MEDDLERS, {"table": table.oid})
        on_insert, on_update = cursor.fetchone() or ((), ())
    return Meddlers(tuple(on_insert), tuple(on_update))


def find_dropped(
    connection: PgConnection,
    meddlers: Meddlers,
    *,
    wanted: Tally,
    written: Tally,
    missing: sql.Composed,
    differing: sql.Composed,
) -> tuple[Refusal, ...]:
    """The good rows that did not reach the target although PostgreSQL raised no error.

    Args:
        connection: Connection after the upsert.
        meddlers: The target's triggers and rules.
        wanted: How many rows were to be written.
        written: How many PostgreSQL says it wrote.
        missing: Query of the positions of good rows whose key is not in the target.
        differing: Query of the positions of good rows that differ from the target's row.

    Raises:
        PublishError: Rows were written under another key, removed again, or sent elsewhere, so that nobody
            can tell which of the rows are in the target.
    """
    found: list[Refusal] = []
    if meddlers.on_insert or (meddlers.on_update and written.updated):
        absent = _positions(connection, missing)
        names = ", ".join(meddlers.on_insert or meddlers.on_update)
        if len(absent) != wanted.inserted - written.inserted:
            raise PublishError(
                f"{len(absent)} good rows are not in the target under their key, though only "
                f"{wanted.inserted - written.inserted} were dropped as they were written: {names} changes "
                "keys, removes rows or sends them elsewhere. Nothing was published.",
                advice="Publish into a table without it, or do its work in the query.",
            )
        found += (Refusal(ord_, "", f"Dropped without an error by the target's {names}.") for ord_ in absent)
    lost = wanted.updated - written.updated
    if meddlers.on_update and lost:
        kept = _positions(connection, differing)
        names = ", ".join(meddlers.on_update)
        if len(kept) != lost:
            raise PublishError(
                f"{lost} updates were dropped as they were written, and {len(kept)} rows differ from the "
                f"target's: {names} drops some rows and changes others. Nothing was published.",
                advice="Publish into a table without it, or do its work in the query.",
            )
        found += (
            Refusal(ord_, "", f"Its update was dropped without an error by the target's {names}.")
            for ord_ in kept
        )
    return tuple(found)


def _positions(connection: PgConnection, query: sql.Composed) -> list[int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [row[0] for row in cursor.execute(query)]

"""Upserts: rows matched to a table's by a unique key, each counted as inserted, updated or unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import LoadError, TableError
from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.merge import insert_absent, matches, update_differing
from windlass.warehouse.load.table import Column, PgConnection, Table, names
from windlass.warehouse.publish.catalog import read_constraints
from windlass.warehouse.publish.meddling import read_meddlers

__all__ = ["UpsertCounts", "upsert_from"]

_EXAMPLES = 3
_ALL = sql.SQL("true")


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What became of the rows of an upsert; together they are all its rows."""

    inserted: int
    updated: int
    unchanged: int


def upsert_from(
    connection: PgConnection,
    *,
    target: Table,
    stage: sql.Composable,
    columns: Sequence[str],
    key: Sequence[str],
) -> UpsertCounts:
    """Upsert the rows of a staged table: set-based, writing only where something differs.

    Other writers of the target wait until the transaction ends, so that two upserts at once give the rows
    of one after the other; readers go on. Columns that the stage does not bring keep their values in rows
    that are there, and take their defaults in new ones.

    Args:
        connection: Connection to the warehouse, in the caller's transaction.
        target: The table.
        stage: Name of the staged table, e.g. `sql.Identifier("pg_temp", "stage")`; its columns are named as
            the target's and of the same types.
        columns: The stage's columns to write, those of the key among them.
        key: The columns of the target's primary key or of one of its unique constraints or indexes.

    Raises:
        TableError: A column is unknown or cannot be written, or no unique constraint covers exactly the key.
        LoadError: The stage has a null in the key, or two rows of one key; or a trigger dropped rows.
        psycopg.Error: The target refuses a row by another of its constraints.
    """
    written = columns_named(target, columns, source="The stage")
    _require_unique(connection, target, columns=columns, key=key)
    # Nobody analyzes a temporary table but us, and a plan made blind can take hours on a large target.
    connection.execute(sql.SQL("analyze {} ({})").format(stage, names(key)))
    rows = _count(connection, stage)
    _require_distinct(connection, target, stage, key)
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(target.name.identifier))
    counts = _write(connection, target, stage, columns=written, key=key, rows=rows)
    _require_kept(connection, target, stage, key)
    return counts


def _write(
    connection: PgConnection,
    target: Table,
    stage: sql.Composable,
    *,
    columns: Sequence[Column],
    key: Sequence[str],
    rows: int,
) -> UpsertCounts:
    update = update_differing(target, stage, columns=columns, key=key, where=_ALL)
    updated = connection.execute(update).rowcount if update else 0
    insert = insert_absent(target, stage, columns=columns, key=key, where=_ALL)
    inserted = connection.execute(insert).rowcount
    return UpsertCounts(inserted, updated, rows - inserted - updated)


def _count(connection: PgConnection, stage: sql.Composable) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        (count,) = cursor.execute(sql.SQL("select count(*) from {}").format(stage)).fetchone() or (0,)
        return int(count)


def _require_unique(
    connection: PgConnection, target: Table, *, columns: Sequence[str], key: Sequence[str]
) -> None:
    missing = [name for name in key if name not in columns]
    if not key or missing:
        raise TableError(
            f"The key of {target} needs column {missing[0]!r}, which the rows do not bring."
            if missing
            else f"No key is given to match rows with those of {target}.",
            table=str(target),
            advice="Name columns that every row brings.",
        )
    uniques = [
        unique
        for unique in read_constraints(connection, target).uniques
        if unique.predicate is None and None not in unique.columns
    ]
    if not any(set(unique.columns) == set(key) for unique in uniques):
        there = "; ".join(", ".join(unique.keys) for unique in uniques) or "none"
        raise TableError(
            f"No unique constraint or index of {target} covers exactly {', '.join(key)}, "
            "so a row's place is not certain.",
            table=str(target),
            advice=f"Its unique keys are: {there}. Name one of them, or add the one that is meant.",
        )


def _require_distinct(
    connection: PgConnection, target: Table, stage: sql.Composable, key: Sequence[str]
) -> None:
    """Refuse keys that are null, and keys of several rows: which of them wins would be chance."""
    nulls = sql.SQL(" or ").join(sql.SQL("{} is null").format(sql.Identifier(name)) for name in key)
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        (count,) = cursor.execute(
            sql.SQL("select count(*) from {} where {}").format(stage, nulls)
        ).fetchone() or (0,)
        if count:
            raise LoadError(
                f"{count} of the rows for {target} have null in the key ({', '.join(key)}).",
                advice="Leave them out, or give each its key.",
            )
        found = cursor.execute(
            sql.SQL(
                "select count(*) over (), windlass_rows, {texts} from ("
                "select {key}, count(*) as windlass_rows from {stage} group by {key} having count(*) > 1"
                ") as windlass_key order by {key} limit {limit}"
            ).format(texts=texts, key=names(key), stage=stage, limit=_EXAMPLES)
        ).fetchall()
    if found:
        told = ", ".join(f"({', '.join(values)}) {rows} times" for _, rows, *values in found)
        raise LoadError(
            f"{found[0][0]} of the keys ({', '.join(key)}) for {target} are there more than once: {told}.",
            advice="Keep one row of each, e.g. the latest by distinct on: nothing here can tell which.",
        )


def _require_kept(connection: PgConnection, target: Table, stage: sql.Composable, key: Sequence[str]) -> None:
    """Find out when a trigger or rule let rows vanish, which PostgreSQL does without a word."""
    meddlers = read_meddlers(connection, target)
    if not meddlers.on_insert:
        return
    lost = sql.SQL("(select from {} as a where not exists (select from {} as t where {})) as lost").format(
        stage, target.name.identifier, matches(key)
    )
    count = _count(connection, lost)
    if count:
        raise LoadError(
            f"{count} rows did not get into {target}: dropped by {', '.join(meddlers.on_insert)}.",
            advice="Let it raise an error instead, or leave such rows out.",
        )

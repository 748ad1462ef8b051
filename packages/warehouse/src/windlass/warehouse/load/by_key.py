"""Upserts: rows matched to a table's by a unique key, each counted as inserted, updated or unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as pgsql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import LoadError, TableError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.merge import insert_absent, matches, update_differing
from windlass.warehouse.load.query import stage_query
from windlass.warehouse.load.rows import Row, row_columns, write_rows
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table, names
from windlass.warehouse.publish.catalog import read_constraints
from windlass.warehouse.publish.meddling import read_meddlers
from windlass.warehouse.transform.bind import advice_for, single_query
from windlass.warehouse.transform.script import read_script

__all__ = ["UpsertCounts", "UpsertResult", "require_key", "upsert", "upsert_from"]

_STAGE = pgsql.Identifier("pg_temp", "windlass_upsert")
_EXAMPLES = 3
_ALL = pgsql.SQL("true")


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What became of the rows of an upsert; together they are all its rows."""

    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What became of the rows of an upsert, and in which table; together they are all its rows."""

    table: str
    inserted: int
    updated: int
    unchanged: int


def upsert(
    connection: PgConnection,
    *,
    table: str,
    key: Sequence[str],
    rows: Iterable[Row] | None = None,
    columns: Sequence[str] | None = None,
    sql: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    context: RunContext = NO_TASK,
) -> UpsertResult:
    """Bring rows into a table by a unique key: new ones are inserted, those that differ updated.

    Columns that the rows do not bring keep their values in rows that are there, and take their defaults in
    new ones. All in one transaction, set-based through a temporary table.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The table, `schema.name`.
        key: The columns of its primary key or of one of its unique constraints or indexes.
        rows: The rows, as of `copy_rows`; or give `sql`.
        columns: The columns they bring; those of the first row, if it is a mapping, by default.
        sql: A query that gives the rows, its columns matched by name.
        parameters: Values for `%(name)s` in it.
        context: Who writes: bound like parameters.

    Raises:
        TableError: A column is unknown or cannot be written, or no unique constraint covers exactly the key.
        StatementError: The query failed.
        LoadError: A row does not fit, the key of one is null, or two have the same. Nothing was changed.
    """
    if (rows is None) == (sql is None):
        raise LoadError("Exactly one of rows and sql is needed.", advice="Give the other one up.")
    try:
        with writing(connection, context):
            target = describe_table(connection, table)
            if sql is not None:
                query = single_query(
                    connection, read_script(sql=sql), parameters=parameters or {}, always=context.parameters()
                )
                written = stage_query(connection, target, query, stage=_STAGE)
            else:
                written = _stage_rows(connection, target, rows or (), columns)
            counts = upsert_from(connection, target=target, stage=_STAGE, columns=written, key=key)
            connection.execute(pgsql.SQL("drop table {}").format(_STAGE))
    except psycopg.Error as error:
        detail = f" {error.diag.message_detail}" if error.diag.message_detail else ""
        raise LoadError(
            f"The rows do not go into {table}: {error.diag.message_primary or error}.{detail} "
            "Nothing was changed.",
            advice=advice_for(error),
        ) from error
    return UpsertResult(str(target), counts.inserted, counts.updated, counts.unchanged)


def _stage_rows(
    connection: PgConnection, target: Table, rows: Iterable[Row], columns: Sequence[str] | None
) -> list[str]:
    found, all_rows = row_columns(rows, columns)
    chosen = columns_named(target, found, source="The input")
    connection.execute(
        pgsql.SQL(
            "create temporary table windlass_upsert on commit drop as select {} from {} with no data"
        ).format(names(found), target.name.identifier)
    )
    write_rows(connection, target, _STAGE, chosen, all_rows)
    return list(found)


def upsert_from(
    connection: PgConnection,
    *,
    target: Table,
    stage: pgsql.Composable,
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
        stage: Name of the staged table, e.g. `pgsql.Identifier("pg_temp", "stage")`; its columns are named as
            the target's and of the same types.
        columns: The stage's columns to write, those of the key among them.
        key: The columns of the target's primary key or of one of its unique constraints or indexes.

    Raises:
        TableError: A column is unknown or cannot be written, or no unique constraint covers exactly the key.
        LoadError: The stage has a null in the key, or two rows of one key; or a trigger dropped rows.
        psycopg.Error: The target refuses a row by another of its constraints.
    """
    written = columns_named(target, columns, source="The stage")
    _require_brought(target, columns=columns, key=key)
    require_key(connection, target, key)
    # Nobody analyzes a temporary table but us, and a plan made blind can take hours on a large target.
    connection.execute(pgsql.SQL("analyze {} ({})").format(stage, names(key)))
    rows = _count(connection, stage)
    _require_distinct(connection, target, stage, key)
    connection.execute(pgsql.SQL("lock table {} in share row exclusive mode").format(target.name.identifier))
    counts = _write(connection, target, stage, columns=written, key=key, rows=rows)
    _require_kept(connection, target, stage, key)
    return counts


def _write(
    connection: PgConnection,
    target: Table,
    stage: pgsql.Composable,
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


def _count(connection: PgConnection, stage: pgsql.Composable) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        (count,) = cursor.execute(pgsql.SQL("select count(*) from {}").format(stage)).fetchone() or (0,)
        return int(count)


def require_key(connection: PgConnection, target: Table, key: Sequence[str]) -> None:
    """See that rows have one certain place by a key.

    Args:
        connection: Connection to the warehouse.
        target: The table.
        key: Names of columns, in any order.

    Raises:
        TableError: No unique constraint or index covers exactly these columns.
    """
    uniques = [
        unique
        for unique in read_constraints(connection, target).uniques
        if unique.predicate is None and None not in unique.columns
    ]
    if not any(set(unique.columns) == set(key) for unique in uniques):
        there = "; ".join(", ".join(unique.keys) for unique in uniques) or "none"
        raise TableError(
            f"No unique constraint or index of {target} covers exactly {', '.join(key) or 'nothing'}, "
            "so a row's place is not certain.",
            table=str(target),
            advice=f"Its unique keys are: {there}. Name one of them, or add the one that is meant.",
        )


def _require_brought(target: Table, *, columns: Sequence[str], key: Sequence[str]) -> None:
    missing = [name for name in key if name not in columns]
    if not key or missing:
        raise TableError(
            f"The key of {target} needs column {missing[0]!r}, which the rows do not bring."
            if missing
            else f"No key is given to match rows with those of {target}.",
            table=str(target),
            advice="Name columns that every row brings.",
        )


def _require_distinct(
    connection: PgConnection, target: Table, stage: pgsql.Composable, key: Sequence[str]
) -> None:
    """Refuse keys that are null, and keys of several rows: which of them wins would be chance."""
    nulls = pgsql.SQL(" or ").join(pgsql.SQL("{} is null").format(pgsql.Identifier(name)) for name in key)
    texts = pgsql.SQL(", ").join(pgsql.SQL("{}::text").format(pgsql.Identifier(name)) for name in key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        (count,) = cursor.execute(
            pgsql.SQL("select count(*) from {} where {}").format(stage, nulls)
        ).fetchone() or (0,)
        if count:
            raise LoadError(
                f"{count} of the rows for {target} have null in the key ({', '.join(key)}).",
                advice="Leave them out, or give each its key.",
            )
        found = cursor.execute(
            pgsql.SQL(
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


def _require_kept(
    connection: PgConnection, target: Table, stage: pgsql.Composable, key: Sequence[str]
) -> None:
    """Find out when a trigger or rule let rows vanish, which PostgreSQL does without a word."""
    meddlers = read_meddlers(connection, target)
    if not meddlers.on_insert:
        return
    lost = pgsql.SQL("(select from {} as a where not exists (select from {} as t where {})) as lost").format(
        stage, target.name.identifier, matches(key)
    )
    count = _count(connection, lost)
    if count:
        raise LoadError(
            f"{count} rows did not get into {target}: dropped by {', '.join(meddlers.on_insert)}.",
            advice="Let it raise an error instead, or leave such rows out.",
        )

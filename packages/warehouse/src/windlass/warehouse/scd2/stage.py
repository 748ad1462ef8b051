"""The query's rows set aside, typed as the dimension's columns, until the transaction ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import TableError
from windlass.warehouse.load.table import Column, PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import STATEMENT, TEMPORARY, joined
from windlass.warehouse.scd2.model import Source
from windlass.warehouse.scd2.unfit import unfit_rows
from windlass.warehouse.transform.bind import BoundStatement, explain_failure

__all__ = ["AT", "GONE", "prefer_lookups", "query_columns", "settle", "stage", "workspace"]

AT = sql.Identifier("windlass at")
"""Since when a row of a batch of changes holds."""
GONE = sql.Identifier("windlass gone")
"""Whether it tells of a deletion."""

# Compiling takes longer than these queries run.
_SETTINGS = {"client_min_messages": "warning", "jit": "off"}
# The query's own plan is left alone; ours are for batches, and a table just filled has no statistics that
# could tell the planner so. Instants become text and back in the ledgers: always in the same time zone.
_OURS = {
    "enable_nestloop": "off",
    "enable_hashjoin": "on",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_GET = "select name, current_setting(name) from unnest(%s::text[]) as name"
_SET = "select set_config(%s, %s, true)"
_ENOUGH_MEMORY = (
    "select set_config('work_mem', '128MB', true) "
    "where pg_size_bytes(current_setting('work_mem')) < 134217728"
)


@contextmanager
def workspace(connection: PgConnection) -> Iterator[None]:
    """No table and no setting left behind by an application; after an error the rollback sees to both."""
    names = [*_SETTINGS, *_OURS, "work_mem"]
    with connection.cursor(row_factory=tuple_row) as cursor:
        before = cursor.execute(_GET, [names]).fetchall()
        cursor.executemany(_SET, list(_SETTINGS.items()))
        _keep_in_memory(connection)
        yield
        cursor.execute(sql.SQL("drop table if exists {}").format(joined(TEMPORARY)))
        cursor.executemany(_SET, before)


def _keep_in_memory(connection: PgConnection) -> None:
    """Have staged rows stay in memory, not in files; only a session that had no temporary table yet can."""
    with suppress(psycopg.errors.InvalidParameterValue), connection.transaction():
        connection.execute("set local temp_buffers = '64MB'")


def settle(connection: PgConnection) -> None:
    """Set what our own statements need, once the query has run."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.executemany(_SET, list(_OURS.items()))
        cursor.execute(_ENOUGH_MEMORY)


def prefer_lookups(connection: PgConnection, *, few: int, many: int) -> None:
    """Let the planner look keys up by index, where counting has shown that few are looked up among many.

    It halves the time. Without statistics the planner cannot know; and left to itself it would sometimes loop
    where it should hash.
    """
    allowed = "on" if few * 10 <= many else "off"
    connection.execute(sql.SQL("set local enable_nestloop = {}").format(sql.SQL(allowed)))


def query_columns(connection: PgConnection, query: BoundStatement) -> tuple[str, ...]:
    """Names of the query's columns; it is planned, and gives no row.

    Raises:
        StatementError: The query is none, or names what is not there.
    """
    prefix, suffix = "select * from (\n", "\n) as windlass_row limit 0"
    with connection.cursor(row_factory=tuple_row) as cursor:
        try:
            cursor.execute(f"{prefix}{query.text}{suffix}".encode(connection.info.encoding), prepare=False)
        except psycopg.Error as error:
            raise explain_failure(error, query, prefix=len(prefix)) from error
        return tuple(column.name for column in cursor.description or ())


def stage(
    connection: PgConnection,
    query: BoundStatement,
    *,
    dimension: Dimension,
    source: Source,
    given: tuple[str, ...],
) -> int:
    """Run the query once and keep its rows.

    Args:
        connection: Connection in the application's transaction.
        query: The query.
        dimension: Whose columns' types, collations and assignment casts the rows get.
        source: Its columns that are not the dimension's.
        given: Names of all its columns.

    Returns:
        How many rows it gave.

    Raises:
        StatementError: The query failed.
        HistoryError: A key or time is null, or a value does not fit its column.
    """
    special = _special(dimension, source, given)
    wanted = {column.name: sql.Identifier(column.name) for column in (*dimension.key, *dimension.values)}
    selected = [*wanted.values(), *(selected for _, selected, _ in special)]
    targets = [*wanted.values(), *(target for target, _, _ in special)]
    definitions = [
        *(
            _definition(column, required=column in dimension.key)
            for column in (*dimension.key, *dimension.values)
        ),
        *(definition for _, _, definition in special),
    ]
    connection.execute(
        sql.SQL("create temporary table windlass_statement ({}) on commit drop").format(joined(definitions))
    )
    prefix = (
        sql.SQL("insert into {} ({}) select {} from (\n")
        .format(STATEMENT, joined(targets), joined(selected))
        .as_string(connection)
    )
    text = f"{prefix}{query.text}\n) as windlass_row"
    try:
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(text.encode(connection.info.encoding), prepare=False)
            return cursor.rowcount
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        found = unfit_rows(connection, query, dimension=dimension, source=source, error=error)
        raise found from error
    except psycopg.Error as error:
        raise explain_failure(error, query, prefix=len(prefix)) from error


def _special(
    dimension: Dimension, source: Source, given: tuple[str, ...]
) -> list[tuple[sql.Composable, sql.Composable, sql.Composable]]:
    """For the query's columns that are not the dimension's: target, SQL of the value, definition."""
    missing = [
        name for name in (source.effective_at, source.deleted) if name is not None and name not in given
    ]
    if missing:
        raise TableError(
            f"The query does not give {', '.join(map(repr, missing))}.",
            table=str(dimension.table),
            advice="Select the time of each change (effective_at), and whether it is a deletion (deleted).",
        )
    found: list[tuple[sql.Composable, sql.Composable, sql.Composable]] = []
    if source.effective_at is not None or source.since is not None:
        definition = sql.SQL("{} {} not null").format(AT, dimension.instant_type)
        found.append((AT, _since(source, dimension), definition))
        gone: sql.Composable = sql.SQL("false")
        if source.deleted is not None:
            gone = sql.SQL("coalesce({}, false)").format(sql.Identifier(source.deleted))
        found.append((GONE, gone, sql.SQL("{} boolean not null").format(GONE)))
    return found


def _since(source: Source, dimension: Dimension) -> sql.Composable:
    if source.effective_at is not None:
        return sql.Identifier(source.effective_at)
    assert source.since is not None
    instant = sql.SQL("{}::timestamptz").format(sql.Literal(source.since.isoformat()))
    # The query's session may be in any time zone; a dimension without one is taken as UTC, as for snapshots.
    if dimension.begins.type_name.endswith("with time zone"):
        return instant
    return sql.SQL("({} at time zone 'UTC')").format(instant)


def _definition(column: Column, *, required: bool) -> sql.Composed:
    return sql.SQL("{} {}{}{}").format(
        sql.Identifier(column.name),
        sql.SQL(column.type_name),
        sql.SQL(" collate {}").format(sql.Identifier(*column.collation)) if column.collation else sql.SQL(""),
        sql.SQL(" not null" if required else ""),
    )

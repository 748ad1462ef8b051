"""The dimension as the catalog describes it: its key, its validity columns, and what the query must give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError, TableError
from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table
from windlass.warehouse.publish.catalog import read_constraints
from windlass.warehouse.publish.meddling import read_meddlers
from windlass.warehouse.scd2.fragments import at
from windlass.warehouse.scd2.model import Period, Source

__all__ = ["Dimension", "describe_dimension"]

_INSTANT = re.compile(r"timestamp(\(\d\))? with(out)? time zone|date")
# A default that is nearer than this is a time by which a version really ends.
_FAR = "now() + interval '50 years'"
# Only an index that calls equal what the join calls equal proves anything: the columns' own collation, the
# type's own operators, checked at once, and for rows of inheriting tables too, which no index spans.
_ONE_VERSION = """
select coalesce(pg_get_expr(i.indpred, i.indrelid), 'true') from pg_index as i
where i.indrelid = %(table)s and i.indisunique and i.indisvalid and i.indimmediate and not i.indisexclusion
and i.indexprs is null and not exists (
    select from generate_series(0, i.indnkeyatts - 1) as k
    join pg_opclass as o on o.oid = i.indclass[k]
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[k]
    where a.attname <> all (%(key)s) or not o.opcdefault or i.indcollation[k] <> a.attcollation
)
and not exists (select from pg_inherits as h join pg_class as c on c.oid = h.inhparent
    where h.inhparent = i.indrelid and c.relkind = 'r')
order by i.indpred is not null, i.indexrelid limit 1
"""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A table with one row for each version of each key.

    Attributes:
        table: The table.
        key: Its natural key.
        values: The other columns that the query gives.
        tracked: Those of them whose change begins a version.
        begins: From when a version holds.
        ends: Until when.
        current: Whether it is open, if there is such a column.
        open_end: SQL of the end of an open version, typed.
        nulls_open: Whether that is null.
        meddlers: Its triggers and rules, which may change what is written.
        one_version: SQL condition under which a unique index lets a key have one version only.
    """

    table: Table
    key: tuple[Column, ...]
    values: tuple[Column, ...]
    tracked: tuple[Column, ...]
    begins: Column
    ends: Column
    current: Column | None
    open_end: sql.Composable
    nulls_open: bool
    meddlers: tuple[str, ...]
    one_version: sql.SQL

    @property
    def identifier(self) -> sql.Identifier:
        """Its quoted name."""
        return self.table.name.identifier

    @property
    def untracked(self) -> tuple[Column, ...]:
        """The columns that are overwritten in place."""
        return tuple(column for column in self.values if column not in self.tracked)

    @property
    def instant_type(self) -> sql.SQL:
        """The type of the instants, as SQL."""
        return sql.SQL(self.begins.type_name)

    def is_open(self, alias: str) -> sql.Composed:
        """SQL: whether the version of an alias has no end."""
        return sql.SQL("({} is not distinct from {})").format(at(alias, self.ends.name), self.open_end)

    def ends_after(self, alias: str, instant: sql.Composable) -> sql.Composed:
        """SQL: whether the version of an alias goes on after an instant."""
        end = at(alias, self.ends.name)
        test = "({end} > {instant} or {end} is null)" if self.nulls_open else "{end} > {instant}"
        return sql.SQL(test).format(end=end, instant=instant)

    def covers(self, alias: str, instant: sql.Composable) -> sql.Composed:
        """SQL: whether the version of an alias holds at an instant."""
        return sql.SQL("({} <= {} and {})").format(
            at(alias, self.begins.name), instant, self.ends_after(alias, instant)
        )

    def named(self, row: Sequence[object]) -> str:
        """A key's values with their columns, for messages."""
        return ", ".join(f"{column.name} = {value!r}" for column, value in zip(self.key, row, strict=False))


def describe_dimension(
    connection: PgConnection,
    text: str,
    *,
    key: Sequence[str],
    period: Period,
    source: Source,
    given: Sequence[str],
) -> Dimension:
    """Read a dimension from the catalog, and hold the query's columns against it.

    Args:
        connection: Connection to the warehouse.
        text: The table's name.
        key: Names of its natural key.
        period: Names of its validity columns.
        source: The query's columns that are not the dimension's, and what is tracked.
        given: Names of the query's columns.

    Raises:
        TableError: The table is no such dimension, or a column is missing or unknown.
        HistoryError: There is no key.
    """
    table = describe_table(connection, text)
    if table.kind not in ("r", "p"):
        raise TableError(f"{table} is not a table.", table=text, advice="Name the table behind the view.")
    begins, ends = (_instant(table, name) for name in (period.valid_from, period.valid_to))
    if begins.type_name != ends.type_name:
        raise TableError(
            f"{begins.name} and {ends.name} of {table} are of different types.",
            table=text,
            advice="Make both timestamptz.",
        )
    current = _current(table, period)
    own = {column.name for column in (begins, ends, current) if column is not None}
    wanted = [name for name in given if name not in (source.effective_at, source.deleted)]
    if (
        source.effective_at in given
        and source.effective_at in table.columns
        and source.effective_at not in own
    ):
        wanted.append(str(source.effective_at))
    columns = columns_named(table, wanted, source="The query")
    named = _key(table, key, own)
    _check_given(table, named, [column.name for column in columns], own)
    values = tuple(column for column in columns if column.name not in key)
    _check_unique(connection, table, named, begins)
    open_end, nulls_open = _open_end(connection, table, ends)
    meddlers = read_meddlers(connection, table)
    return Dimension(
        table=table,
        key=named,
        values=values,
        tracked=_tracked(table, values, source.track),
        begins=begins,
        ends=ends,
        current=current if current is not None and current.is_writable else None,
        open_end=open_end,
        nulls_open=nulls_open,
        meddlers=(*meddlers.on_insert, *meddlers.on_update),
        one_version=_one_version(connection, table, key),
    )


def _instant(table: Table, name: str) -> Column:
    column = table.columns.get(name)
    if column is None or not _INSTANT.fullmatch(column.type_name) or not column.is_writable:
        raise TableError(
            f"{table} has no column {name!r} that tells when a version holds.",
            table=str(table),
            advice="Add it as timestamptz (timestamp and date do, too), or name the columns that are there: "
            "valid_from, valid_to.",
        )
    return column


def _current(table: Table, period: Period) -> Column | None:
    if period.is_current is None:
        return None
    column = table.columns.get(period.is_current)
    if column is None and period.is_current == Period().is_current:
        return None
    if column is None or column.type_name != "boolean":
        raise TableError(
            f"{table} has no boolean column {period.is_current!r}.",
            table=str(table),
            advice="Name the one it has, or give is_current=None.",
        )
    return column


def _key(table: Table, key: Sequence[str], own: set[str]) -> tuple[Column, ...]:
    if not key or len(set(key)) < len(key):
        raise HistoryError(
            f"The key of {table} is {list(key)}, which is empty or names a column twice.",
            advice="Give the columns of its natural key, without valid_from.",
        )
    unknown = [name for name in key if name not in table.columns or name in own]
    if unknown:
        raise TableError(
            f"{table} has no key column {', '.join(map(repr, unknown))}.",
            table=str(table),
            advice=f"It has: {', '.join(name for name in table.columns if name not in own)}.",
        )
    return tuple(table.columns[name] for name in key)


def _check_given(table: Table, key: Sequence[Column], given: Sequence[str], own: set[str]) -> None:
    wrong = [name for name in given if name in own]
    if wrong:
        raise TableError(
            f"The query gives {', '.join(map(repr, wrong))}, which are kept here.",
            table=str(table),
            advice="Leave them out; a column with the time of a change is named by effective_at.",
        )
    needed = [column.name for column in key if column.name not in given]
    needed += [
        column.name
        for column in table.columns.values()
        if column.name not in (*given, *own, *needed) and not column.is_filled_by_table
    ]
    if needed:
        raise TableError(
            f"The query does not give {', '.join(map(repr, needed))} of {table}.",
            table=str(table),
            advice="Select them, named as the table's columns, or give them a default there.",
        )


def _tracked(table: Table, values: Sequence[Column], track: Sequence[str] | None) -> tuple[Column, ...]:
    names = {column.name for column in values}
    unknown = [name for name in track or () if name not in names]
    if unknown:
        raise TableError(
            f"{', '.join(map(repr, unknown))} cannot be tracked: the query gives no such column beside "
            "the key.",
            table=str(table),
            advice=f"It gives: {', '.join(sorted(names)) or 'none'}.",
        )
    return tuple(column for column in values if track is None or column.name in track)


def _check_unique(connection: PgConnection, table: Table, key: Sequence[Column], begins: Column) -> None:
    wanted = [*(column.name for column in key), begins.name]
    for unique in read_constraints(connection, table).uniques:
        if unique.predicate is None and sorted(map(str, unique.columns)) == sorted(wanted):
            return
    listed = sql.SQL(", ").join(map(sql.Identifier, wanted)).as_string(connection)
    name = table.name.identifier.as_string(connection)
    raise TableError(
        f"{table} has no unique constraint on ({listed}), so that one version could be there twice.",
        table=str(table),
        advice=f"Add it: alter table {name} add unique ({listed});",
    )


def _one_version(connection: PgConnection, table: Table, key: Sequence[str]) -> sql.SQL:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_ONE_VERSION, {"table": table.oid, "key": list(key)})
        (predicate,) = cursor.fetchone() or ("false",)
    return sql.SQL(predicate)


def _open_end(connection: PgConnection, table: Table, ends: Column) -> tuple[sql.Composable, bool]:
    """How the end of an open version is written: the column's default, else null, else infinity."""
    kind = sql.SQL(ends.type_name)
    if ends.expression is None:
        null = not ends.not_null
        return sql.SQL("null::{}" if null else "'infinity'::{}").format(kind), null
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL("select e::text, e is null or e > {} from (select ({})::{} as e) as windlass_row").format(
                sql.SQL(_FAR), sql.SQL(ends.expression), kind
            )
        )
        found, far = cursor.fetchone() or (None, True)
    if not far:
        raise TableError(
            f"The default of {ends.name} of {table} is {found}, a time at which versions would end.",
            table=str(table),
            advice=f"Let an open version end never: alter column {ends.name} set default 'infinity'",
        )
    return sql.SQL("{}::{}").format(sql.Literal(found), kind), found is None

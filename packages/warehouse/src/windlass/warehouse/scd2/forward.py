"""A snapshot that is later than all that is known, the common case: versions are closed, others begin."""

from __future__ import annotations

from psycopg import sql

from windlass.warehouse.load.table import PgConnection, names
from windlass.warehouse.scd2.compare import Difference
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fit import Written, expect, fill, verify, within
from windlass.warehouse.scd2.fragments import CHANGE, at, joined, same
from windlass.warehouse.scd2.stage import prefer_lookups

__all__ = ["append_versions", "overwrite"]


def append_versions(
    connection: PgConnection,
    dimension: Dimension,
    found: Difference,
    *,
    instant: sql.Composable,
    versions: int,
) -> None:
    """Close the versions that hold no longer and begin new ones.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        found: How many keys differ.
        instant: The snapshot's.
        versions: How many versions there are.
    """
    current = dimension.current
    if found.changed or found.missing:
        prefer_lookups(connection, few=found.changed + found.missing, many=versions)
        done = connection.execute(
            sql.SQL(
                "update {table} as t set {end} = {instant}{current} from {change} as c "
                'where {same} and {begin} = c."windlass old from" '
                "and c.\"windlass kind\" in ('changed', 'missing')"
            ).format(
                table=dimension.identifier,
                end=sql.Identifier(dimension.ends.name),
                instant=instant,
                current=sql.SQL(", {} = false").format(sql.Identifier(current.name))
                if current
                else sql.SQL(""),
                change=CHANGE,
                same=same("t", "c", dimension.key),
                begin=at("t", dimension.begins.name),
            )
        )
        expect(dimension, wanted=found.changed + found.missing, written=done.rowcount)
    if found.changed or found.new:
        _insert(connection, dimension, found, instant=instant)
    old = sql.SQL('w."windlass old from"')
    closed = Written(("changed", "missing"), old, instant, False, found.changed + found.missing)
    begun = Written(("changed", "new"), instant, dimension.open_end, True, found.changed + found.new)
    verify(connection, dimension, closed, of=CHANGE)
    verify(connection, dimension, begun, of=CHANGE)


def _insert(
    connection: PgConnection, dimension: Dimension, found: Difference, *, instant: sql.Composable
) -> None:
    given = [column.name for column in (*dimension.key, *dimension.values)]
    filled = [*given, dimension.begins.name, dimension.ends.name]
    values = [*(at("c", name) for name in given), instant, dimension.open_end]
    if dimension.current is not None:
        filled.append(dimension.current.name)
        values.append(sql.SQL("true"))
    written = 0

    def write(first: int, last: int) -> None:
        nonlocal written
        done = connection.execute(
            sql.SQL(
                "insert into {} ({}) select {} from {} as c "
                "where c.\"windlass kind\" in ('new', 'changed') and {}"
            ).format(
                dimension.identifier,
                names(filled),
                joined(values),
                CHANGE,
                within(first, last, rows=found.keys, alias="c"),
            )
        )
        written = done.rowcount

    fill(connection, dimension, write, of=CHANGE, rows=found.keys)
    expect(dimension, wanted=found.new + found.changed, written=written)


def overwrite(connection: PgConnection, dimension: Dimension, found: Difference) -> None:
    """Overwrite columns that are not tracked, where nothing else has changed.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        found: How many keys differ.
    """
    if not found.touched:
        return
    written = 0

    def write(first: int, last: int) -> None:
        nonlocal written
        done = connection.execute(
            sql.SQL(
                'update {} as t set {} from {} as c where {} and {} = c."windlass old from" '
                "and c.\"windlass kind\" = 'touched' and {}"
            ).format(
                dimension.identifier,
                joined(
                    sql.SQL("{} = {}").format(sql.Identifier(column.name), at("c", column.name))
                    for column in dimension.untracked
                ),
                CHANGE,
                same("t", "c", dimension.key),
                at("t", dimension.begins.name),
                within(first, last, rows=found.keys, alias="c"),
            )
        )
        written = done.rowcount

    fill(connection, dimension, write, of=CHANGE, rows=found.keys)
    expect(dimension, wanted=found.touched, written=written)
    touched = Written(("touched",), sql.SQL('w."windlass old from"'), None, True, found.touched)
    verify(connection, dimension, touched, of=CHANGE)

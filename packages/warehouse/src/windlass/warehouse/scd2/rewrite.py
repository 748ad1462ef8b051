"""The woven versions written over those that are there: as few rows as possible, surrogate keys kept."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.load.table import PgConnection, names
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fit import Written, expect, fill, verify, within
from windlass.warehouse.scd2.fragments import WOVEN, WRITE, at, columns, differs, joined, same
from windlass.warehouse.scd2.references import referenced, refuse_cascades

__all__ = ["rewrite"]

_PLAN = """
create temporary table windlass_write on commit drop as
select row_number() over () as "windlass ord",
    case when {old} is null then 'new' when n."windlass at" is null then 'removed' else 'kept'
    end as "windlass kind",
    {key}{values}, n."windlass at" as "windlass begin", n."windlass until" as "windlass until",
    {old} as "windlass old begin", {old_end} as "windlass old until",
    {differs} as "windlass corrected"
from (select * from {woven} as w where w."windlass begins" and not w."windlass gone") as n
full join (
    select t.* from {table} as t join (select distinct {w_key} from {woven} as w) as k on {t_is_k}
) as o on {n_is_o} and n."windlass at" = {old}
where {old} is null or n."windlass at" is null or n."windlass until" is distinct from {old_end} or {differs}
"""
# A version whose beginning is one no more, because its run begins earlier now, goes on as that run's row.
_REUSE = """
with moved as (
    select distinct on (n."windlass ord") n."windlass ord" as ord, o."windlass ord" as old,
        o."windlass old begin" as old_begin, o."windlass old until" as old_until
    from {write} as n join {write} as o on {same}
    where n."windlass kind" = 'new' and o."windlass kind" = 'removed'
        and o."windlass old begin" > n."windlass begin"
        and (o."windlass old begin" < n."windlass until" or n."windlass until" is null)
    order by n."windlass ord", o."windlass old begin"
),
taken as (delete from {write} as o using moved where o."windlass ord" = moved.old)
update {write} as n set "windlass kind" = 'kept', "windlass old begin" = moved.old_begin,
    "windlass old until" = moved.old_until, "windlass corrected" = true
from moved where n."windlass ord" = moved.ord
"""
_SHORTER = """coalesce(w."windlass until", 'infinity') < coalesce(w."windlass old until", 'infinity')"""
_OTHER = f"""(not {_SHORTER} or w."windlass corrected" or w."windlass begin" <> w."windlass old begin")"""
_COUNT = """
select coalesce(max(w."windlass ord"), 0), count(*) filter (where w."windlass kind" = 'removed'),
    count(*) filter (where w."windlass kind" = 'new'),
    count(*) filter (where w."windlass kind" = 'kept'),
    count(*) filter (where w."windlass kind" = 'kept' and {shorter}),
    count(*) filter (where w."windlass kind" = 'kept' and {other})
from {write} as w
"""


def rewrite(connection: PgConnection, dimension: Dimension) -> None:
    """Bring the versions of the woven keys to what they should be.

    Space is made first and filled then, so that no two versions of a key overlap even within a statement:
    exclusion constraints and partial unique indexes are content all the time.

    Raises:
        HistoryError: A version that must go is referred to, or a row does not fit.
    """
    _plan(connection, dimension)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL(_COUNT).format(write=WRITE, shorter=sql.SQL(_SHORTER), other=sql.SQL(_OTHER)))
        rows, removed, new, kept, shorter, other = cursor.fetchone() or (0, 0, 0, 0, 0, 0)
    if removed:
        expect(dimension, wanted=removed, written=_remove(connection, dimension))
    if shorter:
        expect(dimension, wanted=shorter, written=_shorten(connection, dimension))
    if new + other:
        _fill(connection, dimension, rows=rows, wanted=new + other)
    there = Written(
        ("kept", "new"), sql.SQL('w."windlass begin"'), sql.SQL('w."windlass until"'), True, new + kept
    )
    verify(connection, dimension, there, of=WRITE)


def _fill(connection: PgConnection, dimension: Dimension, *, rows: int, wanted: int) -> None:
    written = 0

    def write(first: int, last: int) -> None:
        nonlocal written
        part = within(first, last, rows=rows, alias="w")
        written = _change(connection, dimension, part) + _insert(connection, dimension, part)

    fill(connection, dimension, write, of=WRITE, rows=rows)
    expect(dimension, wanted=wanted, written=written)


def _plan(connection: PgConnection, dimension: Dimension) -> None:
    connection.execute(
        sql.SQL(_PLAN).format(
            old=at("o", dimension.begins.name),
            old_end=at("o", dimension.ends.name),
            key=joined(
                sql.SQL("coalesce({}, {}) as {}").format(
                    at("n", column.name), at("o", column.name), sql.Identifier(column.name)
                )
                for column in dimension.key
            ),
            values=sql.SQL("").join(
                sql.SQL(", {}").format(at("n", column.name)) for column in dimension.values
            ),
            differs=differs(
                (column, at("n", column.name), at("o", column.name)) for column in dimension.values
            ),
            woven=WOVEN,
            table=dimension.identifier,
            w_key=columns("w", dimension.key),
            t_is_k=same("t", "k", dimension.key),
            n_is_o=same("n", "o", dimension.key),
        )
    )
    connection.execute(sql.SQL(_REUSE).format(write=WRITE, same=same("n", "o", dimension.key)))


def _is_old(dimension: Dimension) -> sql.Composed:
    return sql.SQL('{} and {} = w."windlass old begin"').format(
        same("t", "w", dimension.key), at("t", dimension.begins.name)
    )


def _remove(connection: PgConnection, dimension: Dimension) -> int:
    refuse_cascades(connection, dimension, removed=_is_old(dimension))
    try:
        with connection.transaction():
            done = connection.execute(
                sql.SQL(
                    "delete from {} as t using {} as w where w.\"windlass kind\" = 'removed' and {}"
                ).format(dimension.identifier, WRITE, _is_old(dimension))
            )
            return done.rowcount
    except (psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation) as error:
        raise referenced(dimension, error) from error


def _ending(dimension: Dimension) -> list[sql.Composed]:
    end = sql.SQL('{} = w."windlass until"').format(sql.Identifier(dimension.ends.name))
    if dimension.current is None:
        return [end]
    current = sql.SQL('{} = w."windlass until" is not distinct from {}').format(
        sql.Identifier(dimension.current.name), dimension.open_end
    )
    return [end, current]


def _shorten(connection: PgConnection, dimension: Dimension) -> int:
    done = connection.execute(
        sql.SQL("update {} as t set {} from {} as w where w.\"windlass kind\" = 'kept' and {} and {}").format(
            dimension.identifier, joined(_ending(dimension)), WRITE, sql.SQL(_SHORTER), _is_old(dimension)
        )
    )
    return done.rowcount


def _change(connection: PgConnection, dimension: Dimension, part: sql.Composable) -> int:
    sets = [
        *(
            sql.SQL("{} = {}").format(sql.Identifier(column.name), at("w", column.name))
            for column in dimension.values
        ),
        sql.SQL('{} = w."windlass begin"').format(sql.Identifier(dimension.begins.name)),
        *_ending(dimension),
    ]
    done = connection.execute(
        sql.SQL(
            "update {} as t set {} from {} as w where w.\"windlass kind\" = 'kept' and {} and {} and {}"
        ).format(dimension.identifier, joined(sets), WRITE, sql.SQL(_OTHER), _is_old(dimension), part)
    )
    return done.rowcount


def _insert(connection: PgConnection, dimension: Dimension, part: sql.Composable) -> int:
    given = [column.name for column in (*dimension.key, *dimension.values)]
    filled = [*given, dimension.begins.name, dimension.ends.name]
    values = [
        *(at("w", name) for name in given),
        sql.SQL('w."windlass begin"'),
        sql.SQL('w."windlass until"'),
    ]
    if dimension.current is not None:
        filled.append(dimension.current.name)
        values.append(sql.SQL('w."windlass until" is not distinct from {}').format(dimension.open_end))
    done = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} as w where w.\"windlass kind\" = 'new' and {}").format(
            dimension.identifier, names(filled), joined(values), WRITE, part
        )
    )
    return done.rowcount

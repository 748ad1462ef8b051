"""The rules a table imposes on its rows, read from the catalog: the one place where they are surely right."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import tuple_row

from windlass.warehouse.errors import TableError
from windlass.warehouse.load.table import PgConnection, Table, TableName

__all__ = ["Check", "Constraints", "ForeignKey", "Unique", "read_constraints"]

# Columns that only newer servers have (conenforced, conperiod: 18) are read through to_jsonb.
_CONSTRAINTS = """
select
    c.contype::text,
    c.conname,
    pg_get_expr(c.conbin, c.conrelid),
    pg_get_constraintdef(c.oid),
    (select array_agg(a.attname order by k.position)
     from unnest(c.conkey) with ordinality as k (number, position)
     join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.number),
    (select array_agg(a.attname order by k.position)
     from unnest(c.confkey) with ordinality as k (number, position)
     join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.number),
    c.confrelid::bigint,
    n.nspname,
    r.relname,
    c.confmatchtype = 'f',
    c.condeferrable,
    coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false)
from pg_constraint as c
left join pg_class as r on r.oid = c.confrelid
left join pg_namespace as n on n.oid = r.relnamespace
where c.conrelid = %s and c.conparentid = 0 and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
order by c.conname
"""

_UNIQUE = """
select
    i.indexrelid::regclass::text,
    (select array_agg(pg_get_indexdef(i.indexrelid, k, false) order by k)
     from generate_series(1, i.indnkeyatts::integer) as k),
    (select array_agg(a.attname order by k) from generate_series(1, i.indnkeyatts::integer) as k
     left join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[k - 1]),
    pg_get_expr(i.indpred, i.indrelid),
    i.indnullsnotdistinct,
    array(select a.attname from pg_depend as d
          join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
          where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
          union
          select a.attname from pg_attribute as a where a.attrelid = i.indrelid and a.attnum = any (i.indkey))
from pg_index as i
where i.indrelid = %s and i.indisunique and i.indislive and not i.indisexclusion
order by not i.indisprimary, i.indexrelid
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint: its name, SQL expression, definition and columns."""

    name: str
    expression: str
    definition: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique index, that of a constraint or not.

    Attributes:
        name: The index's name.
        keys: SQL of each of its keys: a quoted column, or an expression.
        columns: For each key its column, None for an expression.
        predicate: SQL of the condition under which it applies, if it is partial.
        nulls_equal: Whether two nulls count as equal (`nulls not distinct`).
        needs: Every column its keys and predicate read.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str | None, ...]
    predicate: str | None
    nulls_equal: bool
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: its name, columns, and the table and columns they refer to.

    Attributes:
        match_full: Whether a key that is null in part only is refused.
    """

    name: str
    columns: tuple[str, ...]
    table_oid: int
    table: TableName
    references: tuple[str, ...]
    match_full: bool


@dataclass(frozen=True, slots=True)
class Constraints:
    """Everything a table refuses rows for, as far as the catalog tells it.

    Attributes:
        deferrable: Names of constraints that may be checked at commit only.
    """

    checks: tuple[Check, ...]
    uniques: tuple[Unique, ...]
    foreign_keys: tuple[ForeignKey, ...]
    deferrable: tuple[str, ...]


def read_constraints(connection: PgConnection, table: Table) -> Constraints:
    """Read what a table demands of its rows.

    Raises:
        TableError: It is not a table, e.g. a view, which has no constraints of its own.
    """
    if table.kind not in ("r", "p"):
        raise TableError(
            f"{table} is not a table, so it has no constraints to audit rows against.",
            table=str(table),
            advice="Publish into the table behind it.",
        )
    checks, foreign_keys, deferrable = list[Check](), list[ForeignKey](), list[str]()
    with connection.cursor(row_factory=tuple_row) as cursor:
        for row in cursor.execute(_CONSTRAINTS, [table.oid]):
            (
                kind,
                name,
                expression,
                definition,
                columns,
                references,
                oid,
                schema,
                other,
                full,
                late,
                period,
            ) = row
            if late:
                deferrable.append(name)
            if kind == "c":
                checks.append(Check(name, expression, definition, tuple(columns or ())))
            elif kind == "f" and not period:
                foreign_keys.append(
                    ForeignKey(name, tuple(columns), oid, TableName(schema, other), tuple(references), full)
                )
        uniques = [
            Unique(row[0], tuple(row[1]), tuple(row[2]), row[3], row[4], tuple(row[5]))
            for row in cursor.execute(_UNIQUE, [table.oid])
        ]
    return Constraints(
        tuple(checks),
        tuple(uniques),
        tuple(foreign_keys),
        tuple(deferrable),
    )

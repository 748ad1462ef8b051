"""Versions that must go although other tables refer to them."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import WRITE, at, joined

__all__ = ["referenced", "refuse_cascades"]

_ADVICE = (
    "A correction made this version part of its neighbour. Point the rows that refer to it at the neighbour "
    "and apply again, best in one transaction; or leave the correction out."
)
# Foreign keys that would delete or blank the rows that refer to a version, instead of refusing.
_CASCADES = """
select c.conname, n.nspname, r.relname,
    array(select a.attname::text from unnest(c.conkey) with ordinality as k (number, position)
          join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.number order by k.position),
    array(select a.attname::text from unnest(c.confkey) with ordinality as k (number, position)
          join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.number order by k.position)
from pg_constraint as c
join pg_class as r on r.oid = c.conrelid
join pg_namespace as n on n.oid = r.relnamespace
where c.contype = 'f' and c.confrelid = %s and c.confdeltype in ('c', 'n', 'd') and c.conparentid = 0
"""


def refuse_cascades(connection: PgConnection, dimension: Dimension, *, removed: sql.Composable) -> None:
    """Refuse to remove versions if rows that refer to them would be deleted or blanked with them.

    Args:
        connection: Connection in the application's transaction.
        dimension: The dimension.
        removed: SQL: whether version `t` is the one of row `w` of what is written.

    Raises:
        HistoryError: Naming the foreign key.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        for name, schema, table, referring, referred in cursor.execute(
            _CASCADES, [dimension.table.oid]
        ).fetchall():
            pairs = joined(
                (
                    sql.SQL("{} = {}").format(at("r", a), at("t", b))
                    for a, b in zip(referring, referred, strict=True)
                ),
                " and ",
            )
            cursor.execute(
                sql.SQL(
                    "select from {} as t join {} as w on {} join {} as r on {} "
                    "where w.\"windlass kind\" = 'removed' limit 1"
                ).format(dimension.identifier, WRITE, removed, sql.Identifier(schema, table), pairs)
            )
            if cursor.fetchone() is not None:
                raise HistoryError(
                    f"A version of {dimension.table} would go, and rows of {schema}.{table} with it or their "
                    f"reference ({name}). Nothing was changed.",
                    advice=_ADVICE,
                )


def referenced(dimension: Dimension, error: psycopg.IntegrityError) -> HistoryError:
    """The error for a version that PostgreSQL does not remove because something refers to it."""
    detail = error.diag.message_detail or error.diag.message_primary or str(error)
    return HistoryError(
        f"A version of {dimension.table} would go, and is referred to ({error.diag.constraint_name}): "
        f"{detail} Nothing was changed.",
        advice=_ADVICE,
    )

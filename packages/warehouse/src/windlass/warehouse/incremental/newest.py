"""One row a key: an increment from a log of changes has several, and the highest watermark wins."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import WatermarkError
from windlass.warehouse.load.table import PgConnection, Table, names

__all__ = ["keep_newest"]

_EXAMPLES = 3


def keep_newest(
    connection: PgConnection, stage: Table, *, columns: Sequence[str], key: Sequence[str], watermark: str
) -> int:
    """Remove rows of the stage that a newer row of their key replaces, and copies of the newest.

    Args:
        connection: Connection in the load's transaction.
        stage: The staged rows.
        columns: The columns they bring.
        key: The key.
        watermark: The watermark column.

    Returns:
        How many were removed.

    Raises:
        WatermarkError: Rows of one key differ and share the highest watermark, or one has none: the newest
            cannot be told.
    """
    parts = {
        "stage": stage.name.identifier,
        "key": names(key),
        "columns": names(columns),
        "watermark": sql.Identifier(watermark),
        "texts": sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in key),
        "not_null": sql.SQL(" and ").join(
            sql.SQL("{} is not null").format(sql.Identifier(name)) for name in key
        ),
        "limit": sql.Literal(_EXAMPLES),
    }
    doubles = sql.SQL("select {key} from {stage} where {not_null} group by {key} having count(*) > 1").format(
        **parts
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        if cursor.execute(sql.SQL("{} limit 1").format(doubles)).fetchone() is None:
            return 0
        tied = cursor.execute(sql.SQL(_TIED).format(**parts, doubles=doubles)).fetchall()
        if tied:
            told = "; ".join(f"({', '.join(values)})" for _, *values in tied)
            raise WatermarkError(
                f"{tied[0][0]} keys ({', '.join(key)}) have rows that differ and share their highest "
                f"{watermark}, or have none, so that the newest cannot be told: {told}.",
                advice="Have the query give one row a key, e.g. by distinct on with an order of its own.",
            )
        return cursor.execute(sql.SQL(_REMOVE).format(**parts, doubles=doubles)).rowcount


_TIED = """
select count(*) over (), {texts} from (
    select {columns}, rank() over (partition by {key} order by {watermark} desc nulls last) as windlass_rank
    from {stage} where ({key}) in ({doubles})
) as windlass_row
where windlass_rank = 1 or {watermark} is null group by {key} having count(distinct row({columns})::text) > 1
order by {key} limit {limit}
"""
_REMOVE = """
delete from {stage} where ctid in (
    select ctid from (
        select
            ctid,
            row_number() over (partition by {key} order by {watermark} desc nulls last) as windlass_rank
        from {stage} where ({key}) in ({doubles})
    ) as windlass_row where windlass_rank > 1
)
"""

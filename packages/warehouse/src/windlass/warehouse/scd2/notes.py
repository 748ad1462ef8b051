"""What is remembered of a dimension beside its rows: how it is kept, its snapshots, its marks."""

from __future__ import annotations

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.table import Column, PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import WOVEN, at, joined
from windlass.warehouse.scd2.model import Mode

__all__ = ["keep_marks", "marks_of", "next_snapshot", "note_snapshot", "note_target", "recall"]

_FORGET = ("ops.scd2_snapshot", "ops.scd2_mark", "ops.scd2_target")
_NOTE_TARGET = """
insert into ops.scd2_target (target_table, target_oid, mode, key_columns, has_versions)
values (%(table)s, %(oid)s, %(mode)s, %(key)s, %(has_versions)s)
on conflict (target_table) do update set has_versions = excluded.has_versions, applied_at = now()
"""
_NOTE_SNAPSHOT = """
insert into ops.scd2_snapshot (target_table, target_oid, as_of, row_count, dag_id, run_id, task_id, map_index)
values (%(table)s, %(oid)s, %(as_of)s, %(rows)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)
on conflict (target_table, as_of) do update set
    row_count = excluded.row_count, dag_id = excluded.dag_id, run_id = excluded.run_id,
    task_id = excluded.task_id, map_index = excluded.map_index, applied_at = now()
"""
# Equal values of these types are written alike, so that an index on the text of the key can be used.
_WRITTEN_ALIKE = frozenset(
    {
        "smallint", "integer", "bigint", "numeric", "boolean", "uuid", "date", "text", "character varying",
        "timestamp with time zone", "timestamp without time zone",
    }
)  # fmt: skip


def recall(connection: PgConnection, dimension: Dimension, *, mode: Mode, empty: bool) -> None:
    """Make sure that what is noted belongs to this table, this key and this mode.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        mode: How it is to be kept.
        empty: Whether it has no row: if it had any, somebody emptied it, and what is noted is forgotten.

    Raises:
        HistoryError: It is kept in the other mode, or by another key.
    """
    name, table = dimension.table.ledger_name, dimension.table
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "select target_oid, mode, key_columns, has_versions from ops.scd2_target where target_table = %s",
            [name],
        )
        found = cursor.fetchone()
        if found is None:
            return
        oid, kept, key, has_versions = found
        if oid != table.oid or (empty and has_versions):
            for ledger in _FORGET:
                cursor.execute(
                    sql.SQL("delete from {} where target_table = %s").format(sql.SQL(ledger)), [name]
                )
            return
    if kept != mode:
        raise HistoryError(
            f"{table} is kept by {_MODES[kept]}, and cannot be kept by {_MODES[mode]} as well.",
            advice="Use one mode for a dimension (a snapshot with complete=False counts as changes), or "
            "empty it and begin anew.",
        )
    wanted = [column.name for column in dimension.key]
    if key != wanted:
        raise HistoryError(
            f"The history of {table} is kept by the key {', '.join(key)}, not by {', '.join(wanted)}.",
            advice="Give the same key in the same order, or empty the dimension and begin anew.",
        )


_MODES = {"snapshot": "snapshots", "changes": "changes"}


def note_target(connection: PgConnection, dimension: Dimension, *, mode: Mode) -> None:
    """Note how the dimension is kept, and that something was applied: concurrent snapshots collide here."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL("select exists (select from {})").format(dimension.identifier))
        (has_versions,) = cursor.fetchone() or (False,)
        cursor.execute(
            _NOTE_TARGET,
            {
                "table": dimension.table.ledger_name,
                "oid": dimension.table.oid,
                "mode": mode,
                "key": [column.name for column in dimension.key],
                "has_versions": has_versions,
            },
        )


def note_snapshot(
    connection: PgConnection, dimension: Dimension, *, as_of: str, rows: int, context: RunContext
) -> None:
    """Note that a snapshot was applied, by whom it was last."""
    connection.execute(
        _NOTE_SNAPSHOT,
        {
            **context.parameters(),
            "table": dimension.table.ledger_name,
            "oid": dimension.table.oid,
            "as_of": as_of,
            "rows": rows,
        },
    )


def next_snapshot(connection: PgConnection, dimension: Dimension, as_of: str) -> tuple[bool, str | None]:
    """Whether a snapshot of this instant is noted, and the instant of the first one after it."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "select coalesce(bool_or(as_of = %(as_of)s), false), "
            "(min(as_of) filter (where as_of > %(as_of)s))::text "
            "from ops.scd2_snapshot where target_table = %(table)s and as_of >= %(as_of)s",
            {"as_of": as_of, "table": dimension.table.ledger_name},
        )
        known, following = cursor.fetchone() or (False, None)
        return known, following


def _as_json(alias: str, column: Column) -> sql.Composed:
    written = "to_jsonb({})" if column.category in ("N", "B") else "to_jsonb({}::text)"
    return sql.SQL(written).format(at(alias, column.name))


def row_key(alias: str, dimension: Dimension) -> sql.Composed:
    """SQL of a key as the ledger holds it."""
    return sql.SQL("jsonb_build_array({})").format(
        joined(_as_json(alias, column) for column in dimension.key)
    )


def marks_of(dimension: Dimension, keys: sql.Composable) -> sql.Composed:
    """SQL: the marks of some keys, with the keys' columns, "windlass at" and "windlass gone".

    The keys are compared as their types compare; for types whose equal values may be written in several ways
    the ledger's text alone would not do.

    Args:
        dimension: The dimension.
        keys: Name of a table of distinct keys.
    """
    conditions = [
        sql.SQL("{} = (m.row_key ->> {})::{}").format(
            at("k", column.name), sql.Literal(number), sql.SQL(column.type_name)
        )
        for number, column in enumerate(dimension.key)
    ]
    if all(
        column.type_name.partition("(")[0] in _WRITTEN_ALIKE and not column.collation
        for column in dimension.key
    ):
        conditions = [sql.SQL("m.row_key = {}").format(row_key("k", dimension))]
    return sql.SQL(
        'select {key}, m.effective_at::{type} as "windlass at", m.is_deletion as "windlass gone", '
        'm.row_key as "windlass row key" from {keys} as k '
        "join ops.scd2_mark as m on {conditions} where m.target_table = {table}"
    ).format(
        key=joined(at("k", column.name) for column in dimension.key),
        type=dimension.instant_type,
        keys=keys,
        conditions=joined(conditions, " and "),
        table=sql.Literal(dimension.table.ledger_name),
    )


def keep_marks(connection: PgConnection, dimension: Dimension) -> None:
    """Replace the marks of the keys just woven by what they are now."""
    keys = sql.SQL("(select distinct {} from {} as w)").format(
        joined(at("w", column.name) for column in dimension.key), WOVEN
    )
    connection.execute(
        sql.SQL(
            "delete from ops.scd2_mark as m using ({}) as old "
            'where m.target_table = {} and m.row_key = old."windlass row key" '
            'and m.effective_at::{} = old."windlass at"'
        ).format(marks_of(dimension, keys), sql.Literal(dimension.table.ledger_name), dimension.instant_type)
    )
    connection.execute(
        sql.SQL(
            "insert into ops.scd2_mark (target_table, target_oid, row_key, effective_at, is_deletion) "
            'select {}, {}, {}, w."windlass at", w."windlass gone" from {} as w where not w."windlass begins"'
        ).format(
            sql.Literal(dimension.table.ledger_name),
            sql.Literal(dimension.table.oid),
            row_key("w", dimension),
            WOVEN,
        )
    )

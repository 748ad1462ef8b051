"""`ops.loaded_file`: which content is in a table already, and how much of it was rejected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.copying import Mode, remove_old_rows
from windlass.warehouse.load.table import PgConnection, Table, doubled

__all__ = ["FileEntry", "claim", "settle"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file's content on its way into a table, by whom.

    Attributes:
        target: The table.
        path: The file.
        digest: SHA-256 of its bytes, in hex.
        context: Who loads.
    """

    target: Table
    path: Path
    digest: str
    context: RunContext


def claim(connection: PgConnection, entry: FileEntry, *, mode: Mode) -> tuple[int, int] | None:
    """Note the content as loaded. Waits for another load of the same content.

    The table is locked already, in the order of a replacing load, so that the two cannot deadlock.

    Returns:
        Its rows and rejected rows if it was loaded before; else None.
    """
    target, context = entry.target, entry.context
    with connection.cursor(row_factory=tuple_row) as cursor:
        if mode == "replace":
            remove_old_rows(connection, target)
        else:
            _forget_removed(cursor, target)
        cursor.execute(
            "insert into ops.loaded_file (target_table, target_oid, content_sha256, file_name, row_count, "
            "dag_id, run_id, task_id, map_index) values (%s, %s, %s, %s, 0, %s, %s, %s, %s) "
            "on conflict do nothing",
            [
                target.ledger_name,
                target.oid,
                entry.digest,
                entry.path.name,
                context.dag_id,
                context.run_id,
                context.task_id,
                context.map_index,
            ],
        )
        key = [target.ledger_name, entry.digest]
        if cursor.rowcount:
            # Of an earlier load, whose rows are gone.
            cursor.execute(
                "delete from ops.rejected_file_row where target_table = %s and content_sha256 = %s", key
            )
            return None
        cursor.execute(
            "select row_count, rejected_count from ops.loaded_file "
            "where target_table = %s and content_sha256 = %s",
            key,
        )
        rows, rejected = cursor.fetchone() or (0, 0)
        return int(rows), int(rejected)


def settle(connection: PgConnection, entry: FileEntry, *, rows: int, rejected: int) -> None:
    """Note how many rows the content brought."""
    connection.execute(
        "update ops.loaded_file set row_count = %s, rejected_count = %s "
        "where target_table = %s and content_sha256 = %s",
        [rows, rejected, entry.target.ledger_name, entry.digest],
    )


def _forget_removed(cursor: psycopg.Cursor[Any], target: Table) -> None:
    """Forget the files of a table that was emptied, or dropped and created again: their rows are gone.

    A file all of whose rows were rejected is remembered: it has none there to be missed. One statement, so
    that a load committed meanwhile is seen with its rows or not at all.
    """
    cursor.execute(
        sql.SQL(
            "delete from ops.loaded_file where target_table = %s "
            "and (target_oid <> %s or row_count > 0 and not exists (select from {}))"
        ).format(doubled(target.name.identifier, cursor.connection)),
        [target.ledger_name, target.oid],
    )

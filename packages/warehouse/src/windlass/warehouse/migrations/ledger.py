"""The ledger `ops.schema_migration`: what was applied to this database, and with which text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import psycopg
from psycopg.rows import class_row

from windlass.warehouse.errors import MigrationEditedError, MigrationUnknownError
from windlass.warehouse.migrations.files import Migration

__all__ = ["Applied", "Connection", "read_ledger", "record", "verify"]

Connection = psycopg.Connection[tuple[Any, ...]]

_EXISTS = "select to_regclass('ops.schema_migration') is not null"
_READ = """
select version, name, checksum, package_version, applied_by, applied_at, duration_ms
from ops.schema_migration order by version
"""
_RECORD = """
insert into ops.schema_migration (collection, version, name, checksum, package_version, duration_ms)
values ('windlass', %s, %s, %s, %s, %s)
returning version, name, checksum, package_version, applied_by, applied_at, duration_ms
"""


@dataclass(frozen=True)
class Applied:
    """A row of the ledger; the fields are the table's columns."""

    version: int
    name: str
    checksum: str
    package_version: str
    applied_by: str
    applied_at: datetime
    duration_ms: float


def read_ledger(connection: Connection) -> tuple[Applied, ...]:
    """Read what was applied, by version; nothing when the ledger does not exist yet."""
    exists = connection.execute(_EXISTS).fetchone()
    if exists is None or not exists[0]:
        return ()
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        return tuple(cursor.execute(_READ).fetchall())


def record(connection: Connection, migration: Migration, *, duration_ms: float) -> Applied:
    """Write into the ledger, in the caller's transaction, that a migration was applied."""
    row = (migration.version, migration.name, migration.checksum, version("windlass-warehouse"), duration_ms)
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        return cursor.execute(_RECORD, row).fetchall()[0]


def verify(applied: tuple[Applied, ...], known: tuple[Migration, ...]) -> None:
    """Check that what was applied is what this package would have applied.

    Raises:
        MigrationUnknownError: Something applied is not in the package.
        MigrationEditedError: Something applied has another text in the package.
    """
    by_version = {migration.version: migration for migration in known}
    for row in applied:
        migration = by_version.get(row.version)
        if migration is None or migration.name != row.name:
            raise MigrationUnknownError(
                f"The database holds migration {row.name}, applied by windlass-warehouse "
                f"{row.package_version}, which this version of the package does not know.",
                migration=row.name,
                advice=f"Install windlass-warehouse {row.package_version} or newer.",
            )
        if migration.checksum != row.checksum:
            raise MigrationEditedError(
                f"Migration {row.name} was applied on {row.applied_at:%Y-%m-%d}; its file was changed since.",
                migration=row.name,
                advice="Restore the file as it was applied, and put the change into a new migration.",
            )

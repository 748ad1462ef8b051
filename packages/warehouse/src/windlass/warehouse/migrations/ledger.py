"""The ledger `ops.schema_migration`: what was applied to this database, and with which text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg.rows import class_row

from windlass.warehouse.errors import (
    MigrationEditedError,
    MigrationError,
    MigrationFailedError,
    MigrationUnknownError,
)
from windlass.warehouse.migrations.files import OURS, Migration, title

__all__ = ["Applied", "Connection", "begin", "forget", "ledger_exists", "read_ledger", "record", "verify"]

Connection = psycopg.Connection[tuple[Any, ...]]

_EXISTS = "select to_regclass('ops.schema_migration') is not null"
_READ = """
select
    collection, version, name, checksum, package_version, baselined, finished, applied_by, applied_at,
    duration_ms
from ops.schema_migration order by applied_at, collection <> 'windlass', collection, version
"""
# A row that was begun and never finished gives way; an applied one never does.
_RECORD = """
insert into ops.schema_migration as kept
    (collection, version, name, checksum, package_version, baselined, finished, duration_ms)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (collection, version) do update
set name = excluded.name, checksum = excluded.checksum, package_version = excluded.package_version,
    finished = excluded.finished, duration_ms = excluded.duration_ms, applied_by = excluded.applied_by,
    applied_at = case when kept.checksum = excluded.checksum then kept.applied_at else excluded.applied_at end
where not kept.finished
returning
    collection, version, name, checksum, package_version, baselined, finished, applied_by, applied_at,
    duration_ms
"""
_FORGET = "delete from ops.schema_migration where collection = %s and version = %s and not finished"


@dataclass(frozen=True)
class Applied:
    """A row of the ledger; the fields are the table's columns."""

    collection: str
    version: int
    name: str
    checksum: str
    package_version: str
    baselined: bool
    finished: bool
    applied_by: str
    applied_at: datetime
    duration_ms: float

    @property
    def key(self) -> tuple[str, int]:
        """Collection and version: the ledger's key."""
        return self.collection, self.version

    @property
    def title(self) -> str:
        """How it is told of: its name, and whose it is if it is not ours."""
        return title(self.collection, self.name)


def ledger_exists(connection: Connection) -> bool:
    """Whether the database has a ledger."""
    found = connection.execute(_EXISTS).fetchone()
    return found is not None and bool(found[0])


def read_ledger(connection: Connection) -> tuple[Applied, ...]:
    """Read what was applied, in the order of application; nothing when the ledger does not exist yet.

    Raises:
        MigrationError: The table of that name is another.
    """
    if not ledger_exists(connection):
        return ()
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        try:
            return tuple(cursor.execute(_READ).fetchall())
        except pg_errors.UndefinedColumn as error:
            raise MigrationError(
                f"The table ops.schema_migration is not our ledger: {error.diag.message_primary}.",
                advice="Rename the table if another tool made it; if an unreleased version of this package "
                "did, drop it and run windlass-warehouse baseline.",
            ) from error


def record(
    connection: Connection, migration: Migration, *, duration_ms: float, baselined: bool = False
) -> Applied:
    """Write into the ledger, in the caller's transaction, that a migration was applied."""
    return _write(connection, migration, duration_ms=duration_ms, baselined=baselined, finished=True)


def begin(connection: Connection, migration: Migration) -> Applied:
    """Write into the ledger that a migration which no transaction protects is about to run."""
    return _write(connection, migration, duration_ms=0, baselined=False, finished=False)


def forget(connection: Connection, migration: Migration) -> None:
    """Take back that a migration was begun: it failed, and that was told."""
    connection.execute(_FORGET, migration.key)


def _write(
    connection: Connection, migration: Migration, *, duration_ms: float, baselined: bool, finished: bool
) -> Applied:
    package = version("windlass-warehouse")
    what = (migration.collection, migration.version, migration.name, migration.checksum)
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        row = cursor.execute(_RECORD, (*what, package, baselined, finished, duration_ms)).fetchone()
    if row is None:
        raise MigrationFailedError(
            f"Migration {migration.title} wrote its own row into ops.schema_migration; it was rolled back.",
            migration=migration.name,
            advice="Take the statement out: the ledger is kept by windlass-warehouse.",
        )
    return row


def verify(applied: Sequence[Applied], known: Sequence[Migration]) -> None:
    """Check that what was applied is what these files would have applied.

    Collections none of whose files are given are left out: another run, with their folder, checks them.

    Raises:
        MigrationUnknownError: Something applied has no file.
        MigrationEditedError: Files have another text than was applied.
    """
    by_key = {migration.key: migration for migration in known}
    collections = {migration.collection for migration in known}
    rows = [row for row in applied if row.collection in collections and row.finished]
    for row in rows:
        migration = by_key.get(row.key)
        if migration is None or migration.name != row.name:
            raise _unknown(row)
    edited = [row for row in rows if by_key[row.key].checksum != row.checksum]
    if edited:
        names = tuple(row.title for row in edited)
        told = ", ".join(f"{row.title} (applied on {row.applied_at:%Y-%m-%d})" for row in edited)
        raise MigrationEditedError(
            f"Changed since {'it was' if len(edited) == 1 else 'they were'} applied: {told}.",
            migrations=names,
            advice="Restore each file as it was applied, and put the change into a new migration.",
        )


def _unknown(row: Applied) -> MigrationUnknownError:
    if row.collection != OURS:
        return MigrationUnknownError(
            f"The database holds migration {row.title}, applied on {row.applied_at:%Y-%m-%d} "
            f"by {row.applied_by}; "
            f"the folder given for {row.collection} has no such file.",
            migration=row.title,
            advice="Put the file back under its name, or name the folder that has it.",
        )
    return MigrationUnknownError(
        f"The database holds migration {row.name}, applied by windlass-warehouse "
        f"{row.package_version}, which this version of the package does not know.",
        migration=row.name,
        advice=f"Install windlass-warehouse {row.package_version} or newer.",
    )

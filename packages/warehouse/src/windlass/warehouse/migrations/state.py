"""How each migration stands in a database, told without waiting for anyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from windlass.warehouse.connection import connect, translated_privileges
from windlass.warehouse.migrations.files import OURS, Migration, title
from windlass.warehouse.migrations.folders import Folder, load_migrations
from windlass.warehouse.migrations.ledger import Applied, read_ledger

__all__ = ["MigrationState", "MigrationStatus", "status", "status_of"]


class MigrationState(StrEnum):
    """How a migration stands in a database.

    `unfinished` was begun without a transaction and stopped; `unknown` has no file, as when the database is
    newer than package or folder; `unchecked` is of a folder that was not named.
    """

    APPLIED = "applied"
    PENDING = "pending"
    UNFINISHED = "unfinished"
    EDITED = "edited"
    UNKNOWN = "unknown"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class MigrationStatus:
    """One migration and how it stands.

    Attributes:
        name: File name without suffix.
        group: Schema it belongs to; empty when its file is not known.
        state: How it stands.
        applied_at: When it was applied.
        duration_ms: How long its statements took, in milliseconds.
        collection: Whose it is: `windlass`, or the name of a team's folder.
        baselined: Whether it was only noted as applied.
    """

    name: str
    group: str
    state: MigrationState
    applied_at: datetime | None = None
    duration_ms: float | None = None
    collection: str = OURS
    baselined: bool = False

    @property
    def title(self) -> str:
        """How it is told of: its name, and whose it is if it is not ours."""
        return title(self.collection, self.name)


def status(
    dsn: str | None = None,
    *,
    folders: Sequence[Folder] = (),
    migrations: tuple[Migration, ...] | None = None,
) -> tuple[MigrationStatus, ...]:
    """Tell how each migration stands in a database; changes nothing and waits for nobody.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        folders: Folders of a team's own migrations.
        migrations: All migrations, instead of the package's and the folders'.

    Returns:
        All migrations, of the files and of the ledger: ours first, then each collection's, by version.

    Raises:
        ConnectionFailedError: The database cannot be reached or read.
        MigrationFilesError: Files of a folder cannot be used.
    """
    known = load_migrations(folders) if migrations is None else migrations
    with (
        connect(dsn, application_name="windlass-warehouse status") as connection,
        translated_privileges("reading the migrations' ledger"),
    ):
        applied = read_ledger(connection)
    files = {each.key: each for each in known}
    rows = {each.key: each for each in applied}
    order = list(
        dict.fromkeys((*(each.collection for each in known), *(each.collection for each in applied)))
    )
    keys = sorted(files.keys() | rows.keys(), key=lambda key: (order.index(key[0]), key[1]))
    collections = {each.collection for each in known}
    return tuple(_stand(files.get(key), rows.get(key), is_given=key[0] in collections) for key in keys)


def _stand(migration: Migration | None, row: Applied | None, *, is_given: bool) -> MigrationStatus:
    if row is None:
        assert migration is not None
        return MigrationStatus(
            migration.name, migration.group, MigrationState.PENDING, collection=migration.collection
        )
    if not is_given:
        return _of_row(row, MigrationState.UNCHECKED)
    if not row.finished:
        return _of_row(row, MigrationState.UNFINISHED, group=migration.group if migration else "")
    if migration is None or migration.name != row.name:
        return _of_row(row, MigrationState.UNKNOWN)
    edited = migration.checksum != row.checksum
    return _of_row(row, MigrationState.EDITED if edited else MigrationState.APPLIED, group=migration.group)


def status_of(migration: Migration, row: Applied) -> MigrationStatus:
    """How a migration stands that was applied with its present text."""
    return _of_row(row, MigrationState.APPLIED, group=migration.group)


def _of_row(row: Applied, state: MigrationState, *, group: str = "") -> MigrationStatus:
    return MigrationStatus(
        row.name,
        group,
        state,
        row.applied_at,
        row.duration_ms,
        collection=row.collection,
        baselined=row.baselined,
    )

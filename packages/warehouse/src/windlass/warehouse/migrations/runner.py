"""Brings a database up to date: what is due, in order, one runner at a time, never waiting without an end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from windlass.warehouse.connection import connect, translated_privileges
from windlass.warehouse.errors import MigrationError
from windlass.warehouse.migrations.apply import Applier
from windlass.warehouse.migrations.files import Migration
from windlass.warehouse.migrations.folders import Folder, load_migrations
from windlass.warehouse.migrations.ledger import Applied, Connection, read_ledger, verify
from windlass.warehouse.migrations.locks import BlockWatch, migration_lock
from windlass.warehouse.migrations.selection import select_migrations
from windlass.warehouse.migrations.state import MigrationStatus, status_of

__all__ = ["MigrationProgress", "apply_all", "check_server", "migrate", "pending"]

_OLDEST_SERVER = 150000


@dataclass(frozen=True)
class MigrationProgress:
    """That a migration is about to be applied.

    Attributes:
        title: Its name, and whose it is if it is not ours.
        number: Its place among those applied now, from 1.
        total: How many are applied now.
    """

    title: str
    number: int
    total: int


def migrate(
    dsn: str | None = None,
    *,
    folders: Sequence[Folder] = (),
    only: Collection[str] = (),
    to: str | None = None,
    lock_wait: float = 30.0,
    lock_timeout: float = 5.0,
    migrations: tuple[Migration, ...] | None = None,
    progress: Callable[[MigrationProgress], None] | None = None,
) -> tuple[MigrationStatus, ...]:
    """Bring a database up to date; does nothing where that is done.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        folders: Folders of a team's own migrations, applied after the package's.
        only: Groups to apply, e.g. `{"ops"}`; by default all. `ops` holds the ledger and always comes along.
        to: The last migration to apply, by version or name, `COLLECTION/` before it where several have it.
        lock_wait: Seconds to wait for another migration of the same database to end.
        lock_timeout: Seconds a statement waits for a table that others use.
        migrations: All migrations, instead of the package's and the folders'.
        progress: Called before each migration.

    Returns:
        Those applied now, in order; empty when there was nothing to do.

    Raises:
        MigrationError: With a subclass for each cause; what was being applied is rolled back,
            what was applied before it stays.
        ConnectionFailedError: The database cannot be reached or changed.
    """
    known = load_migrations(folders) if migrations is None else migrations
    chosen = select_migrations(known, only=only, to=to)
    with connect(dsn, application_name="windlass-warehouse migrate", autocommit=True) as connection:
        check_server(connection)
        with migration_lock(connection, wait=lock_wait), translated_privileges("migrating"):
            applied = read_ledger(connection)
            due = _due(applied, known, chosen)
            if not due:
                return ()
            with BlockWatch(dsn, connection, lock_timeout=lock_timeout) as watch:
                applier = Applier(connection, lock_timeout, watch)
                return apply_all(applier, due, applied=applied, progress=progress)


def pending(
    dsn: str | None = None,
    *,
    folders: Sequence[Folder] = (),
    only: Collection[str] = (),
    to: str | None = None,
    migrations: tuple[Migration, ...] | None = None,
) -> tuple[Migration, ...]:
    """Tell what `migrate` would apply; changes nothing and takes no lock.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        folders: Folders of a team's own migrations.
        only: Groups to look at.
        to: The last migration to look at.
        migrations: All migrations, instead of the package's and the folders'.

    Returns:
        The migrations that are due, in order.

    Raises:
        MigrationError: `migrate` would refuse to begin.
        ConnectionFailedError: The database cannot be reached or read.
    """
    known = load_migrations(folders) if migrations is None else migrations
    chosen = select_migrations(known, only=only, to=to)
    with connect(dsn, application_name="windlass-warehouse dry run") as connection:
        check_server(connection)
        connection.read_only = True
        with translated_privileges("reading the migrations' ledger"):
            return _due(read_ledger(connection), known, chosen)


def apply_all(
    applier: Applier,
    due: Sequence[Migration],
    *,
    applied: Sequence[Applied] = (),
    progress: Callable[[MigrationProgress], None] | None = None,
) -> tuple[MigrationStatus, ...]:
    """Apply migrations in order, and stop at the first that fails.

    Args:
        applier: What applies them.
        due: The migrations.
        applied: The ledger, with what was begun and not finished.
        progress: Called before each.
    """
    begun = {row.key: row for row in applied}
    done = []
    for number, migration in enumerate(due, start=1):
        if progress is not None:
            progress(MigrationProgress(migration.title, number, len(due)))
        done.append(status_of(migration, applier.apply(migration, begun.get(migration.key))))
    return tuple(done)


def _due(
    applied: Sequence[Applied], known: Sequence[Migration], chosen: Sequence[Migration]
) -> tuple[Migration, ...]:
    verify(applied, known)
    present = {row.key for row in applied if row.finished}
    return tuple(each for each in chosen if each.key not in present)


def check_server(connection: Connection) -> None:
    """Refuse a server that is too old.

    Raises:
        MigrationError: It is.
    """
    if connection.info.server_version < _OLDEST_SERVER:
        major = connection.info.server_version // 10000
        raise MigrationError(
            f"The server is PostgreSQL {major}; the warehouse needs 15 or newer.",
            advice="Use a newer server, or an embedded one (windlass-warehouse serve).",
        )

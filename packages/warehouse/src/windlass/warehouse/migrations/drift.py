"""Compares the live catalog with what the applied migrations imply: drift has no migration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from windlass.warehouse.catalog import CatalogObject, Difference, Finding, compare, read_objects
from windlass.warehouse.connection import connect, translated_privileges
from windlass.warehouse.errors import MigrationError, ScratchError
from windlass.warehouse.migrations.apply import Applier
from windlass.warehouse.migrations.files import Migration
from windlass.warehouse.migrations.folders import Folder, load_migrations
from windlass.warehouse.migrations.ledger import Applied, read_ledger, verify
from windlass.warehouse.migrations.locks import BlockWatch
from windlass.warehouse.migrations.runner import apply_all
from windlass.warehouse.migrations.scratch import scratch_database

__all__ = ["DriftReport", "check", "expected_objects"]

_LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class DriftReport:
    """How a database stands to the migrations applied to it.

    Attributes:
        differences: Objects that are missing, changed, or extra.
        applied: Titles of the migrations that the expectation comes from.
        pending: Titles of those not applied yet; nothing of them is expected.
        unchecked: Titles of applied ones whose folder was not named: what they made is not expected.
        warnings: What may make differences that are none.
    """

    differences: tuple[Difference, ...]
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unchecked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[Difference, ...]:
        """What is missing or changed."""
        return tuple(each for each in self.differences if each.finding is not Finding.EXTRA)

    @property
    def extra(self) -> tuple[Difference, ...]:
        """What is there and not expected."""
        return tuple(each for each in self.differences if each.finding is Finding.EXTRA)


def check(
    dsn: str | None = None,
    *,
    folders: Sequence[Folder] = (),
    scratch_dsn: str | None = None,
    migrations: tuple[Migration, ...] | None = None,
) -> DriftReport:
    """Compare a database with what the migrations in its ledger imply, object by object.

    The migrations are applied into a scratch database, whose catalog is read by the same query. The
    database itself is not changed, and no lock is taken.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        folders: Folders of a team's own migrations.
        scratch_dsn: A server to make the scratch database on; by default that of `dsn` if the role may create
            databases there, else an embedded one.
        migrations: All migrations, instead of the package's and the folders'.

    Returns:
        What differs.

    Raises:
        MigrationError: The ledger and the files disagree, or there is nowhere to make the scratch database.
        ConnectionFailedError: A database cannot be reached or read.
    """
    known = load_migrations(folders) if migrations is None else migrations
    with (
        connect(dsn, application_name="windlass-warehouse check") as connection,
        translated_privileges("reading the catalog"),
    ):
        ledger = read_ledger(connection)
        verify(ledger, known)
        found = read_objects(connection)
        version = connection.info.server_version
    implied = _applied(ledger, known)
    expected: tuple[CatalogObject, ...] = ()
    scratch_version = version
    if implied:
        expected, scratch_version = expected_objects(dsn, implied, scratch_dsn=scratch_dsn)
    files = {each.key for each in known}
    done = {each.key for each in implied}
    return DriftReport(
        differences=compare(expected, found),
        applied=tuple(each.title for each in implied),
        pending=tuple(each.title for each in known if each.key not in done),
        unchecked=tuple(row.title for row in ledger if row.key not in files and row.finished),
        warnings=_warnings(version, scratch_version),
    )


def _applied(ledger: Sequence[Applied], known: Sequence[Migration]) -> tuple[Migration, ...]:
    # As the ledger has them: a later one of ours may have been applied after a team's that needs the earlier.
    files = {each.key: each for each in known}
    return tuple(files[row.key] for row in ledger if row.finished and row.key in files)


def expected_objects(
    dsn: str | None, migrations: Sequence[Migration], *, scratch_dsn: str | None = None
) -> tuple[tuple[CatalogObject, ...], int]:
    """Apply migrations into a scratch database.

    Args:
        dsn: The database it shall be like.
        migrations: What to apply, in order.
        scratch_dsn: A server to make it on.

    Returns:
        All objects of it, and its server's version as a number.

    Raises:
        ScratchError: There is nowhere to make it, or a migration cannot be applied there.
    """
    with (
        scratch_database(dsn, scratch_dsn=scratch_dsn) as scratch,
        connect(scratch.dsn, application_name="windlass-warehouse check", autocommit=True) as connection,
        translated_privileges("applying the migrations to a scratch database"),
        BlockWatch(scratch.dsn, connection, lock_timeout=_LOCK_SECONDS) as watch,
    ):
        try:
            apply_all(Applier(connection, _LOCK_SECONDS, watch), migrations)
        except MigrationError as error:
            where = "another server" if scratch.is_elsewhere else "this server"
            raise ScratchError(
                f"What was applied here cannot be applied to an empty database of {where}: {error.message}",
                migration=error.migration,
                advice="What it needs and no migration makes (roles, extensions, rows) has to be there too: "
                "name a server that has it with --scratch-dsn.",
            ) from error
        return read_objects(connection), connection.info.server_version


def _warnings(version: int, scratch_version: int) -> tuple[str, ...]:
    major, other = version // 10000, scratch_version // 10000
    if major == other:
        return ()
    text = (
        f"The scratch database is on PostgreSQL {other}, this one on {major}: they may word the same "
        "definition differently. Name a server of the same version with --scratch-dsn."
    )
    return (text,)

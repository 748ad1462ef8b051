"""Notes migrations as applied in a database whose objects came otherwise: from a dump, or made by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from windlass.warehouse.catalog import Difference, Finding, compare, read_objects
from windlass.warehouse.connection import connect, translated_privileges
from windlass.warehouse.errors import BaselineRefusedError
from windlass.warehouse.migrations.drift import expected_objects
from windlass.warehouse.migrations.files import OURS, Migration
from windlass.warehouse.migrations.folders import Folder, load_migrations
from windlass.warehouse.migrations.ledger import (
    Applied,
    Connection,
    ledger_exists,
    read_ledger,
    record,
    verify,
)
from windlass.warehouse.migrations.locks import migration_lock, set_lock_timeout
from windlass.warehouse.migrations.runner import check_server
from windlass.warehouse.migrations.selection import select_migrations
from windlass.warehouse.migrations.state import MigrationStatus, status_of

__all__ = ["baseline"]

_LEDGER = "ops.schema_migration"


def baseline(
    dsn: str | None = None,
    *,
    folders: Sequence[Folder] = (),
    only: Collection[str] = (),
    to: str | None = None,
    force: bool = False,
    scratch_dsn: str | None = None,
    lock_wait: float = 30.0,
    lock_timeout: float = 5.0,
) -> tuple[MigrationStatus, ...]:
    """Note migrations as applied without running them, and make the ledger if there is none.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        folders: Folders of a team's own migrations: then theirs are noted, else the package's.
        only: Groups to note; by default all. Of the package's, `ops` always comes along.
        to: The last migration to note, by version or name.
        force: Whether to note them although the database lacks objects that they make.
        scratch_dsn: A server to make the scratch database for the comparison on.
        lock_wait: Seconds to wait for a migration of the same database to end.
        lock_timeout: Seconds a statement waits for a table that others use.

    Returns:
        Those noted now, in order.

    Raises:
        BaselineRefusedError: The ledger has migrations of a collection, or the database lacks objects.
        MigrationError: With a subclass for each other cause; nothing was noted.
        ConnectionFailedError: The database cannot be reached or changed.
    """
    known = load_migrations(folders)
    chosen = _chosen(known, only=only, to=to, of_teams=bool(folders))
    with connect(dsn, application_name="windlass-warehouse baseline", autocommit=True) as connection:
        check_server(connection)
        with migration_lock(connection, wait=lock_wait), translated_privileges("noting migrations"):
            applied = read_ledger(connection)
            verify(applied, known)
            _refuse_noted(applied, {each.collection for each in chosen})
            # A ledger alone would be in the way of the migration that makes it along with its schema.
            if folders and not ledger_exists(connection):
                raise _no_ledger()
            if not force:
                files = {each.key: each for each in known}
                before = [files[row.key] for row in applied if row.finished and row.key in files]
                _refuse_lacking(connection, dsn, [*before, *chosen], scratch_dsn=scratch_dsn)
            set_lock_timeout(connection, lock_timeout)
            with connection.transaction():
                if not ledger_exists(connection):
                    _make_ledger(connection, known[0])
                rows = [record(connection, each, duration_ms=0, baselined=True) for each in chosen]
    return tuple(status_of(each, row) for each, row in zip(chosen, rows, strict=True))


def _chosen(
    known: Sequence[Migration], *, only: Collection[str], to: str | None, of_teams: bool
) -> tuple[Migration, ...]:
    meant = [each for each in known if (each.collection != OURS) == of_teams]
    return select_migrations(meant, only=only, to=to)


def _refuse_noted(applied: Sequence[Applied], collections: Collection[str]) -> None:
    noted = sorted({row.collection for row in applied} & set(collections))
    if noted:
        raise BaselineRefusedError(
            f"The ledger has migrations of {', '.join(noted)} already.",
            advice="windlass-warehouse status tells which; migrate applies the others.",
        )


def _no_ledger() -> BaselineRefusedError:
    return BaselineRefusedError(
        f"The database has no ledger ({_LEDGER}).",
        advice="Make it with the package's own migrations first: windlass-warehouse migrate --only ops "
        "(or baseline, where they are there).",
    )


def _refuse_lacking(
    connection: Connection, dsn: str | None, migrations: Sequence[Migration], *, scratch_dsn: str | None
) -> None:
    expected, _ = expected_objects(dsn, migrations, scratch_dsn=scratch_dsn)
    differences = compare(expected, read_objects(connection))
    lacking = [each for each in differences if each.finding is not Finding.EXTRA and not _of_ledger(each)]
    if lacking:
        raise BaselineRefusedError(
            "The database is not as the migrations would have made it:",
            objects=tuple(str(each) for each in lacking),
            advice="Make the objects as they should be, or note fewer migrations with --to; "
            "--force notes them all the same, and check goes on telling what differs.",
        )


def _of_ledger(difference: Difference) -> bool:
    # Made by baseline itself.
    return difference.name == _LEDGER or difference.name.startswith(f"{_LEDGER}.")


def _make_ledger(connection: Connection, first: Migration) -> None:
    """Run the statements of our first migration that are about the ledger: there is one text of it."""
    for statement in first.statements():
        text = first.sql[statement.start : statement.end]
        if text.startswith("create schema ops"):
            connection.execute("create schema if not exists ops")
        elif _LEDGER in text or text.startswith("comment on schema ops"):
            connection.execute(text.encode())

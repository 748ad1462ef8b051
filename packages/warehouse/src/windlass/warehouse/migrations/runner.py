"""Applies migrations: one runner at a time, one transaction each, never waiting without an end."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg
from psycopg import errors as pg_errors

from windlass.warehouse.connection import connect, translated_privileges
from windlass.warehouse.errors import MigrationError, MigrationFailedError, MigrationLockedError
from windlass.warehouse.migrations.files import Migration, load_migrations
from windlass.warehouse.migrations.ledger import Connection, read_ledger, record, verify

__all__ = ["ADVISORY_LOCK", "MigrationState", "MigrationStatus", "migrate", "status"]

ADVISORY_LOCK = 0x77696E646C617373
"""Key of the advisory lock that migrating holds: `windlass` in ASCII."""

_OLDEST_SERVER = 150000

# pg_locks splits a bigint key into its halves.
_HOLDERS = """
select a.pid, a.application_name, a.usename, host(a.client_addr)
from pg_locks as l join pg_stat_activity as a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid = (%(key)s::bigint >> 32)::oid and l.objid = (%(key)s::bigint & 4294967295)::oid
"""


class MigrationState(StrEnum):
    """How a migration stands in a database."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "edited"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class MigrationStatus:
    """One migration and how it stands.

    Attributes:
        name: File name without suffix.
        group: Schema it belongs to; empty for one this package does not know.
        state: applied, pending, edited (applied with another text), unknown (of a newer package).
        applied_at: When it was applied.
        duration_ms: How long its statements took, in milliseconds.
    """

    name: str
    group: str
    state: MigrationState
    applied_at: datetime | None = None
    duration_ms: float | None = None


def status(
    dsn: str | None = None, *, migrations: tuple[Migration, ...] | None = None
) -> tuple[MigrationStatus, ...]:
    """Tell how each migration stands in a database; changes nothing and waits for nobody.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        migrations: The migrations to compare with; by default the package's.

    Returns:
        All migrations, of the package and of the ledger, by version.

    Raises:
        ConnectionFailedError: The database cannot be reached or read.
    """
    known = {migration.version: migration for migration in _known(migrations)}
    with (
        connect(dsn, application_name="windlass-warehouse status") as connection,
        translated_privileges("reading the migrations' ledger"),
    ):
        applied = {row.version: row for row in read_ledger(connection)}
    result = []
    for number in sorted(known.keys() | applied.keys()):
        migration, row = known.get(number), applied.get(number)
        if row is None:
            result.append(MigrationStatus(known[number].name, known[number].group, MigrationState.PENDING))
            continue
        state = MigrationState.APPLIED
        if migration is None or migration.name != row.name:
            state = MigrationState.UNKNOWN
        elif migration.checksum != row.checksum:
            state = MigrationState.EDITED
        group = migration.group if migration is not None and state is not MigrationState.UNKNOWN else ""
        result.append(MigrationStatus(row.name, group, state, row.applied_at, row.duration_ms))
    return tuple(result)


def migrate(
    dsn: str | None = None,
    *,
    only: Collection[str] = (),
    lock_wait: float = 30.0,
    lock_timeout: float = 5.0,
    migrations: tuple[Migration, ...] | None = None,
) -> tuple[MigrationStatus, ...]:
    """Bring a database up to date; does nothing where that is done.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        only: Groups to apply, e.g. `{"ops"}`; by default all. `ops` holds the ledger and always comes along.
        lock_wait: Seconds to wait for another migration of the same database to end.
        lock_timeout: Seconds a statement waits for a table that others use.
        migrations: The migrations to apply; by default the package's.

    Returns:
        Those applied now, in order; empty when there was nothing to do.

    Raises:
        MigrationError: With a subclass for each cause; what was being applied is rolled back,
            what was applied before it stays.
        ConnectionFailedError: The database cannot be reached or changed.
    """
    known = _known(migrations)
    groups = _groups(known, only)
    with connect(dsn, application_name="windlass-warehouse migrate", autocommit=True) as connection:
        _check_server(connection)
        with _migration_lock(connection, wait=lock_wait), translated_privileges("migrating"):
            applied = read_ledger(connection)
            verify(applied, known)
            present = {row.version for row in applied}
            due = [each for each in known if each.version not in present and each.group in groups]
            return tuple(_apply(connection, each, lock_timeout=lock_timeout) for each in due)


def _known(migrations: tuple[Migration, ...] | None) -> tuple[Migration, ...]:
    return load_migrations() if migrations is None else migrations


def _groups(known: tuple[Migration, ...], only: Collection[str]) -> set[str]:
    existing = {migration.group for migration in known}
    unknown = sorted(set(only) - existing)
    if unknown:
        raise MigrationError(
            f"There are no migrations of {', '.join(unknown)}.",
            advice=f"Choose among: {', '.join(sorted(existing))}.",
        )
    return {*only, "ops"} if only else existing


def _check_server(connection: Connection) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        major = connection.info.server_version // 10000
        raise MigrationError(
            f"The server is PostgreSQL {major}; the warehouse needs 15 or newer.",
            advice="Use a newer server, or an embedded one (windlass-warehouse serve).",
        )


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    milliseconds = max(1, round(seconds * 1000))
    connection.execute("select set_config('lock_timeout', %s, false)", (f"{milliseconds}ms",))


@contextmanager
def _migration_lock(connection: Connection, *, wait: float) -> Iterator[None]:
    # The server queues the waiters and bounds the wait: no polling, and no wait for ever.
    _set_lock_timeout(connection, wait)
    try:
        connection.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    except pg_errors.LockNotAvailable as error:
        holders = _holders(connection) or ("it just ended",)
        raise MigrationLockedError(
            f"Another migration of this database still runs after {wait:g} s: {', '.join(holders)}.",
            holders=holders,
            advice="Run this again when it is done; one that hangs ends by select pg_terminate_backend(pid).",
        ) from error
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", (ADVISORY_LOCK,))


def _holders(connection: Connection) -> tuple[str, ...]:
    rows = connection.execute(_HOLDERS, {"key": ADVISORY_LOCK}).fetchall()
    return tuple(
        f"pid {pid} ({application or 'unnamed'}, user {user}, {address or 'local socket'})"
        for pid, application, user, address in rows
    )


def _apply(connection: Connection, migration: Migration, *, lock_timeout: float) -> MigrationStatus:
    begun = time.perf_counter()
    try:
        with connection.transaction():
            _set_lock_timeout(connection, lock_timeout)
            # Without parameters psycopg uses the simple protocol, which takes many statements at once.
            connection.execute(migration.sql.encode())
            duration_ms = (time.perf_counter() - begun) * 1000
            row = record(connection, migration, duration_ms=duration_ms)
    except pg_errors.InsufficientPrivilege:
        raise
    except pg_errors.LockNotAvailable as error:
        raise MigrationLockedError(
            f"Migration {migration.name} waited {lock_timeout:g} s for a table in use, and was rolled back.",
            migration=migration.name,
            advice="Run it again when the warehouse is idle, or with a longer --lock-timeout.",
        ) from error
    except psycopg.Error as error:
        raise MigrationFailedError(
            f"Migration {migration.name} failed and was rolled back: {_where(error, migration)}",
            migration=migration.name,
            advice="Nothing of it was kept. Mend what the message names and run migrate again.",
        ) from error
    return MigrationStatus(
        migration.name, migration.group, MigrationState.APPLIED, row.applied_at, row.duration_ms
    )


def _where(error: psycopg.Error, migration: Migration) -> str:
    text = error.diag.message_primary or str(error)
    if error.diag.statement_position is None:
        return text
    line = migration.sql.count("\n", 0, int(error.diag.statement_position) - 1) + 1
    return f"{text} ({migration.name}.sql, line {line})"

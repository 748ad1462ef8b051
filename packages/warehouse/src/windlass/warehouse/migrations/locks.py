"""Locks while migrating: one runner at a time, and who holds what a statement waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg

from windlass.warehouse.connection import connect
from windlass.warehouse.errors import ConnectionFailedError, MigrationLockedError
from windlass.warehouse.migrations.ledger import Connection

__all__ = ["ADVISORY_LOCK", "BlockWatch", "migration_lock", "set_lock_timeout"]

ADVISORY_LOCK = 0x77696E646C617373
"""Key of the advisory lock that migrating holds: `windlass` in ASCII."""

# Milliseconds; 0 would be no bound at all.
_LONGEST_TIMEOUT = 2**31 - 1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

# pg_locks splits a bigint key into its halves.
_HOLDERS = """
select a.pid, a.application_name, a.usename, host(a.client_addr)
from pg_locks as l join pg_stat_activity as a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid = (%(key)s::bigint >> 32)::oid and l.objid = (%(key)s::bigint & 4294967295)::oid
"""
_BLOCKERS = """
select
    a.pid, coalesce(nullif(a.application_name, ''), a.backend_type), a.usename, host(a.client_addr), a.state,
    to_char(a.xact_start at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
    (select string_agg(distinct w.relation::regclass::text, ', ')
     from pg_locks as w where w.pid = %(pid)s and not w.granted and w.relation is not null)
from unnest(pg_blocking_pids(%(pid)s)) as b (pid) join pg_stat_activity as a using (pid)
"""


def set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Bound the wait of this session's statements for a lock."""
    milliseconds = max(1, round(min(seconds * 1000, _LONGEST_TIMEOUT)))
    connection.execute("select set_config('lock_timeout', %s, false)", (f"{milliseconds}ms",))


@contextmanager
def migration_lock(connection: Connection, *, wait: float) -> Iterator[None]:
    """Hold the lock that keeps other migrators of this database away.

    Asked for again and again rather than queued for: a statement that waits in the server holds a snapshot,
    for whose end the other migrator's CREATE INDEX CONCURRENTLY waits, while it waits for that one's lock.

    Args:
        connection: A connection in autocommit.
        wait: Seconds to wait for it.

    Raises:
        MigrationLockedError: Someone else holds it for longer.
    """
    deadline, pause = time.monotonic() + wait, _FIRST_PAUSE
    while not _try_lock(connection):
        left = deadline - time.monotonic()
        if left <= 0:
            holders = _holders(connection) or ("it just ended",)
            raise MigrationLockedError(
                f"Another migration of this database still runs after {wait:g} s: {', '.join(holders)}.",
                holders=holders,
                advice="Run this again when it is done; one that hangs ends by "
                "select pg_terminate_backend(pid).",
            )
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", (ADVISORY_LOCK,))


def _try_lock(connection: Connection) -> bool:
    found = connection.execute("select pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
    return found is not None and bool(found[0])


def _holders(connection: Connection) -> tuple[str, ...]:
    rows = connection.execute(_HOLDERS, {"key": ADVISORY_LOCK}).fetchall()
    return tuple(
        f"pid {pid} ({_who(application, user, address)})" for pid, application, user, address in rows
    )


def _who(application: str | None, user: str | None, address: str | None) -> str:
    if user is None:  # one of the server's own, e.g. autovacuum
        return application or "unnamed"
    return f"{application or 'unnamed'}, user {user}, {address or 'local socket'}"


class BlockWatch:
    """Sees from a second connection who keeps a session waiting: afterwards nobody can tell.

    The connection is made only when the session has worked for a while, so that quick migrations have no
    part in it. That it cannot be made, e.g. because there are too many, costs the names and nothing else.

    Args:
        dsn: The database.
        connection: The session to watch.
        lock_timeout: Its lock timeout in seconds; it is looked at several times within it.
    """

    def __init__(self, dsn: str | None, connection: Connection, *, lock_timeout: float) -> None:
        self._dsn = dsn
        self._pid = connection.info.backend_pid
        self._pause = min(max(lock_timeout / 4, 0.02), 1.0)
        self._over = threading.Event()
        self._seen: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._watch, name="windlass-block-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=1)

    def forget(self) -> None:
        """Begin anew, for the next statement."""
        self._seen = ()

    @property
    def holders(self) -> tuple[str, ...]:
        """Who was last seen to keep the session waiting."""
        return self._seen

    def _watch(self) -> None:
        if self._over.wait(self._pause):
            return
        with (
            suppress(psycopg.Error, ConnectionFailedError),
            connect(self._dsn, application_name="windlass-warehouse watch", autocommit=True) as connection,
        ):
            while True:
                rows = connection.execute(_BLOCKERS, {"pid": self._pid}).fetchall()
                self._seen = tuple(map(_blocker, rows)) or self._seen
                if self._over.wait(self._pause):
                    return


def _blocker(row: tuple[Any, ...]) -> str:
    pid, application, user, address, state, since, tables = row
    doing = f"; {state} in a transaction since {since}" if since else ""
    doing = doing.replace("idle in transaction in a transaction", "idle in a transaction")
    return f"pid {pid} ({_who(application, user, address)}{doing}) holds {tables or 'what it waits for'}"

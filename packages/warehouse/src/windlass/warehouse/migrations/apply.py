"""Applies one migration, in a transaction with its row of the ledger, or alone where it says so."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg_errors

from windlass.warehouse.errors import MigrationFailedError, MigrationLockedError, WarehouseError
from windlass.warehouse.migrations.concurrent import Leftovers
from windlass.warehouse.migrations.files import Migration
from windlass.warehouse.migrations.ledger import Applied, Connection, begin, forget, record
from windlass.warehouse.migrations.locks import BlockWatch, set_lock_timeout

__all__ = ["Applier"]

# What a migration set for its session must not reach the ledger's row, nor the next migration. psycopg reads
# timestamps in no other style than ISO.
_RESET = "reset session authorization; reset role; reset all; set datestyle to 'ISO'"


_THERE_ALREADY = (
    pg_errors.DuplicateSchema,
    pg_errors.DuplicateTable,
    pg_errors.DuplicateObject,
    pg_errors.DuplicateFunction,
)


@dataclass(frozen=True)
class Applier:
    """Applies migrations on a connection in autocommit that holds the migration lock.

    Attributes:
        connection: The connection.
        lock_timeout: Seconds a statement waits for a lock.
        watch: Sees who keeps it waiting.
    """

    connection: Connection
    lock_timeout: float
    watch: BlockWatch

    def apply(self, migration: Migration, begun: Applied | None = None) -> Applied:
        """Apply a migration and note it.

        Args:
            migration: The migration.
            begun: The ledger's row of a run that did not get to its end.

        Returns:
            Its row of the ledger.

        Raises:
            MigrationFailedError: A statement failed, or the connection broke.
            MigrationLockedError: A table was in use for too long.
            MigrationUnfinishedError: It runs outside a transaction, and has left something to clear up.
        """
        self.watch.forget()
        try:
            if migration.transactional:
                return self._in_transaction(migration)
            return self._alone(migration, begun)
        except pg_errors.InsufficientPrivilege:
            raise
        except psycopg.Error as error:
            raise self._explained(error, migration) from error

    def _in_transaction(self, migration: Migration) -> Applied:
        started = time.perf_counter()
        with self.connection.transaction():
            self._run(migration)
            duration_ms = (time.perf_counter() - started) * 1000
            self._reset()
            return record(self.connection, migration, duration_ms=duration_ms)

    def _alone(self, migration: Migration, begun: Applied | None) -> Applied:
        leftovers = Leftovers.look(self.connection, migration)
        if begun is not None and begun.checksum == migration.checksum and leftovers.is_done:
            # Stopped between the index's last commit and the ledger's.
            return record(self.connection, migration, duration_ms=0)
        leftovers.refuse_invalid()
        begin(self.connection, migration)
        started = time.perf_counter()
        try:
            self._run(migration)
        except psycopg.Error as error:
            if not self.connection.broken:
                self._reset()
                forget(self.connection, migration)
                leftovers.refuse_new(error, self.watch.holders)
            raise
        duration_ms = (time.perf_counter() - started) * 1000
        self._reset()
        return record(self.connection, migration, duration_ms=duration_ms)

    def _run(self, migration: Migration) -> None:
        set_lock_timeout(self.connection, self.lock_timeout)
        # Without parameters psycopg uses the simple protocol, which takes many statements at once.
        self.connection.execute(migration.sql.encode())

    def _reset(self) -> None:
        self.connection.execute(_RESET)
        set_lock_timeout(self.connection, self.lock_timeout)

    def _explained(self, error: psycopg.Error, migration: Migration) -> WarehouseError:
        title = migration.title
        undone = "and was rolled back" if migration.transactional else "and has left nothing"
        if isinstance(error, pg_errors.LockNotAvailable):
            holders = self.watch.holders
            named = f": {', '.join(holders)}" if holders else ""
            return MigrationLockedError(
                f"Migration {title} waited {self.lock_timeout:g} s for a table in use, {undone}{named}.",
                migration=title,
                holders=holders,
                advice="Run it again when the warehouse is idle, or with a longer --lock-timeout; "
                "a session that hangs ends by select pg_terminate_backend(pid).",
            )
        if isinstance(error, pg_errors.ReadOnlySqlTransaction):
            return MigrationFailedError(
                f"Migration {title} failed: this database only reads (a standby, or set so).",
                migration=title,
                advice="Name the primary server in the DSN, with a role that may write.",
            )
        if self.connection.broken:
            return self._lost(error, migration)
        advice = "Mend what the message names and run migrate again; what was applied before it stays."
        if isinstance(error, _THERE_ALREADY):
            advice += " If the object is the migration's own, made or restored otherwise: "
            advice += "windlass-warehouse baseline notes it as applied."
        return MigrationFailedError(
            f"Migration {title} failed {undone}: {_where(error, migration)}", migration=title, advice=advice
        )

    def _lost(self, error: psycopg.Error, migration: Migration) -> MigrationFailedError:
        cause = error.diag.message_primary or " ".join(str(error).split())
        if migration.transactional:
            kept = "It was rolled back, unless the connection broke on its very commit"
        else:
            kept = "It runs outside a transaction, and the server may still finish it"
        return MigrationFailedError(
            f"The connection broke while migration {migration.title} was applied: {cause}.",
            migration=migration.title,
            advice=f"{kept}. When the server answers again, windlass-warehouse status tells, "
            "and migrate goes on from there.",
        )


def _where(error: psycopg.Error, migration: Migration) -> str:
    text = error.diag.message_primary or str(error)
    if error.diag.statement_position is None:
        return text
    line = migration.sql.count("\n", 0, int(error.diag.statement_position) - 1) + 1
    return f"{text} ({migration.name}.sql, line {line})"

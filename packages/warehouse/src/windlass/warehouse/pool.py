"""A pool of connections for a process that makes many: a sweeper, a trigger, checks that run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.rows import tuple_row

from windlass.warehouse.connection import connect
from windlass.warehouse.errors import ConnectionFailedError

__all__ = ["Pool", "connection_pool"]

# `discard all` but for prepared statements, which psycopg goes on using.
_DISCARD = """
close all; set session authorization default; reset all; unlisten *; select pg_advisory_unlock_all();
discard temp; discard sequences
"""
# What a connection may be opened with, and what `reset all` takes from it.
_KEPT = ("application_name", "client_encoding", "DateStyle")
_RESTORE = """
select set_config('application_name', %s, false), set_config('client_encoding', %s, false),
    set_config('DateStyle', %s, false)
"""

PgConnection = psycopg.Connection[tuple[Any, ...]]


class Pool:
    """Connections that are used again; made by `connection_pool`, for any thread."""

    def __init__(self, pool: Any, *, timeout: float, clean: Callable[[PgConnection], None]) -> None:
        self._pool = pool
        self._clean = clean
        self._timeout = timeout

    @contextmanager
    def connection(self) -> Iterator[PgConnection]:
        """Borrow a connection in autocommit mode; one that broke is replaced.

        Raises:
            ConnectionFailedError: None became free, or could be made, in time.
        """
        from psycopg_pool import PoolTimeout

        try:
            borrowed = self._pool.getconn()
        except PoolTimeout as error:
            busy = self._pool.get_stats()
            raise ConnectionFailedError(
                f"No connection became free within {self._timeout:g} s; {busy['pool_size']} of "
                f"{busy['pool_max']} are open, {busy.get('requests_waiting', 0)} callers wait.",
                advice="Borrow connections for shorter, or make the pool larger; check that the server runs.",
            ) from error
        try:
            yield borrowed
        finally:
            self._give_back(borrowed)

    def _give_back(self, connection: PgConnection) -> None:
        # The pool's own `reset` runs in another thread: the next borrower would open one more meanwhile.
        try:
            if not connection.closed:
                connection.rollback()
                self._clean(connection)
        except psycopg.Error:
            connection.close()
        self._pool.putconn(connection)


@contextmanager
def connection_pool(
    dsn: str | None = None,
    *,
    size: int = 4,
    timeout: float = 30.0,
    open_connection: Callable[[], PgConnection] | None = None,
) -> Iterator[Pool]:
    """Keep connections open for as long as the block runs.

    Args:
        dsn: The database; by default that of `WINDLASS_WAREHOUSE_DSN`.
        size: Most connections at a time; they are made when they are needed.
        timeout: Seconds to wait for one.
        open_connection: Makes a connection instead, e.g. from an Airflow connection.

    Raises:
        ConnectionFailedError: The first connection cannot be made.
    """
    from psycopg_pool import ConnectionPool

    make = open_connection or (lambda: connect(dsn, application_name="windlass", autocommit=True))
    opened_with: WeakKeyDictionary[PgConnection, list[str | None]] = WeakKeyDictionary()

    def clean(connection: PgConnection) -> None:
        """Make a session as it was opened: no borrower sees what another has set, prepared or locked."""
        connection.autocommit = True
        connection.row_factory = tuple_row
        connection.execute(_DISCARD)
        connection.execute(_RESTORE, opened_with[connection])

    class Made(psycopg.Connection[tuple[Any, ...]]):
        @classmethod
        def connect(cls, *_: Any, **__: Any) -> Any:
            made = make()
            opened_with[made] = [made.info.parameter_status(name) for name in _KEPT]
            return made

    # The pool connects in a thread of its own and keeps failures to itself: a wrong DSN is told here.
    make().close()
    pool = ConnectionPool(
        connection_class=Made,
        min_size=0,
        max_size=size,
        timeout=timeout,
        open=False,
        check=ConnectionPool.check_connection,
        name="windlass",
    )
    with pool:
        yield Pool(pool, timeout=timeout, clean=clean)

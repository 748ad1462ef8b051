"""The warehouse as Airflow knows it: an Airflow connection becomes psycopg 3 connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3, PostgresHook

from windlass.warehouse.errors import ConnectionFailedError, MissingExtraError

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection
    from windlass.warehouse.pool import Pool

__all__ = ["WarehouseHook"]

# Text and timestamps arrive as psycopg reads them, whatever the role's or database's settings say.
_PREPARE = """
select set_config('application_name', left(%s, 63), false), set_config('client_encoding', 'UTF8', false),
    set_config('datestyle', 'ISO', false)
"""


class WarehouseHook(PostgresHook):
    """Connections to the warehouse, for tasks.

    Args:
        conn_id: Airflow connection of type `postgres`.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "warehouse_default"
    conn_type = "postgres"
    hook_name = "Windlass warehouse"

    def __init__(self, conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.conn_id = conn_id

    @contextmanager
    def connect(self, *, application_name: str = "windlass") -> Iterator[PgConnection]:
        """A connection in autocommit mode, closed afterwards; transactions are the caller's.

        Args:
            application_name: What `pg_stat_activity` shows, e.g. the task.

        Raises:
            ConnectionFailedError: There is no connection to be had.
            MissingExtraError: The Postgres provider runs without psycopg 3.
        """
        connection = self._open(application_name)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def task(self, context: Mapping[str, Any]) -> Iterator[tuple[PgConnection, RunContext]]:
        """A connection for a task's try: its fence is taken, its generation known, its log lines named.

        Pass both to the functions of this package that write; inside them, and in any `fence.writing` block,
        a try that Airflow has given up is refused.

        Args:
            context: What Airflow hands to `execute`.

        Raises:
            ConnectionFailedError: There is no connection to be had.
            FencedError: A later try is at work.
            LoadError: The warehouse has no bookkeeping (`windlass-warehouse migrate --only ops`).
        """
        from windlass.warehouse.task import at_work, run_context

        run = run_context(context)
        name = f"windlass {run.dag_id}.{run.task_id}"
        with self.connect(application_name=name) as connection, at_work(connection, run) as working:
            yield connection, working

    @contextmanager
    def pool(self, *, size: int = 4, application_name: str = "windlass") -> Iterator[Pool]:
        """Connections to use again and again, for a process that makes many.

        Args:
            size: Most connections at a time.
            application_name: What `pg_stat_activity` shows.

        Raises:
            ConnectionFailedError: There is no connection to be had.
        """
        from windlass.warehouse.pool import connection_pool

        with connection_pool(size=size, open_connection=lambda: self._open(application_name)) as pool:
            yield pool

    def _open(self, application_name: str) -> PgConnection:
        if not USE_PSYCOPG3:
            raise MissingExtraError("The warehouse hook (psycopg 3 and SQLAlchemy 2)", extra="airflow")
        try:
            connection = cast("PgConnection", self.get_conn())
        except psycopg.OperationalError as error:
            raise ConnectionFailedError(
                f"Airflow connection {self.conn_id!r} does not reach its database: {str(error).strip()}",
                advice="Check its host, port, login and database, and that the server runs.",
            ) from error
        try:
            connection.autocommit = True
            connection.execute(_PREPARE, [application_name])
        except BaseException:
            connection.close()
            raise
        return connection

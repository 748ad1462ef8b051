"""The warehouse as Airflow knows it: an Airflow connection becomes a psycopg 3 connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3, PostgresHook

from windlass.warehouse.errors import ConnectionFailedError, MissingExtraError
from windlass.warehouse.load.table import PgConnection

__all__ = ["WarehouseHook"]


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
            connection.execute(
                "select set_config('application_name', left(%s, 63), false)", [application_name]
            )
            yield connection
        finally:
            connection.close()

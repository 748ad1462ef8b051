"""A schema of its own for each test, in a database they share: copying one takes longer than most tests."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from windlass.warehouse.embedded.process import wait_until
from windlass.warehouse.incremental import IncrementalResult, incremental_load
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

Connection = psycopg.Connection[Any]

TABLES = """
create sequence version;
create table origin (
    id integer primary key, note text, updated_at timestamptz default now(),
    number bigint default nextval('version')
);
create table target (id integer primary key, note text, updated_at timestamptz, number bigint);
"""


class Play:
    """A source and a warehouse, both in one schema."""

    def __init__(self, database: WarehouseDatabase) -> None:
        self.database = database
        self.schema = f"play_{uuid.uuid4().hex[:12]}"
        self.connections: list[Connection] = []
        self.warehouse = self.connect()
        self.warehouse.execute(sql.SQL("create schema {}").format(sql.Identifier(self.schema)))
        self.warehouse.execute(TABLES)
        self.source = self.connect()

    def connect(self, *, autocommit: bool = True) -> Connection:
        connection = self.database.connect(autocommit=True)
        connection.execute(sql.SQL("set search_path to {}").format(sql.Identifier(self.schema)))
        connection.autocommit = autocommit
        self.connections.append(connection)
        return connection

    def load(self, connection: Connection | None = None, **options: Any) -> IncrementalResult:
        """Load with nothing but the in-flight rule against late commits."""
        given = {
            "table": f"{self.schema}.target",
            "watermark": "updated_at",
            "key": ["id"],
            "pipeline": self.schema,
            "source": self.source,
            "overlap": 0 if options.get("watermark") == "number" else "0s",
            "patience": 0.0,
            **options,
        }
        if "sql_file" not in given:
            given.setdefault("sql", "select * from origin")
        return incremental_load(connection or self.warehouse, **given)

    def background(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Run something beside the test; call the result to wait for it."""
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append(work())
            except Exception as error:  # noqa: BLE001 - handed to the test
                outcome.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def wait() -> Any:
            thread.join(60)
            assert outcome, "still running"
            if isinstance(outcome[0], Exception):
                raise outcome[0]
            return outcome[0]

        return wait

    def until(self, query: str, *parameters: Any) -> None:
        """Wait until a query gives true."""
        watcher = self.connect()
        held = wait_until(
            lambda: bool((watcher.execute(query, parameters).fetchone() or (False,))[0]), timeout=30
        )
        watcher.close()
        assert held, query

    def missing(self) -> list[Any]:
        """Rows that only one of the two tables has."""
        return self.warehouse.execute(
            "(select 'missing', * from origin except select 'missing', * from target) union all "
            "(select 'invented', * from target except select 'invented', * from origin)"
        ).fetchall()

    def stored(self) -> dict[str, Any]:
        with self.warehouse.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute("select * from ops.load_watermark where pipeline = %s", [self.schema])
            return cursor.fetchone() or {}

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        with self.database.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(self.schema)))
            connection.execute("delete from ops.load_watermark where pipeline = %s", [self.schema])


@pytest.fixture(scope="session")
def shared_warehouse(
    warehouse_server: WarehouseServer, warehouse_template: str
) -> Iterator[WarehouseDatabase]:
    with warehouse_server.database(template=warehouse_template) as database:
        yield database


@pytest.fixture
def play(shared_warehouse: WarehouseDatabase) -> Iterator[Play]:
    opened = Play(shared_warehouse)
    yield opened
    opened.close()

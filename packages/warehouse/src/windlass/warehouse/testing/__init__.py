"""The pytest plugin: a migrated warehouse of its own for every test that asks for one.

Fixtures (nothing is started before one is used):

- `warehouse_server` (session): a server; `.dsn(dbname)`, `.database()`. All xdist workers of a run share it,
  and it ends with the last of them, even with one that is killed. `WINDLASS_TEST_DSN` names a server to use
  instead; its user must be allowed to create databases.
- `warehouse_template` (session): name of a migrated, empty database to copy.
- `warehouse` (function): a fresh migrated database, `.name`, `.dsn`, `.connect()`; dropped afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

__all__ = ["warehouse", "warehouse_server", "warehouse_template"]


@pytest.fixture(scope="session")
def warehouse_server() -> Iterator[WarehouseServer]:
    """A PostgreSQL server for this test run."""
    # Imported late: pytest loads this module in every run of every project it is installed in.
    from windlass.warehouse.testing.server import server_of_run

    with server_of_run() as server:
        yield server


@pytest.fixture(scope="session")
def warehouse_template(warehouse_server: WarehouseServer) -> Iterator[str]:
    """Name of a migrated database without rows, to copy; nobody may be connected to it."""
    from windlass.warehouse.migrations import migrate

    with warehouse_server.database() as database:
        migrate(database.dsn)
        yield database.name


@pytest.fixture
def warehouse(warehouse_server: WarehouseServer, warehouse_template: str) -> Iterator[WarehouseDatabase]:
    """A migrated database of this test's own."""
    with warehouse_server.database(template=warehouse_template) as database:
        yield database

"""The pytest plugin: a migrated warehouse of its own for every test that asks for one.

Fixtures (nothing is started before one is used):

- `warehouse_server` (session): a server; `.dsn(dbname)`, `.database()`. All xdist workers of a run share it,
  and it ends with the last of them, even with one that is killed. `WINDLASS_TEST_DSN` names a server to use
  instead; its user must be allowed to create databases.
- `warehouse_template` (session): name of a migrated, empty database to copy.
- `warehouse` (function): a fresh migrated database, `.name`, `.dsn`, `.connect()`; dropped afterwards.
- `run_dag` (function; needs Airflow): `run_dag(dag)` runs a DAG as Airflow does, in this process, on a
  metadata database of the test's own; `warehouse_default` leads to the test's warehouse.
- `in_task` (function; needs Airflow): `in_task(function)` calls it with a real task instance's context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from windlass.warehouse.testing.airflow import InTask, RunDag
    from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

__all__ = ["airflow_template", "in_task", "run_dag", "warehouse", "warehouse_server", "warehouse_template"]


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


@pytest.fixture(scope="session")
def airflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated metadata database of Airflow, to copy; all xdist workers of a run share one."""
    from windlass.warehouse.testing.airflow import migrated_template

    own = tmp_path_factory.getbasetemp()
    return migrated_template(own.parent if own.name.startswith("popen-") else own)


@pytest.fixture
def run_dag(airflow_template: Path, warehouse: WarehouseDatabase, tmp_path: Path) -> Iterator[RunDag]:
    """Runs DAGs as Airflow does; see `windlass.warehouse.testing.airflow.run_dag`."""
    from windlass.warehouse.testing import airflow

    def run(dag: Any, *, connections: Mapping[str, str] | None = None, **options: Any) -> Any:
        known = {"warehouse_default": warehouse.dsn, **(connections or {})}
        return airflow.run_dag(dag, connections=known, **options)

    with airflow.metadata_database(airflow_template, tmp_path):
        yield run


@pytest.fixture
def in_task(run_dag: RunDag) -> InTask:
    """Calls functions as the body of a task; see `windlass.warehouse.testing.airflow.in_task`."""
    from windlass.warehouse.testing import airflow

    return partial(airflow.in_task, run=run_dag)

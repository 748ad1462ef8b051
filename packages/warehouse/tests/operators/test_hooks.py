"""The hook in a real task: connections by id, in a known state, and the try's fence."""

from __future__ import annotations

import pytest

from windlass.warehouse.fence import writing
from windlass.warehouse.hooks import WarehouseHook
from windlass.warehouse.testing.airflow import InTask
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_session_speaks_utf8_and_iso_whatever_the_database_says(
    in_task: InTask, warehouse: WarehouseDatabase
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(f"alter database {warehouse.name} set datestyle to 'German'")
        connection.execute(f"alter database {warehouse.name} set client_encoding to 'LATIN1'")

    def body(_: object) -> list[object]:
        with WarehouseHook().connect(application_name="x" * 100) as connection:
            return [
                connection.info.encoding,
                *connection.execute(
                    "select current_setting('datestyle'), '2026-01-02'::date::text, "
                    "current_setting('application_name'), 'ü'"
                ).fetchone(),
            ]

    encoding, style, day, name, letter = in_task(body)
    assert (encoding, day, name, letter) == ("utf-8", "2026-01-02", "x" * 63, "ü")
    assert style.startswith("ISO")


def test_a_tasks_connection_has_its_fence(in_task: InTask, warehouse: WarehouseDatabase) -> None:
    def body(context: dict[str, object]) -> tuple[object, ...]:
        with WarehouseHook().task(context) as (connection, run):
            with writing(connection, run):
                connection.execute("create table public.made ()")
            fence = connection.execute("select ti_id, backend_pid from ops.task_fence").fetchone()
            name = connection.execute("select current_setting('application_name')").fetchone()
            return run, connection.info.backend_pid, fence, name

    run, pid, fence, name = in_task(body)
    assert fence == (run.ti_id, pid)
    assert run.generation == 1
    assert name == ("windlass in_task.body",)
    with warehouse.connect() as connection:
        assert connection.execute("select to_regclass('public.made') is not null").fetchone() == (True,)


def test_a_pool_of_the_hook_uses_its_connections_again(in_task: InTask) -> None:
    def body(_: object) -> set[int]:
        used = set()
        with WarehouseHook().pool(size=2, application_name="sweeper") as pool:
            for _ in range(5):
                with pool.connection() as connection:
                    used.add(connection.info.backend_pid)
                    assert connection.execute("show application_name").fetchone() == ("sweeper",)
        return used

    assert len(in_task(body)) == 1

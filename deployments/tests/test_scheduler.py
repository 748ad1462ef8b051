"""Airflow's real scheduler: the gallery's runs, retries, clears, and runs that are created again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.deployments.settings import project_root
from windlass.deployments.testing import Api, Stack, wait_until
from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres

GALLERY = project_root(Path(__file__).parent) / "examples"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not GALLERY.is_dir(), reason="the examples are in the source tree, not in the wheel"),
]

DAG_ID = "shop_trial_v1"
LOCK = 4711
PREPARE = """
do $$
begin
    if to_regclass('public.allowed') is null then
        create table public.allowed (task_id text);
        insert into public.allowed values ('work');
        create table public.written (run_id text, try_number int, generation int);
    end if;
end
$$
"""
# Each try leaves a row unless it fails, which it does while nothing is allowed; a lock makes it wait.
WORK = f"""
insert into public.written values (%(run_id)s, %(try_number)s, %(generation)s);
select 1 / (select count(*) from public.allowed where task_id = %(task_id)s) as allowed;
select pg_advisory_xact_lock_shared({LOCK})
"""


def write_config(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "prepare.sql").write_text(PREPARE)
    (folder / "work.sql").write_text(WORK)
    config = {
        "schema_version": 1,
        "dag_id": DAG_ID,
        "schedule": None,
        "start_date": "2026-01-01",
        "tasks": {
            "prepare": {"operator": "warehouse.transform", "args": {"sql_file": "prepare.sql"}},
            "work": {
                "operator": "warehouse.transform",
                "args": {"sql_file": "work.sql"},
                "depends_on": ["prepare"],
                "retry": {"attempts": 3, "delay": "0s"},
            },
        },
    }
    (folder / "dag.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def airflow(_module_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A stack that was left running, with the gallery and a task that a test can make fail and wait."""
    folder = tmp_path_factory.mktemp("configs")
    for level in ("intermediate", "advanced"):
        shutil.copytree(GALLERY / level, folder / level)
    write_config(folder / DAG_ID)
    done = _module_stack.run("demo", "--config", str(folder), "--dag-id", DAG_ID, "--keep")
    assert done.code == 0, done.out + done.err
    with Api.of(done.out) as api:
        yield api


@pytest.fixture(scope="module")
def warehouse(airflow: Api, _module_stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    server = EmbeddedPostgres(_module_stack.layout.postgres)
    with connect(server.dsn("warehouse"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def inbox(airflow: Api, _module_stack: Stack) -> Path:
    return _module_stack.layout.inbox / "demo_event_driven"


class Work:
    """The task `work` of one run, and what the warehouse knows of it."""

    def __init__(self, airflow: Api, warehouse: psycopg.Connection[Any], run_id: str) -> None:
        self.airflow = airflow
        self.warehouse = warehouse
        self.run_id = run_id

    def allow(self, *, allowed: bool) -> None:
        self.warehouse.execute("delete from public.allowed")
        if allowed:
            self.warehouse.execute("insert into public.allowed values ('work')")

    def generation(self) -> tuple[int, int] | None:
        """Generation and try number of the latest try."""
        query = (
            "select generation, try_number from ops.task_generation where (run_id, task_id) = (%s, 'work')"
        )
        return self.warehouse.execute(query, [self.run_id]).fetchone()

    def written(self) -> list[tuple[int, int]]:
        query = "select generation, try_number from public.written where run_id = %s order by 1, 2"
        return self.warehouse.execute(query, [self.run_id]).fetchall()

    def reaches(self, try_number: int) -> None:
        wait_until(lambda: (self.generation() or (0, 0))[1] >= try_number)

    def succeeds(self) -> None:
        wait_until(lambda: self.airflow.run_state(DAG_ID, self.run_id) in {"success", "failed"})
        assert self.airflow.run_state(DAG_ID, self.run_id) == "success"

    def clear(self) -> None:
        self.airflow.clear(DAG_ID, self.run_id, "work")


def test_retries_share_a_generation_and_clears_and_recreated_runs_begin_the_next(
    airflow: Api, warehouse: psycopg.Connection[Any]
) -> None:
    work = Work(airflow, warehouse, "manual__first")
    work.allow(allowed=False)
    airflow.trigger(DAG_ID, work.run_id)
    work.reaches(2)
    assert work.generation() == (1, 2)
    work.allow(allowed=True)
    work.succeeds()
    generation, try_number = work.generation() or (0, 0)
    assert generation == 1
    assert work.written() == [(1, try_number)]

    work.allow(allowed=False)
    work.clear()
    work.reaches(try_number + 2)
    assert work.generation() == (2, try_number + 2)
    work.allow(allowed=True)
    work.succeeds()
    assert [generation for generation, _ in work.written()] == [1, 2]

    airflow.delete_run(DAG_ID, work.run_id)
    airflow.trigger(DAG_ID, work.run_id)
    wait_until(lambda: work.generation() == (3, 1))
    work.succeeds()
    assert work.written()[-1] == (3, 1)


def test_a_task_cleared_while_it_runs_writes_once(airflow: Api, warehouse: psycopg.Connection[Any]) -> None:
    work = Work(airflow, warehouse, "manual__second")
    work.allow(allowed=True)
    with warehouse.transaction():
        warehouse.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        airflow.trigger(DAG_ID, work.run_id)
        work.reaches(1)
        work.clear()
        work.reaches(2)
    work.succeeds()
    assert work.written() == [work.generation()]


def run_example(airflow: Api, dag_id: str, run_id: str, **given: Any) -> None:
    airflow.trigger(dag_id, run_id, **given)
    wait_until(lambda: airflow.run_state(dag_id, run_id) in {"success", "failed"})
    assert airflow.run_state(dag_id, run_id) == "success", airflow.task_states(dag_id, run_id)


def test_the_incremental_example_loads_only_what_is_new_and_misses_nothing(
    airflow: Api, warehouse: psycopg.Connection[Any]
) -> None:
    dag_id = "demo_incremental_load_v1"
    run_example(airflow, dag_id, "manual__first")
    (orders,) = warehouse.execute("select count(*) from demo_incremental_load.landed_order").fetchone() or (
        0,
    )
    first = airflow.result(dag_id, "manual__first", "load_orders")
    assert (first["inserted"], first["updated"]) == (orders, 0)

    run_example(airflow, dag_id, "manual__second")
    second = airflow.result(dag_id, "manual__second", "load_orders")
    # 20 new ones, one of an offline till, three that changed; besides the first run's within the overlap.
    assert (second["inserted"], second["updated"], second["unchanged"]) == (21, 3, 24)
    (compared,) = airflow.result(dag_id, "manual__second", "compare")["result"]
    assert (compared["missing_or_different"], compared["surplus"]) == (0, 0)
    assert compared["orders"] == orders + 21


HISTORY = [
    (1, "consumer", "2026-01-05", "infinity"),
    (2, "consumer", "2026-01-05", "2026-01-06"),
    (2, "corporate", "2026-01-06", "2026-01-07"),
    (2, "consumer", "2026-01-07", "infinity"),
    (3, "consumer", "2026-01-05", "2026-01-06"),
    (3, "consumer", "2026-01-07", "infinity"),
    (4, "consumer", "2026-01-05", "2026-01-06"),
    (5, "corporate", "2026-01-06", "2026-01-07"),
    (5, None, "2026-01-07", "infinity"),
]


def test_the_scd2_example_keeps_the_history_that_was_and_keeps_it_once(
    airflow: Api, warehouse: psycopg.Connection[Any]
) -> None:
    dag_id = "demo_scd_type2_v1"
    kept = (
        "select customer_key, customer_id, segment, valid_from::date::text, "
        "case when is_current then valid_to::text else valid_to::date::text end "
        "from demo_scd_type2.dim_customer where customer_id < 1000 order by 2, 4"
    )
    run_example(airflow, dag_id, "manual__first")
    rows = warehouse.execute(kept).fetchall()
    assert [row[1:] for row in rows] == HISTORY
    run_example(airflow, dag_id, "manual__second")
    assert warehouse.execute(kept).fetchall() == rows
    again = airflow.result(dag_id, "manual__second", "keep_late_tuesday")
    assert [again[name] for name in ("inserted", "changed", "deleted", "reappeared")] == [0, 0, 0, 0]


def test_the_parallel_example_publishes_only_what_agrees(
    airflow: Api, warehouse: psycopg.Connection[Any]
) -> None:
    dag_id = "demo_parallel_processing_v1"
    published = "select year, orders, revenue from demo_parallel_processing.published_year order by year"
    sold = (
        "select extract(year from sold_on)::integer, count(*), sum(quantity * unit_price) from source.sale "
        "group by 1 order by 1"
    )
    run_example(airflow, dag_id, "manual__first")
    rows = warehouse.execute(published).fetchall()
    assert rows == warehouse.execute(sold).fetchall()
    assert len(rows) > 1
    states = airflow.task_states(dag_id, "manual__first")
    assert (states["publish"], states["set_aside"], states["report"]) == ("success", "skipped", "success")
    instances = warehouse.execute("select map_index from demo_parallel_processing.year_sum order by year")
    assert [index for (index,) in instances] == list(range(len(rows)))

    run_example(airflow, dag_id, "manual__second", conf={"least_orders": 1_000_000})
    states = airflow.task_states(dag_id, "manual__second")
    assert (states["publish"], states["set_aside"], states["report"]) == ("skipped", "success", "success")
    assert warehouse.execute(published).fetchall() == rows
    outcomes = warehouse.execute("select outcome from demo_parallel_processing.outcome order by run_id")
    assert outcomes.fetchall() == [("published",), ("set aside",)]


def test_the_cross_dag_example_waits_triggers_and_updates(
    airflow: Api, warehouse: psycopg.Connection[Any]
) -> None:
    dag_id, ranking = "demo_cross_dag_dependency_v1", "demo_cross_dag_ranking_v1"
    seen = "select min(runs_seen), count(*) from demo_cross_dag.ranking"
    (orders,) = warehouse.execute("select count(*) from source.sale where sale_id % 10 = 0").fetchone() or (
        0,
    )
    assert orders
    for run, name in enumerate(["manual__first", "manual__second"], 1):
        run_example(airflow, dag_id, name, logical_date=f"2026-01-0{run}T05:00:00Z")
        (compared,) = airflow.result(dag_id, name, "compare")["result"]
        assert (compared["agree"], compared["orders"]) == (True, orders)
        wait_until(lambda run=run: (warehouse.execute(seen).fetchone() or (0,))[0] == run)
    totals = warehouse.execute("select landed_by, orders from demo_cross_dag.total order by 1").fetchall()
    assert totals == [("manual__first", orders), ("manual__second", orders)]
    assert [name.partition("__")[0] for name in airflow.run_ids(ranking)] == ["asset_triggered"] * 2


def test_the_event_driven_example_loads_each_file_exactly_once(
    airflow: Api, warehouse: psycopg.Connection[Any], inbox: Path
) -> None:
    dag_id = "demo_event_driven_pipeline_v1"
    runs = 0
    # A run takes what has arrived when the first file is seen; what comes meanwhile is the next one's.
    while runs < 2 or list(inbox.glob("*.csv")):
        runs += 1
        run_example(airflow, dag_id, f"manual__{runs}", logical_date=f"2026-01-0{runs}T05:00:00Z")
        assert airflow.task_states(dag_id, f"manual__{runs}")["await_files"] == "success"
        (counted,) = airflow.result(dag_id, f"manual__{runs}", "count")["result"]
        assert counted["lines"] == counted["different_lines"]
        assert runs < 9
    counted = warehouse.execute(
        "select count(*), count(distinct (delivery, line)), count(distinct delivery) "
        "from demo_event_driven.delivered_sale"
    )
    assert counted.fetchone() == (500 * runs, 500 * runs, 5 * runs)
    assert len(list((inbox / "done").glob("*.csv"))) == 6 * runs

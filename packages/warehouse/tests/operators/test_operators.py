"""The operators as Airflow runs them, on a real metadata database."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk import DAG, XComArg

from windlass.warehouse.operators import (
    ExtractLoadOperator,
    IncrementalLoadOperator,
    LoadFileOperator,
    PublishOperator,
    QueryOperator,
    TransformOperator,
)
from windlass.warehouse.publish import Lookup
from windlass.warehouse.testing.airflow import RunDag
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def dag() -> DAG:
    return DAG("play", schedule=None)


@pytest.fixture
def shop(warehouse_server: WarehouseServer) -> Iterator[WarehouseDatabase]:
    """Another database, to extract from."""
    with warehouse_server.database() as other:
        with other.connect(autocommit=True) as connection:
            connection.execute(
                "create table origin as select n as product_id, 's' || n as sku, 'n' as name, "
                "'books' as category, 1.5::numeric(12,2) as unit_price from generate_series(1, 3) as n"
            )
        yield other


def test_the_operators_load_transform_and_publish(
    dag: DAG,
    run_dag: RunDag,
    warehouse: WarehouseDatabase,
    shop: WarehouseDatabase,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    header = "customer_id,name,email,country_code,segment,created_at,updated_at"
    (tmp_path / "customers.csv").write_text(f"{header}\n1,Ann,a@b.c,DE,consumer,2024-01-01,2024-01-01\n")
    with dag:
        extract = ExtractLoadOperator(
            task_id="extract",
            table="staging.product",
            source_conn_id="shop",
            sql="select * from origin where product_id <= %(most)s",
            parameters={"most": 2},
        )
        same = ExtractLoadOperator(task_id="same", table="staging.calendar", sql="select current_date as day")
        land = LoadFileOperator(
            task_id="land", file=str(tmp_path / "customers.csv"), table="staging.customer"
        )
        days = TransformOperator(
            task_id="days",
            sql="select count(*) as n, %(run_id)s as run, %(task_id)s as task from staging.product",
        )
        publish = PublishOperator(
            task_id="publish",
            table="warehouse.dim_product",
            source_table="staging.product",
            key=["product_id"],
            sql="select product_id, sku, name, category, unit_price from staging.product",
        )
        [extract, same, land] >> days >> publish

    outcome = run_dag(dag, connections={"shop": shop.dsn})

    assert set(outcome.states.values()) == {"success"}
    results = outcome.results
    assert results["extract"] == {"table": "staging.product", "rows": 2}
    assert results["same"] == {"table": "staging.calendar", "rows": 1}
    landed = {name: results["land"][name] for name in ("table", "rows", "skipped")}
    assert landed == {"table": "staging.customer", "rows": 1, "skipped": False}
    assert results["days"] == {
        "statements": [{"rows": 1, "command": "SELECT"}],
        "result": [{"n": 2, "run": outcome.run_id, "task": "days"}],
    }
    assert results["publish"] == {
        "table": "warehouse.dim_product",
        "landed": 2,
        "published": 2,
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "rejected_by_kind": {},
    }
    (told,) = [line for line in capfd.readouterr().out.splitlines() if "rows_published" in line]
    assert "dag_id=play" in told
    assert f"run_id={outcome.run_id}" in told
    with warehouse.connect() as connection:
        noted = connection.execute("select dag_id, run_id, task_id, map_index from ops.loaded_file")
        assert noted.fetchall() == [("play", outcome.run_id, "land", -1)]
        fenced = connection.execute("select task_id from ops.task_fence order by 1").fetchall()
        assert fenced == [("days",), ("extract",), ("land",), ("publish",), ("same",)]


@pytest.mark.parametrize(("most", "noted"), [(2, [("1",), ("2",)]), (0, [])])
def test_a_mapped_task_expands_over_a_querys_rows(
    dag: DAG, run_dag: RunDag, warehouse: WarehouseDatabase, most: int, noted: list[tuple[str]]
) -> None:
    with dag:
        numbers = QueryOperator(
            task_id="numbers",
            sql="select n as number from generate_series(1, %(most)s::integer) as n",
            parameters={"most": most},
        )
        TransformOperator.partial(
            task_id="each", sql="insert into staging.calendar (holiday_name) values (%(number)s)"
        ).expand(parameters=XComArg(numbers))

    run_dag(dag)

    with warehouse.connect() as connection:
        rows = connection.execute("select holiday_name from staging.calendar order by 1").fetchall()
        assert rows == noted


def test_a_file_is_read_as_the_task_says(
    dag: DAG, run_dag: RunDag, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "products.txt"
    path.write_bytes("Nr;sku;name;Ä;spare\n1;A;'Müsli; gut';-;x\nx;B;'b';1;x\n3;C;'c';2;x\n".encode("cp1252"))
    with dag:
        LoadFileOperator(
            task_id="land",
            file=str(path),
            format="csv",
            table="staging.product",
            columns={"Nr": "product_id", "Ä": "unit_price"},
            extra_columns="ignore",
            missing_columns="default",
            delimiter=";",
            quote="'",
            null="-",
            encoding="cp1252",
            max_rejects=1,
        )

    outcome = run_dag(dag)

    assert set(outcome.states.values()) == {"success"}
    counts = {name: outcome.results["land"][name] for name in ("rows", "rejected", "skipped")}
    assert counts == {"rows": 2, "rejected": 1, "skipped": False}
    with warehouse.connect() as connection:
        landed = connection.execute("select product_id, name, unit_price from staging.product order by 1")
        assert [(key, name, price and str(price)) for key, name, price in landed] == [
            (1, "Müsli; gut", None),
            (3, "c", "2.00"),
        ]
        noted = connection.execute("select line, record, dag_id, task_id from ops.rejected_file_row")
        assert noted.fetchall() == [(3, "x;B;'b';1;x", "play", "land")]


def test_a_failing_task_tells_file_line_and_column_and_changes_nothing(
    dag: DAG,
    run_dag: RunDag,
    warehouse: WarehouseDatabase,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bad.sql").write_text("insert into staging.calendar default values;\nselect nope;\n")
    with dag:
        TransformOperator(task_id="bad", sql_file=str(tmp_path / "bad.sql"))

    outcome = run_dag(dag)

    output = capfd.readouterr().out
    assert outcome.states == {"bad": "failed"}
    assert f"{tmp_path}/bad.sql:2:8: column" in output
    (told,) = [line for line in output.splitlines() if "task_failed" in line]
    for part in (
        "error_type=windlass.warehouse.errors.StatementError",
        "psycopg.errors.UndefinedColumn",
        f"run_id={outcome.run_id}",
        "attempt=1",
    ):
        assert part in told
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from staging.calendar").fetchone() == (0,)


def test_a_connection_that_leads_nowhere_is_named(
    dag: DAG, run_dag: RunDag, capfd: pytest.CaptureFixture[str]
) -> None:
    with dag:
        TransformOperator(task_id="bad", sql="select 1", conn_id="nowhere")

    outcome = run_dag(dag, connections={"nowhere": "postgres://someone:topsecret@127.0.0.1:1/db"})

    output = capfd.readouterr().out
    assert outcome.states == {"bad": "failed"}
    assert "Airflow connection 'nowhere' does not reach its database" in output
    assert "topsecret" not in output


def test_lookups_and_other_databases_work_from_python(
    dag: DAG, run_dag: RunDag, warehouse: WarehouseDatabase
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(
            "create table place (id int primary key, code text unique);"
            "create table visit (n int primary key, place_id int not null references place);"
            "create table landed (n text, code text);"
            "insert into place values (1, 'a'); insert into landed values ('1', 'a'), ('2', 'b'), ('x', 'a')"
        )
    with dag:
        PublishOperator(
            task_id="publish",
            table="visit",
            source_table="landed",
            key=["n"],
            sql="select * from landed",
            lookups={"place_id": Lookup("place", "id", {"code": "code"})},
        )
    outcome = run_dag(dag)
    assert outcome.results["publish"]["rejected_by_kind"] == {"not_a_number": 1, "orphan": 1}


def test_increments_go_by_the_task_and_tell_who_holds_them_back(
    dag: DAG, run_dag: RunDag, warehouse: WarehouseDatabase, shop: WarehouseDatabase
) -> None:
    with dag:
        IncrementalLoadOperator.partial(
            task_id="load",
            source_conn_id="shop",
            sql="select * from sold where shop = %(shop)s",
            watermark="number",
            key=["shop", "number"],
        ).expand_kwargs([{"table": f"sold_{n}", "parameters": {"shop": n}} for n in (0, 1)])
    with shop.connect(autocommit=True) as source, shop.connect() as early, warehouse.connect() as target:
        source.execute(
            "create table sold as select n % 2 as shop, n as number from generate_series(1, 9) as n"
        )
        for n in (0, 1):
            target.execute(f"create table sold_{n} (shop int, number int, primary key (shop, number))")
        target.commit()
        early.execute("insert into sold values (1, 0)")
        outcome = run_dag(dag, connections={"shop": shop.dsn})
        early.commit()
        again = run_dag(dag, connections={"shop": shop.dsn})

        assert outcome.results["load[0]"]["inserted"] == 4
        held = outcome.results["load[1]"]
        assert (held["held_back"], held["oldest"]["pid"]) == (1, early.info.backend_pid)
        assert again.results["load[1]"]["watermark_after"] == "9"
        assert target.execute("select count(*) from sold_1").fetchone() == (6,)
        kept = target.execute("select pipeline, source_name from ops.load_watermark order by 1").fetchall()
        assert kept == [("play.load[0]", "public.sold_0"), ("play.load[1]", "public.sold_1")]


def test_a_retry_continues_its_generation_and_takes_the_fence(
    dag: DAG, run_dag: RunDag, warehouse: WarehouseDatabase
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("create sequence tries")
    with dag:
        TransformOperator(
            task_id="flaky",
            # A sequence counts on when the transaction is rolled back.
            sql="select 1 / (nextval('tries') - 1) as n, %(generation)s as generation, %(ti_id)s as ti_id",
            retries=1,
            retry_delay=0,
        )
    outcome = run_dag(dag)
    (row,) = outcome.results["flaky"]["result"]
    with warehouse.connect() as connection:
        fence = connection.execute("select ti_id::text from ops.task_fence").fetchone()
        generation = connection.execute("select generation, try_number from ops.task_generation").fetchone()
    assert outcome.states == {"flaky": "success"}
    assert (row["n"], row["generation"]) == (1, 1)
    assert fence == (row["ti_id"],)
    assert generation == (1, 2)


def test_a_warehouse_that_was_not_migrated_says_what_to_run(
    dag: DAG, run_dag: RunDag, shop: WarehouseDatabase, capfd: pytest.CaptureFixture[str]
) -> None:
    with dag:
        TransformOperator(task_id="early", sql="delete from origin", conn_id="shop")
    assert run_dag(dag, connections={"shop": shop.dsn}).state == "failed"
    assert "windlass-warehouse migrate --only ops" in capfd.readouterr().out
    with shop.connect() as connection:
        assert connection.execute("select count(*) from origin").fetchone() == (3,)


SLOW = """
import os, signal, sys
from pathlib import Path
from airflow.sdk import DAG, XComArg
from windlass.warehouse.operators import TransformOperator
from windlass.warehouse.testing.airflow import metadata_database, run_dag

template, folder, dsn = sys.argv[1:]
with metadata_database(Path(template), Path(folder)):
    with DAG("play", schedule=None) as dag:
        sql = "insert into staging.calendar default values; select pg_sleep(600)"
        task = TransformOperator(task_id="slow", sql=sql)
    signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    print(run_dag(dag, connections={"warehouse_default": dsn}).states)
"""


def test_a_killed_task_stops_its_statement(
    warehouse: WarehouseDatabase, airflow_template: Path, tmp_path: Path
) -> None:
    # Airflow keeps the source of a DAG's file.
    (tmp_path / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow.py"), str(airflow_template), str(tmp_path), warehouse.dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with warehouse.connect(autocommit=True) as connection:
        running = (
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' "
            "and query like '%pg_sleep(600)%' and pid <> pg_backend_pid() and application_name = "
            "'windlass play.slow'"
        )
        wait_until(connection, running, 1, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        wait_until(connection, running, 0, process)
        assert connection.execute("select count(*) from staging.calendar").fetchone() == (0,)
    assert "{'slow': 'failed'}" in output
    assert "cancel" in output


def wait_until(
    connection: psycopg.Connection[Any], query: str, count: int, process: subprocess.Popen[str]
) -> None:
    deadline = time.monotonic() + 60
    while connection.execute(query).fetchone() != (count,):
        if count and process.poll() is not None:
            pytest.fail(process.communicate()[0])
        assert time.monotonic() < deadline, query
        time.sleep(0.02)

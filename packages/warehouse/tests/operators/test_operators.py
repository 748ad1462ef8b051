"""The operators as Airflow runs them: `dag.test()` on a real metadata database, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PRELUDE = """
import json
from airflow.sdk import DAG
from windlass.warehouse.operators import *
from windlass.warehouse.publish import Lookup

dag = DAG({dag_id!r}, schedule=None)
FOLDER = {folder!r}
"""
RUN = """
if __name__ == "__main__":
    run = dag.test()
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    with create_session() as session:
        found = session.query(XComModel.task_id, XComModel.value).filter(
            XComModel.key == "return_value", XComModel.dag_id == dag.dag_id).all()
    values = {task: json.loads(value) if isinstance(value, str) else value for task, value in found}
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    print("RESULT " + json.dumps({"states": states, "xcom": values, "run_id": run.run_id}))
"""


def connection_uri(dsn: str) -> str:
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    login = f"{quote(parts.pop('user'))}:{quote(parts.pop('password', '') or '')}"
    host, port, database = parts.pop("host"), parts.pop("port"), parts.pop("dbname")
    return f"postgres://{login}@{quote(str(host), safe='')}:{port}/{database}?{urlencode(parts)}"


class Airflow:
    """Runs DAGs written by a test."""

    def __init__(self, home: Path, folder: Path, connections: dict[str, str]) -> None:
        self.folder = folder
        self.dag_id = f"play_{uuid.uuid4().hex}"
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            **{f"AIRFLOW_CONN_{name.upper()}": uri for name, uri in connections.items()},
        }

    def start(self, tasks: str) -> subprocess.Popen[str]:
        script = self.folder / "dags" / "play.py"
        script.parent.mkdir()
        head = PRELUDE.format(folder=str(self.folder), dag_id=self.dag_id)
        script.write_text(head + "with dag:\n" + textwrap.indent(tasks, "    ") + RUN)
        return subprocess.Popen(
            [sys.executable, str(script)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, tasks: str) -> tuple[dict[str, Any], str]:
        output, _ = self.start(tasks).communicate(timeout=120)
        found = [line for line in output.splitlines() if line.startswith("RESULT ")]
        assert found, output
        return json.loads(found[0].removeprefix("RESULT ")), output


@pytest.fixture
def airflow(
    airflow_home: Path, tmp_path: Path, warehouse: WarehouseDatabase, warehouse_server: WarehouseServer
) -> Iterator[Airflow]:
    with warehouse_server.database() as other:
        with other.connect(autocommit=True) as connection:
            connection.execute(
                "create table origin as select n as product_id, 's' || n as sku, 'n' as name, "
                "'books' as category, 1.5::numeric(12,2) as unit_price from generate_series(1, 3) as n"
            )
        connections = {
            "warehouse_default": connection_uri(warehouse.dsn),
            "shop": connection_uri(other.dsn),
            "files": f"sqlite:///{tmp_path}/files.db",
        }
        yield Airflow(airflow_home, tmp_path, connections)


def test_the_operators_load_transform_and_publish(
    airflow: Airflow, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    (tmp_path / "customers.csv").write_text(
        "customer_id,name,email,country_code,segment,created_at,updated_at\n1,Ann,a@b.c,DE,consumer,2024-01-01,2024-01-01\n"
    )
    result, output = airflow.run(
        """
extract = ExtractLoadOperator(task_id="extract", table="staging.product", source_conn_id="shop",
    sql="select * from origin where product_id <= %(most)s", parameters={"most": 2})
same = ExtractLoadOperator(task_id="same", table="staging.calendar", sql="select current_date as day")
land = LoadFileOperator(task_id="land", file=FOLDER + "/customers.csv", table="staging.customer")
days = TransformOperator(task_id="days",
    sql="select count(*) as n, %(run_id)s as run, %(task_id)s as task from staging.product")
publish = PublishOperator(task_id="publish", table="warehouse.dim_product", source_table="staging.product",
    key=["product_id"], sql="select product_id, sku, name, category, unit_price from staging.product")
[extract, same, land] >> days >> publish
"""
    )

    assert set(result["states"].values()) == {"success"}, output
    xcom = result["xcom"]
    assert xcom["extract"] == {"table": "staging.product", "rows": 2}
    assert xcom["same"] == {"table": "staging.calendar", "rows": 1}
    assert {**xcom["land"], "sha256": None} == {
        "table": "staging.customer",
        "rows": 1,
        "skipped": False,
        "sha256": None,
    }
    assert xcom["days"] == {
        "statements": [{"rows": 1, "command": "SELECT"}],
        "result": [{"n": 2, "run": result["run_id"], "task": "days"}],
    }
    assert xcom["publish"] == {
        "table": "warehouse.dim_product",
        "landed": 2,
        "published": 2,
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "rejected_by_kind": {},
    }
    assert "rows_published" in output
    with warehouse.connect() as connection:
        noted = connection.execute(
            "select dag_id, run_id, task_id, map_index from ops.loaded_file"
        ).fetchall()
    assert noted == [(airflow.dag_id, result["run_id"], "land", -1)]


def test_a_failing_task_tells_file_line_and_column_and_changes_nothing(
    airflow: Airflow, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    (tmp_path / "bad.sql").write_text("insert into staging.calendar default values;\nselect nope;\n")

    result, output = airflow.run('TransformOperator(task_id="bad", sql_file=FOLDER + "/bad.sql")\n')

    assert result["states"] == {"bad": "failed"}
    assert f"{tmp_path}/bad.sql:2:8: column" in output
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from staging.calendar").fetchone() == (0,)


def test_a_connection_that_leads_nowhere_is_named(airflow: Airflow) -> None:
    airflow.environment["AIRFLOW_CONN_NOWHERE"] = "postgres://someone:topsecret@127.0.0.1:1/db"

    result, output = airflow.run('TransformOperator(task_id="bad", sql="select 1", conn_id="nowhere")\n')

    assert result["states"] == {"bad": "failed"}
    assert "Airflow connection 'nowhere' does not reach its database" in output
    assert "topsecret" not in output


def test_lookups_and_other_databases_work_from_python(
    airflow: Airflow, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(
            "create table place (id int primary key, code text unique);"
            "create table visit (n int primary key, place_id int not null references place);"
            "create table landed (n text, code text);"
            "insert into place values (1, 'a'); insert into landed values ('1', 'a'), ('2', 'b'), ('x', 'a')"
        )
    result, output = airflow.run(
        """
PublishOperator(task_id="publish", table="visit", source_table="landed", key=["n"],
    sql="select * from landed",
    lookups={"place_id": Lookup("place", "id", {"code": "code"})})
"""
    )
    assert result["xcom"]["publish"]["rejected_by_kind"] == {"not_a_number": 1, "orphan": 1}, output


def test_a_killed_task_stops_its_statement(airflow: Airflow, warehouse: WarehouseDatabase) -> None:
    process = airflow.start(
        """
import signal
task = TransformOperator(task_id="slow",
    sql="insert into staging.calendar default values; select pg_sleep(600)")
signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
"""
    )
    with warehouse.connect(autocommit=True) as connection:
        running = (
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' "
            "and query like '%pg_sleep(600)%' and pid <> pg_backend_pid() and application_name like "
            "'windlass play_%'"
        )
        wait_until(connection, running, 1)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        wait_until(connection, running, 0)
        assert connection.execute("select count(*) from staging.calendar").fetchone() == (0,)
    assert '"slow": "failed"' in output
    assert "cancel" in output


def wait_until(connection: psycopg.Connection[Any], query: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while connection.execute(query).fetchone() != (count,):
        assert time.monotonic() < deadline, query

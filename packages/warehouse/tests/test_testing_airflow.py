"""The plugin's Airflow: functions and DAGs that a test has run for real, in its own process."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from airflow.sdk import DAG
from psycopg.conninfo import make_conninfo

from windlass.warehouse.operators import TransformOperator
from windlass.warehouse.task import run_context
from windlass.warehouse.testing.airflow import connection_uri, metadata_database, migrated_template

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_function_runs_as_a_task_with_the_context_of_one(in_task):
    def body(context):
        run = run_context(context)
        assert context["ti"].task.task_id == "body"
        return run

    run = in_task(body, logical_date=datetime(2026, 1, 2, tzinfo=UTC))
    assert (run.dag_id, run.task_id, run.map_index, run.try_number) == ("in_task", "body", -1, 1)
    assert (run.logical_date, run.max_tries) == (datetime(2026, 1, 2, tzinfo=UTC), 0)
    assert run.ti_id.version == 7


def test_what_the_function_raises_reaches_the_test(in_task):
    def body(context):
        raise LookupError(context["dag"].dag_id)

    with pytest.raises(LookupError, match="in_task"):
        in_task(body)


def test_mapped_tasks_are_told_apart(run_dag):
    with DAG("mapped", schedule=None) as dag:
        TransformOperator.partial(task_id="one").expand(sql=["select 'a' as x", "select 'b' as x"])
    outcome = run_dag(dag)
    assert outcome.states == {"one[0]": "success", "one[1]": "success"}
    rows = [outcome.results[name]["result"] for name in ("one[0]", "one[1]")]
    assert rows == [[{"x": "a"}], [{"x": "b"}]]


def test_a_dag_that_airflow_cannot_keep_is_refused(run_dag):
    with DAG("lost", schedule=None) as dag:
        TransformOperator(task_id="one", sql="select 1")
    dag.fileloc = "/no/such/file.py"
    with pytest.raises(RuntimeError, match="Airflow refuses the DAG"):
        run_dag(dag)


def test_the_environment_is_as_before_afterwards(airflow_template, tmp_path):
    before = dict(os.environ)
    with metadata_database(airflow_template, tmp_path):
        assert os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/airflow.db"
    assert dict(os.environ) == before


def test_a_metadata_database_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "airflow-template" / "airflow.db").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="cannot be migrated:\n"):
        migrated_template(tmp_path)


def test_a_dsn_becomes_a_uri_with_everything_escaped():
    dsn = make_conninfo(host="/run/pg", port=5433, dbname="a b", user="et/l", password="p@ss:w/rd")
    uri = connection_uri(dsn)
    assert uri == "postgres://et%2Fl:p%40ss%3Aw%2Frd@%2Frun%2Fpg:5433/a%20b?"

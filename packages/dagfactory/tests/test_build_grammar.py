"""The grammar of configs as DAGs: groups, mapped tasks, setups, assets; by Airflow's own classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, AssetAll, AssetAny
from airflow.serialization.serialized_objects import DagSerialization

from windlass.dagfactory import ConfigError, ConfigFile, analyse, build_dag
from windlass.dagfactory.policies import BackoffPolicy
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.integration

Build = Callable[..., DAG]

BASH = "airflow.providers.standard.operators.bash.BashOperator"
NOTE = {"operator": "trial.note"}


@pytest.fixture
def build(tmp_path: Path, write_config: Callable[..., Path]) -> Build:
    """Build the DAG of a config given by its tasks and other keys; serialize it, as Airflow will."""

    def make(tasks: dict[str, Any], **more: Any) -> DAG:
        config = {"dag_id": "sales_daily_load_v1", "start_date": "2026-01-01", **more, "tasks": tasks}
        path = write_config(tmp_path, config)
        (path.parent / "a.sql").write_text("select 1")
        (path.parent / "b.sql").write_text("select 2")
        dag = build_dag(analyse(ConfigFile.at(path)))
        dag.validate()
        dag.relative_fileloc = "sales_daily_load_v1/dag.json.py"
        dag.resolve_template_files()
        data = json.loads(json.dumps(DagSerialization.to_dict(dag)))
        data["dag"].pop("fileloc")
        assert str(tmp_path) not in json.dumps(data)
        DagSerialization.from_dict(data | {"dag": data["dag"] | {"fileloc": "x"}})
        return dag

    return make


def upstream(dag: DAG) -> dict[str, set[str]]:
    return {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}


def after(*names: str, **more: Any) -> dict[str, Any]:
    return {**NOTE, "depends_on": list(names), **more}


def test_groups_nest_and_names_are_looked_up_from_inside_out(build: Build) -> None:
    dag = build(
        {
            "begin": NOTE,
            "load": {
                "depends_on": ["begin"],
                "tooltip": "All loads.",
                "group_display_name": "Load",
                "tasks": {
                    "a": NOTE,
                    "inner": {"tasks": {"a": NOTE, "b": after("a", "end")}, "depends_on": ["a"]},
                    "end": after("begin"),
                },
            },
            "report": after("load"),
            "only": after("load.inner.b", "report"),
            "end": NOTE,
        }
    )
    assert upstream(dag) == {
        "begin": set(),
        "load.a": {"begin"},
        "load.inner.a": {"load.a"},
        "load.inner.b": {"load.inner.a", "load.end"},
        "load.end": {"begin"},
        "report": {"load.inner.b"},
        "only": {"load.inner.b", "report"},
        "end": set(),
    }
    group = dag.task_group_dict["load"]
    assert (group.tooltip, group.group_display_name) == ("All loads.", "Load")


def test_a_group_is_wired_by_its_ends_whatever_the_order_of_the_config(build: Build) -> None:
    tasks = {
        "last": after("second", "first.x"),
        "second": {"depends_on": ["first"], "tasks": {"y": after("x"), "x": NOTE}},
        "first": {"tasks": {"z": after("y"), "y": after("x"), "x": NOTE}},
    }
    expected = upstream(build(tasks))
    assert expected["second.x"] == {"first.z"}
    assert expected["last"] == {"second.y", "first.x"}
    assert upstream(build(dict(reversed(tasks.items())))) == expected


def test_a_group_may_leave_its_name_out_of_the_ids(build: Build) -> None:
    dag = build({"g": {"prefix_group_id": False, "tasks": {"a": NOTE, "h": {"tasks": {"b": after("a")}}}}})
    assert upstream(dag) == {"a": set(), "h.b": {"a"}}


def test_a_task_is_mapped_over_values_and_outputs(build: Build) -> None:
    dag = build(
        {
            "each": {
                "operator": "trial.run_sql",
                "args": {"parameters": {"a": 1}},
                "expand": {"sql": {"output_of": "list"}, "scripts": [["a.sql"], ["b.sql"]]},
                "map_index_template": "{{ task.sql }}",
                "retry": {"attempts": 3, "multiplier": 2},
            },
            "list": NOTE,
            "rows": {
                "operator": "trial.run_sql",
                "expand_kwargs": [{"sql": "select 1"}, {"sql_file": "b.sql"}],
            },
            "later": {**NOTE, "expand_kwargs": {"output_of": "list"}},
        }
    )
    each, rows = dag.get_task("each"), dag.get_task("rows")
    assert each.is_mapped
    assert each.partial_kwargs["parameters"] == {"a": 1}
    assert each.partial_kwargs["map_index_template"] == "{{ task.sql }}"
    assert each.expand_input.value["scripts"] == [["{{ dag.folder }}/a.sql"], ["{{ dag.folder }}/b.sql"]]
    assert "scripts" in each.template_fields
    assert upstream(dag)["each"] == {"list"} == upstream(dag)["later"]
    assert rows.expand_input.value == [{"sql": "select 1"}, {"sql_file": "{{ dag.folder }}/b.sql"}]
    # Airflow's own jitter is one for all map indices and runs.
    assert isinstance(each.retry_policy, BackoffPolicy)


def test_setups_and_teardowns(build: Build) -> None:
    dag = build(
        {
            "clean": {
                **NOTE,
                "teardown": {"setups": ["make"], "on_failure_fail_dagrun": True},
                "depends_on": ["use"],
            },
            "use": after("make"),
            "make": {**NOTE, "setup": True},
            "drop": {**NOTE, "teardown": ["make"]},
        }
    )
    clean, make = dag.get_task("clean"), dag.get_task("make")
    assert (clean.is_teardown, clean.on_failure_fail_dagrun, make.is_setup) == (True, True, True)
    assert upstream(dag) == {"clean": {"make", "use"}, "use": {"make"}, "make": set(), "drop": {"make"}}
    assert clean.trigger_rule == "all_done_setup_success"


def test_rules_of_defaults_do_not_concern_teardowns(build: Build) -> None:
    tasks = {"make": {**NOTE, "setup": True, "trigger_rule": None}, "clean": {**NOTE, "teardown": ["make"]}}
    dag = build(tasks, fail_fast=True, defaults={"trigger_rule": "always"})
    assert dag.get_task("clean").trigger_rule == "all_done_setup_success"


def test_null_takes_back_mapping_and_retries_of_an_operator_say_nothing(build: Build) -> None:
    defaults = {"operators": {"trial.note": {"retry": {}}}}
    tasks = {"note": {**NOTE, "expand": None, "expand_kwargs": None}}
    note = build(tasks, defaults=defaults).get_task("note")
    assert (note.is_mapped, note.retries) == (False, 0)


def test_schedules_by_interval_timetable_and_assets(build: Build) -> None:
    one = {"t": NOTE}
    assert build(one, schedule={"every": "6h"}).schedule == timedelta(hours=6)
    expression = {
        "any": [
            {"asset": "orders", "uri": "s3://lake/orders", "group": "lake"},
            {"all": [{"alias": "b"}, {"asset": "c"}]},
        ]
    }
    condition = build(one, schedule=expression).timetable.asset_condition
    assert condition == AssetAny(
        Asset("orders", "s3://lake/orders", group="lake"), AssetAll(AssetAlias("b"), Asset("c"))
    )
    timetable = {
        "timetable": "airflow.sdk.CronTriggerTimetable",
        "args": {"expression": "0 5 * * *", "interval": "1d"},
    }
    made = build(one, schedule=timetable, timezone="Europe/Berlin").timetable
    assert (made.interval, str(made.timezone)) == (timedelta(days=1), "Europe/Berlin")
    several = {
        "timetable": "airflow.sdk.MultipleCronTriggerTimetable",
        "args": {"crons": ["0 5 * * *", "0 7 * * *"]},
    }
    assert len(build(one, schedule=several).timetable.timetables) == 2


def test_a_timetable_that_refuses_its_arguments_is_told_of_at_the_schedule(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"WDF601: Airflow refuses the DAG: .*schedule\]"):
        build({"t": NOTE}, schedule={"timetable": "airflow.sdk.MultipleCronTriggerTimetable", "args": {}})


def test_what_a_timetable_refuses_is_found_without_a_class_among_the_operators(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    timetable = {"timetable": "airflow.sdk.CronTriggerTimetable", "args": {"expression": "never"}}
    config = {"dag_id": "sales_daily_load_v1", "schedule": timetable, "tasks": {"t": NOTE}}
    [found] = validate_configs([ConfigFile.at(write_config(tmp_path, config))])[1]
    assert (found.code, found.path) == ("WDF601", "$.schedule")


def test_outlets_and_inlets(build: Build) -> None:
    dag = build({"t": {**NOTE, "outlets": [{"asset": "a"}, {"alias": "b"}], "inlets": [{"asset": "c"}]}})
    task = dag.get_task("t")
    assert (task.outlets, task.inlets) == ([Asset("a"), AssetAlias("b")], [Asset("c")])


def test_what_a_provider_refuses_of_an_outlet_is_told_of_there(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(parts: object) -> object:
        raise ValueError("a bucket is missing")

    monkeypatch.setattr("airflow.sdk.definitions.asset._get_uri_normalizer", lambda scheme: refuse)
    with pytest.raises(ConfigError, match=r"WDF601.*a bucket is missing.*\$\.tasks\.t\.outlets"):
        build({"t": {**NOTE, "outlets": [{"asset": "ours://lake"}]}})


def test_what_the_dag_says(build: Build) -> None:
    dag = build(
        {"t": NOTE},
        schedule="@daily",
        dag_display_name="Sales ✔",
        max_consecutive_failed_dag_runs=3,
        fail_fast=True,
        is_paused_upon_creation=False,
        render_template_as_native_obj=True,
        owner_links={"data": "mailto:data@example.org"},
        params={
            "limit": {"default": 3, "type": "integer", "minimum": 1, "description": "Rows."},
            "plain": {"a": 1},
        },
    )
    assert (dag.dag_display_name, dag.max_consecutive_failed_dag_runs, dag.fail_fast) == ("Sales ✔", 3, True)
    assert (dag.is_paused_upon_creation, dag.render_template_as_native_obj) == (False, True)
    assert dag.owner_links == {"data": "mailto:data@example.org"}
    limit = dag.params.get_param("limit")
    assert (limit.value, limit.schema, limit.description) == (3, {"type": "integer", "minimum": 1}, "Rows.")
    assert dag.params["plain"] == {"a": 1}


def test_settings_come_from_defaults_then_the_operators_then_the_task(build: Build) -> None:
    dag = build(
        {
            "plain": NOTE,
            "sql": {"operator": "trial.run_sql", "args": {"parameters": {"b": 2}}},
            "own": {
                "operator": "trial.run_sql",
                "args": {"sql": None, "sql_file": "a.sql"},
                "pool": None,
                "timeout": "1m",
                "retry": {"cap": None, "delay": "1s"},
                "owner": "me",
                "queue": "fast",
            },
        },
        owner="data",
        defaults={
            "pool": "general",
            "pool_slots": 2,
            "weight_rule": "upstream",
            "do_xcom_push": False,
            "retry": {"attempts": 2, "cap": "10s", "jitter": False},
            "operators": {
                "trial.run_sql": {
                    "pool": "sql",
                    "timeout": "5m",
                    "args": {"sql": "select 1", "parameters": {"a": 1}},
                }
            },
        },
    )
    plain, sql, own = (dag.get_task(name) for name in ("plain", "sql", "own"))
    assert (plain.pool, plain.pool_slots, plain.execution_timeout) == ("general", 2, None)
    assert (plain.retries, plain.retry_delay, plain.retry_policy) == (1, timedelta(seconds=10), None)
    assert (plain.owner, plain.do_xcom_push, plain.weight_rule) == ("data", False, "upstream")
    assert (sql.pool, sql.execution_timeout, sql.sql, sql.parameters) == (
        "sql",
        timedelta(minutes=5),
        "select 1",
        {"b": 2},
    )
    assert (own.pool, own.execution_timeout, own.owner, own.queue) == (
        "default_pool",
        timedelta(minutes=1),
        "me",
        "fast",
    )
    assert (own.retries, own.retry_delay) == (1, timedelta(seconds=1))
    assert (own.sql, own.sql_file) == (None, "{{ dag.folder }}/a.sql")


@pytest.mark.parametrize(
    ("retry", "policy"),
    [
        ({"attempts": 1, "never_on": ["ValueError"]}, False),
        ({"attempts": 3}, True),
        ({"attempts": 3, "jitter": False}, False),
        ({"attempts": 3, "multiplier": 2}, True),
        ({"attempts": 3, "multiplier": 2, "jitter": False}, True),
        ({"attempts": 3, "multiplier": 2, "on": ["psycopg.OperationalError"]}, True),
    ],
)
def test_a_policy_says_what_airflows_own_words_cannot(
    build: Build, retry: dict[str, Any], policy: bool
) -> None:
    task = build({"t": {**NOTE, "retry": retry}}).get_task("t")
    assert (task.retry_policy is not None) is policy
    assert task.retries == retry["attempts"] - 1


def test_sensors_wait_without_a_worker_unless_told_otherwise(build: Build) -> None:
    sensor = "airflow.providers.standard.sensors.filesystem.FileSensor"
    dag = build(
        {
            "wait": {"operator": sensor, "args": {"filepath": "/x"}},
            "poke": {"operator": sensor, "args": {"filepath": "/x", "deferrable": False}},
            "each": {"operator": sensor, "expand": {"filepath": ["/x", "/y"]}},
        }
    )
    assert [dag.get_task(name).deferrable for name in ("wait", "poke")] == [True, False]
    assert dag.get_task("each").partial_kwargs["deferrable"] is True


def test_notifiers_and_compensation_become_callbacks(build: Build) -> None:
    log = {"notifier": "log", "args": {"message": "{{ dag.dag_id }}"}}
    by_path = {"notifier": "windlass.dagfactory.notifiers.log.LogNotifier", "args": {"level": "error"}}
    undo = {"operator": "trial.note", "args": {"text": "undo"}}
    dag = build(
        {
            "a": {**NOTE, "compensate": undo, "timeout": "1m"},
            "b": {**NOTE, "notify": {"on_retry": [log], "on_skipped": [log]}},
            "c": {**NOTE, "notify": None},
        },
        notify={"on_failure": [log, by_path], "on_success": [log]},
        compensate=undo,
        defaults={"notify": {"on_failure": [log], "on_execute": [log]}},
    )
    assert [type(one).__name__ for one in dag.on_failure_callback] == [
        "Compensation",
        "LogNotifier",
        "LogNotifier",
    ]
    assert (dag.on_failure_callback[1].message, dag.on_failure_callback[2].level) == (
        "{{ dag.dag_id }}",
        "error",
    )
    a, b, c = (dag.get_task(name) for name in "abc")
    assert [type(one).__name__ for one in a.on_failure_callback] == ["Compensation", "LogNotifier"]
    assert a.on_failure_callback[0].arguments == {"text": "undo"}
    assert [getattr(one, "__name__", "LogNotifier") for one in a.on_execute_callback] == [
        "hold_timeout",
        "LogNotifier",
    ]
    assert (len(b.on_retry_callback), len(b.on_skipped_callback), b.on_failure_callback) == (1, 1, [])
    assert (c.on_failure_callback, c.on_execute_callback) == ([], [])


def test_tasks_do_not_share_notifiers_which_render_in_place(build: Build) -> None:
    dag = build({"a": NOTE, "b": NOTE}, defaults={"notify": {"on_success": [{"notifier": "log"}]}})
    assert dag.get_task("a").on_success_callback[0] is not dag.get_task("b").on_success_callback[0]


def test_what_operators_refuse_of_mapped_tasks_is_told_of(build: Build) -> None:
    slow = {"operator": BASH, "args": {"bash_command": "true"}, "expand": {"cwd": []}, "executor_config": {}}
    assert build({"t": slow}).get_task("t").is_mapped
    with pytest.raises(ConfigError, match=r"WDF307.*\$\.tasks\.t"):
        build({"t": {**NOTE, "args": {"text": "refuse me"}}, "u": {**NOTE, "expand": {"text": ["a"]}}})


def test_the_documentation_lists_tasks_of_groups_in_running_order(build: Build) -> None:
    dag = build(
        {
            "last": after("g"),
            "g": {"depends_on": ["first"], "tasks": {"b": after("a"), "a": NOTE}},
            "first": NOTE,
            "each": {**NOTE, "expand": {"text": {"output_of": "last"}}},
        },
        description="Of groups.",
    )
    rows = [
        row.split(" | ")[0] + " < " + row.split(" | ")[2].rstrip(" |") for row in dag.doc_md.splitlines()[4:]
    ]
    assert rows == [
        "| `first` < ",
        "| `g.a` < `first`",
        "| `g.b` < `first`, `g.a`",
        "| `last` < `g`",
        "| `each` < `last`",
    ]

"""What is said to people who write a config as Airflow 2, dag-factory or gusty want it: what to write here."""

# ruff: noqa: E501 - what is said is quoted whole

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse_bytes
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.guesses import meant_date, meant_duration, meant_schedule, said

pytestmark = pytest.mark.unit

BASH: dict[str, Any] = {"operator": "airflow.bash", "args": {"bash_command": "echo"}}


def told(text: str, suffix: str = "json") -> list[Diagnostic]:
    file = ConfigFile(f"sales_daily_load_v1.dag.{suffix}", f"/configs/sales_daily_load_v1.dag.{suffix}")
    return analyse_bytes(text.encode(), file=file).diagnostics()


def advice(tasks: Any = None, **top: Any) -> list[str]:
    config = {"dag_id": "sales_daily_load_v1", **top, "tasks": {"a": BASH} if tasks is None else tasks}
    return [found.advice for found in told(json.dumps(config))]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"bash_command": "echo 1"}, 'it is a parameter of the operator: write "args": {"bash_command": "echo 1"}'),
        ({"env": {"password": "hunter2hunter2"}}, 'it is a parameter of the operator: write "args": {"env": …}'),
        ({"execution_timeout": 3600}, 'write "timeout": "1h"'),
        ({"upstream": ["z"]}, 'write "depends_on": ["z"]'),
        ({"dependencies": "z"}, 'write "depends_on": ["z"]'),
        ({"downstream": ["z"]}, 'say it the other way round: write this task under depends_on of "z"'),
        ({"retries": 3}, 'write "retry": {"attempts": 4}: attempts counts the first try too'),
        ({"retry_delay_sec": 300}, 'write "retry": {"delay": "5m"}'),
        ({"retry_exponential_backoff": True}, 'write "retry": {"multiplier": 2}'),
        ({"task_id": "b"}, "remove it: a task's id is its key under tasks; a name to be shown is \"task_display_name\": \"b\""),
        ({"on_retry_callback": "a.b"}, 'callbacks are notifiers here: write "notify": {"on_retry": [{"notifier": "log"}]}; windlass-dags registry lists them'),
        ({"email_on_failure": True}, 'write "notify": {"on_failure": [{"notifier": …, "args": {"to": …}}]}; windlass-dags registry lists the notifiers'),
        ({"schedule": "@daily"}, 'it is of the whole DAG: write "schedule": "@daily" at the top of the config'),
        ({"on_failure": []}, 'write "notify": {"on_failure": []}'),
        ({"doc": "x"}, 'write "doc_md": "x"'),
        ({"python_callable": "m.f"}, None),
        ({"polo": "x"}, 'did you mean "pool"?'),
        ({"trigger_rule": "none_failed_or_skipped"}, 'write "none_failed_min_one_success", as Airflow calls it'),
        ({"trigger_rule": "dummy"}, 'write "always", as Airflow calls it'),
        ({"trigger_rule": "all_sucess"}, 'did you mean "all_success"?'),
        ({"retry": 3}, 'write {"attempts": 3}, the number of tries in all'),
        ({"retry": {"attempts": 0}}, "write 1 for no retry: every try counts"),
        ({"retry": {"attempts": 3, "multiplier": 0.5}}, "write 1 or more"),
        ({"retry": {"max_delay": 60, "attempts": 2}}, 'write "attempts": 2, "cap": "1m"'),
        ({"timeout": 60}, 'write "60s" for seconds, or "60m" for minutes'),
        ({"timeout": "60"}, 'write "60s" for seconds, or "60m" for minutes'),
        ({"timeout": {"minutes": 90}}, 'write "90m"'),
        ({"timeout": "10 minutes"}, 'write "10m"'),
        ({"expand": {"bash_command": "z"}, "args": {}}, 'write {"output_of": "z"}'),
        ({"expand": {"bash_command": "regions"}, "args": {}}, 'write ["regions"], or {"output_of": "regions"} for what that task returns'),
        ({"notify": {"on_success": ["log"]}}, 'write {"notifier": "log"}'),
        ({"notify": {"on_success": "log"}}, 'write [{"notifier": "log"}]'),
        ({"notify": "log"}, 'write {"on_failure": [{"notifier": "log"}]}'),
        ({"depends_on": "z"}, 'write ["z"]'),
        ({"depends_on": {"z": True}}, 'write ["z"]'),
        ({"outlets": "orders"}, 'write [{"asset": "orders"}]'),
        ({"teardown": True}, 'write ["make"], the setup tasks after which this one cleans up'),
        ({"pool": {"name": "sql"}}, 'write "sql"'),
        ({"compensate": "airflow.bash"}, 'write {"operator": "airflow.bash", "args": {…}}'),
    ],
)  # fmt: skip
def test_what_is_brought_to_a_task_is_answered_with_what_to_write(
    written: dict[str, Any], expected: str | None
) -> None:
    tasks = {"a": BASH | written, "z": BASH, "make": BASH | {"setup": True}}
    found = advice(tasks)[0]
    if expected is None:
        assert found.startswith("parameters of the operator belong under args; known keys here: ")
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"schedule_interval": "@daily"}, 'write "schedule": "@daily"'),
        ({"schedule_interval": None}, 'write "schedule": null'),
        ({"timetable": "acme.Workdays"}, 'write "schedule": {"timetable": "acme.Workdays"}'),
        ({"default_args": {"retries": 2, "owner": "x", "start_date": "2026-01-01"}}, 'write "defaults": {"owner": "x", "retry": {"attempts": 3}} and "start_date": "2026-01-01" at the top of the config'),
        ({"retries": 2}, 'write "defaults": {"retry": {"attempts": 3}}'),
        ({"pool": "x"}, 'it is a setting of tasks: write it in each task, or for all of the DAG "defaults": {"pool": "x"}'),
        ({"steps": {}}, 'rename "steps" to "tasks"'),
        ({"concurrency": 3}, 'write "max_active_tasks": 3'),
        ({"dagrun_timeout_sec": 600}, 'write "dagrun_timeout": "10m"'),
        ({"on_failure_callback": "x"}, 'callbacks are notifiers here: write "notify": {"on_failure": [{"notifier": "log"}]}; windlass-dags registry lists them'),
        ({"default_view": "graph"}, "remove it: Airflow 3 has no such setting"),
        ({"schedule": [{"asset": "a"}, "b"]}, 'write {"all": [{"asset": "a"}, {"asset": "b"}]}'),
        ({"schedule": {"cron": "0 5 * * *"}}, 'write "0 5 * * *"'),
        ({"schedule": {"datasets": ["a"]}}, 'write {"all": [{"asset": "a"}]}'),
        ({"schedule": "None"}, "write null, without quotes"),
        ({"schedule": "once"}, 'write "@once"'),
        ({"schedule": "daily"}, 'write "@daily"'),
        ({"schedule": "@dayly"}, 'did you mean "@daily"?'),
        ({"schedule": "every 5 minutes"}, 'write {"every": "5m"}'),
        ({"schedule": "s3://orders/new"}, 'write {"asset": "s3://orders/new"}'),
        ({"schedule": "0 0 5 ? * MON"}, 'write "0 5 * * MON"'),
        ({"start_date": "2026-1-5"}, 'write "2026-01-05"'),
        ({"start_date": "13/02/2026"}, 'write "2026-02-13"'),
        ({"variables": {"REGION": "eu"}}, 'write ["REGION"]'),
        ({"notify": {"on_retry": []}}, "it is of tasks: write it under notify of a task, or of defaults"),
        ({"defaults": {"airflow.bash": {"pool": "x"}}}, 'write "operators": {"airflow.bash": {"pool": "x"}}, under defaults'),
        ({"defaults": {"args": {"x": 1}}}, 'write "operators": {"OPERATOR": {"args": {"x": 1}}}'),
        ({"defaults": {"depends_on": []}}, "it is no default: write it in each task"),
    ],
)  # fmt: skip
def test_what_is_brought_to_a_dag_is_answered_with_what_to_write(
    written: dict[str, Any], expected: str
) -> None:
    assert advice(**written) == [expected]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"operator": "airflow.bash"}, 'a group has none of its own: write it in one of its tasks, or remove "tasks" to make this a task'),
        ({"type": "group"}, 'remove it: what has "tasks" is a group'),
        ({"retry": {"attempts": 2}}, 'it is a setting of tasks: write it in each task of the group, or for all of the DAG "defaults": {"retry": {"attempts": 2}}'),
        ({"description": "x"}, 'write "tooltip": "x"'),
        ({"dependencies": ["z"]}, 'write "depends_on": ["z"]'),
    ],
)  # fmt: skip
def test_what_is_brought_to_a_group_is_answered_with_what_to_write(
    group: dict[str, Any], expected: str
) -> None:
    assert advice({"g": {"tasks": {"a": BASH}, **group}, "z": BASH}) == [expected]


def test_tasks_in_other_shapes_are_answered_with_this_one() -> None:
    assert advice([{"task_id": "a", "operator": "airflow.bash"}]) == [
        'write {"a": {"operator": "airflow.bash", …}, …}, each task under its id'
    ]
    assert advice({"a": "airflow.empty"}) == ['write {"operator": "airflow.empty"}']
    assert advice({"g": {"children": {"a": BASH}}}) == [
        'add "operator" for a task; for a group rename "children" to "tasks"',
        'for a group rename "children" to "tasks", and leave out operator',
    ]


@pytest.mark.parametrize(
    ("operator", "code", "expected"),
    [
        ("EmptyOperator", "WDF301", 'write "airflow.empty", or the class path "airflow.providers.standard.operators.empty.EmptyOperator"'),
        ("DummyOperator", "WDF301", 'write "airflow.empty", or the class path "airflow.providers.standard.operators.empty.EmptyOperator"'),
        ("airflow.operators.bash.BashOperator", "WDF309", 'write "airflow.bash", or the class path "airflow.providers.standard.operators.bash.BashOperator"'),
        ("airflow.operators.dummy_operator.DummyOperator", "WDF309", 'write "airflow.empty", or the class path "airflow.providers.standard.operators.empty.EmptyOperator"'),
        ("airflow.operators.email.EmailOperator", "WDF309", 'write the class path "airflow.providers.smtp.operators.smtp.EmailOperator"'),
        ("bash", "WDF301", 'did you mean "airflow.bash"?'),
        ("bash_operator", "WDF301", 'write "airflow.bash", or the class path "airflow.providers.standard.operators.bash.BashOperator"'),
        ("@task", "WDF301", 'write "airflow.python", with the function under args: "callable": "package.module.function"'),
        ("AcmeOperator", "WDF301", 'write the class with its module: "package.module.AcmeOperator"'),
    ],
)  # fmt: skip
def test_an_operator_under_another_name_is_answered_with_the_one_here(
    operator: str, code: str, expected: str
) -> None:
    [found] = told(json.dumps({"dag_id": "sales_daily_load_v1", "tasks": {"a": {"operator": operator}}}))
    assert (found.code, found.path, found.advice) == (code, "$.tasks.a.operator", expected)


def test_a_path_of_airflow_2_is_refused_without_importing_airflow(tmp_path: Path) -> None:
    config = {
        "dag_id": "sales_daily_load_v1",
        "tasks": {"a": {"operator": "airflow.operators.empty.EmptyOperator"}},
    }
    path = tmp_path / "sales_daily_load_v1.dag.json"
    path.write_text(json.dumps(config))
    code = (
        "import sys; from windlass.dagfactory import ConfigFile, analyse;"
        f"found = analyse(ConfigFile.at({str(path)!r})).diagnostics();"
        "print([each.code for each in found], 'airflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("['WDF309'] False\n", "")


YAML = "dag_id: sales_daily_load_v1\ntasks:\n  a:\n    operator: airflow.bash\n    args:\n      bash_command: {}\n"


@pytest.mark.parametrize(
    ("value", "template"),
    [
        ("{{ ds }}", '"{{ ds }}"'),
        ("{{ ds }}/x", '"{{ ds }}/x"'),
        ("{% if ds %}a{% endif %}", '"{% if ds %}a{% endif %}"'),
        ("{{ 'a' if ds else 'b' }}", "\"{{ 'a' if ds else 'b' }}\""),
        ('{{ params["a"] }}', "'{{ params[\"a\"] }}'"),
    ],
)
def test_a_template_without_quotes_in_yaml_is_told_as_that_alone(value: str, template: str) -> None:
    [found] = told(YAML.format(value), "yaml")
    assert (found.code, found.line, found.column) == ("WDF006", 6, 21)
    assert (found.message, found.advice) == (
        "a template that is not in quotes",
        f"put the template in quotes: {template}",
    )


@pytest.mark.parametrize("value", ['"{{ ds }}"', "echo {{ ds }}", "|\n        {{ ds }}"])
def test_a_template_that_yaml_reads_as_text_is_fine(value: str) -> None:
    assert told(YAML.format(value), "yaml") == []


def test_a_template_in_both_kinds_of_quotes_goes_into_a_block() -> None:
    [found] = told(YAML.format("{{ params['a'] or \"b\" }}"), "yaml")
    assert found.advice == "put the template in quotes, or write it on the next line after a |"


@pytest.mark.parametrize(
    ("tasks", "cycle"),
    [
        ({"g": {"depends_on": ["h"], "tasks": {"a": BASH}}, "h": {"depends_on": ["g"], "tasks": {"b": BASH}}}, "g → h → g"),
        ({"g": {"depends_on": ["b"], "tasks": {"a": BASH, "c": BASH | {"depends_on": ["a"]}}}, "b": BASH | {"depends_on": ["g.c"]}}, "g → b → g.c → g"),
        ({"g": {"tasks": {"h": {"tasks": {"a": BASH | {"depends_on": ["z"]}}}}}, "z": BASH | {"depends_on": ["g"]}}, "g.h.a → z → g → g.h.a"),
    ],
)  # fmt: skip
def test_a_cycle_through_a_group_is_told_once_with_each_name_once(tasks: dict[str, Any], cycle: str) -> None:
    config = {"dag_id": "sales_daily_load_v1", "tasks": tasks}
    [found] = told(json.dumps(config))
    assert found.message == f"tasks wait for each other: {cycle} (→ reads: depends on)"


def test_cycles_of_which_each_needs_its_own_mending_are_all_told() -> None:
    tasks = {name: BASH | {"depends_on": [other]} for name, other in ("ab", "ba", "cd", "dc")}
    assert [found.code for found in told(json.dumps({"dag_id": "sales_daily_load_v1", "tasks": tasks}))] == [
        "WDF207"
    ] * 2


@pytest.mark.parametrize(
    ("value", "meant"),
    [("1.5 hours", "90m"), ("00:10:00", "10m"), ("1 day, 0:00:00", "1d"), ({"days": 1, "hours": 2}, "26h"), ("2 weeks", "14d"),
     ("soon", None), ("10 parsecs", None), ({"minutes": "ten"}, None), ({}, None), (True, None), ("9999999 weeks", None)],
)  # fmt: skip
def test_durations_that_can_be_guessed(value: Any, meant: str | None) -> None:
    assert meant_duration(value) == meant


@pytest.mark.parametrize(
    ("value", "meant"),
    [("20260105", 'write "2026-01-05"'), ("01/02/2026", 'write "2026-02-01" or "2026-01-02"'), ("2026-13-45", None), ("45/45/2026", None), ("never", None)],
)  # fmt: skip
def test_dates_that_can_be_guessed(value: str, meant: str | None) -> None:
    assert meant_date(value) == meant


@pytest.mark.parametrize("value", ["0 5 * *", "whenever", True, 0, {"x": 1, "y": 2}, {"zone": "UTC"}, None])
def test_schedules_that_cannot_be_guessed(value: Any) -> None:
    assert meant_schedule(value) is None


def test_what_is_long_or_may_be_secret_is_not_repeated() -> None:
    assert said("x" * 200) == said({"password": "x"}) == "…"

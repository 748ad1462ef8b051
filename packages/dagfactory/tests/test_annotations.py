"""Arguments of classes are held against annotations where that is certain, and nothing sound is refused."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse_bytes
from windlass.dagfactory.checks.annotations import annotation_findings

pytestmark = pytest.mark.integration  # class paths import Airflow

STANDARD = "airflow.providers.standard"
BASH = f"{STANDARD}.operators.bash.BashOperator"
NAME = "sales_daily_load_v1"


def told(annotation: str, value: Any, **more: Any) -> list[tuple[str, str | None]]:
    found = annotation_findings({"x": annotation}, {"x": value}, lambda name: ("args", name), **more)
    return [(finding.message, finding.suggestion) for finding in found]


@pytest.mark.parametrize(
    ("annotation", "value", "message", "suggestion"),
    [
        ("str", 5, '"x": the operator takes a string, not a number', "write it in quotes"),
        ("<class 'str'>", True, '"x": the operator takes a string, not true or false', "write it in quotes"),
        ("str | ArgNotSet", ["a"], '"x": the operator takes a string, not an array', None),
        ("int", "5", '"x": the operator takes a number, not a string', "write the number without quotes"),
        ("typing.Optional[float]", "soon", '"x": the operator takes a number, not a string', "write the"),
        ("t.Union[int, None]", {}, '"x": the operator takes a number, not an object', None),
        ("bool", "no", '"x": the operator takes true or false, not a string', "without quotes"),
        ("bool | None", [], '"x": the operator takes true or false, not an array', None),
        ("list[str]", "a", '"x": the operator takes an array, not a string', "write an array, with the"),
        ("List", 5, '"x": the operator takes an array, not a number', None),
        ("dict[str, Any] | None", ["a"], '"x": the operator takes an object, not an array', None),
        ("str | list[str] | None", 7, '"x": the operator takes a string or an array, not a number', "quotes"),
        (
            "Literal['append', 'replace']",
            "replase",
            '"x": the operator takes "append" or "replace", not a string',
            'did you mean "replace"?',
        ),
        ("Literal[1, 2] | str", 3, '"x": the operator takes 1 or 2 or a string, not a number', "quotes"),
        ("None", 1, '"x": the operator takes nothing, not a number', None),
    ],
)
def test_what_no_reading_of_an_annotation_allows_is_refused(
    annotation: str, value: Any, message: str, suggestion: str | None
) -> None:
    [(found, advice)] = told(annotation, value)
    assert found == message
    assert (advice is None) if suggestion is None else suggestion in str(advice)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        ("str", ["", "a", None, "{{ ds }}"]),
        ("int", [5, 5.0, True, None, "{{ params.n }}", "{% if ds %}1{% endif %}"]),
        ("float | None", [1, 1.5]),
        ("bool", [True, 0, 1, "{{ params.on }}"]),
        ("list[str]", [["a"], [1], [], "['a']", "{{ ti.xcom_pull() }}"]),
        ("dict[str, str] | None", [{"a": 1}, '{"a": 1}', None]),
        ("Literal['a', 2, None]", ["a", 2, None]),
        ("str | None | SetDuringExecution", ["a"]),
    ],
)
def test_what_may_fit_is_accepted(annotation: str, values: list[Any]) -> None:
    assert [told(annotation, value) for value in values] == [[]] * len(values)


@pytest.mark.parametrize(
    "annotation",
    [
        "",
        "<class 'inspect._empty'>",
        "T",
        "~T",
        "Any",
        "timedelta | float",
        "datetime.timedelta | int",
        "Sequence[str]",
        "int | Container[int] | None",
        "Mapping[str, Any]",
        "Callable[[str], Any]",
        "Literal[State.DONE]",
        "list[",
        "tuple[str, ...]",
        "'str'",
        "other.str",
        "str if x else int",
        "Annotated[int, 5]",
        "str | " * 400 + "str",
    ],
)
def test_of_names_that_are_not_known_nothing_is_refused(annotation: str) -> None:
    assert [told(annotation, value) for value in ("a", 5, True, [], {}, None)] == [[]] * 6


def test_a_name_of_a_file_that_is_read_is_any_value() -> None:
    assert told("dict", "job.json", ends=(".json",)) == []
    assert told("dict", "job.yaml", ends=(".json",)) != []


def findings(task: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    config = {"dag_id": NAME, "schedule": None, **more, "tasks": {"t": task}}
    file = ConfigFile(f"{NAME}.dag.json", f"/configs/{NAME}.dag.json")
    return [(d.code, d.path) for d in analyse_bytes(json.dumps(config).encode(), file=file).diagnostics()]


def test_values_are_found_wherever_they_stand() -> None:
    wrong: list[dict[str, Any]] = [
        {"args": {"bash_command": 5}},
        {"args": {"bash_command": 5, "cmd": 1}},
        {"expand": {"bash_command": ["ls", 5]}},
        {"expand_kwargs": [{"bash_command": "ls"}, {"bash_command": 5}]},
    ]
    places = ["args.bash_command", "args.bash_command", "expand.bash_command[1]"]
    places.append("expand_kwargs[1].bash_command")
    for task, place in zip(wrong, places, strict=True):
        assert ("WDF305", f"$.tasks.t.{place}") in findings({"operator": BASH, **task})
    defaults = {"operators": {BASH: {"args": {"append_env": "yes"}}}}
    task = {"operator": BASH, "args": {"bash_command": "ls"}}
    assert findings(task, defaults=defaults) == [
        ("WDF305", f"$.defaults.operators['{BASH}'].args.append_env")
    ]
    notify = {"on_failure": [{"notifier": "windlass.dagfactory.notifiers.log.LogNotifier", "args": {}}]}
    notify["on_failure"][0]["args"] = {"message": 5}  # type: ignore[index]
    assert findings({**task, "notify": notify}) == [("WDF803", "$.tasks.t.notify.on_failure[0].args.message")]


def operators() -> Iterator[type]:
    """List the operators and sensors of all providers that are installed."""
    from airflow import providers
    from airflow.sdk import BaseOperator

    for found in pkgutil.walk_packages(providers.__path__, "airflow.providers."):
        if ".operators." in found.name or ".sensors." in found.name:
            try:
                module = importlib.import_module(found.name)
            except ImportError:  # of what a provider needs only if it is used
                continue
            for each in vars(module).values():
                if (
                    isinstance(each, type)
                    and issubclass(each, BaseOperator)
                    and each.__module__ == found.name
                ):
                    yield each


def test_no_default_of_any_installed_operator_is_refused() -> None:
    from windlass.dagfactory.signature import signature_of

    seen = 0
    for operator in operators():
        if inspect.isabstract(operator):
            continue
        annotations = signature_of(f"{operator.__module__}.{operator.__qualname__}").annotations
        for base in operator.__mro__[:-1]:
            for parameter in inspect.signature(base.__init__).parameters.values():
                value = parameter.default
                if parameter.name in annotations and isinstance(value, str | int | float | list | dict):
                    seen += 1
                    found = annotation_findings(annotations, {parameter.name: value}, lambda name: (name,))
                    assert list(found) == [], f"{operator.__name__}.{parameter.name} = {value!r}"
    assert seen > 100


VALID: list[tuple[str, dict[str, Any]]] = [
    ("operators.bash.BashOperator", {"bash_command": "ls", "env": {"A": "1"}, "skip_on_exit_code": [1, 2]}),
    ("operators.bash.BashOperator", {"bash_command": "ls", "skip_on_exit_code": 3, "append_env": True}),
    ("operators.empty.EmptyOperator", {}),
    ("operators.smooth.SmoothOperator", {}),
    ("operators.latest_only.LatestOnlyOperator", {}),
    (
        "operators.trigger_dagrun.TriggerDagRunOperator",
        {
            "trigger_dag_id": "d",
            "conf": '{"a": 1}',
            "logical_date": "2026-01-01",
            "poke_interval": 5,
            "wait_for_completion": "{{ params.wait }}",
            "allowed_states": ["success"],
            "run_after": "2026-01-01",
        },
    ),
    (
        "operators.datetime.BranchDateTimeOperator",
        {
            "follow_task_ids_if_true": "a",
            "follow_task_ids_if_false": ["b", "c"],
            "target_lower": "10:00:00",
            "target_upper": None,
        },
    ),
    (
        "operators.weekday.BranchDayOfWeekOperator",
        {
            "follow_task_ids_if_true": "a",
            "follow_task_ids_if_false": "b",
            "week_day": ["Monday", "Sunday"],
            "use_task_logical_date": True,
        },
    ),
    ("sensors.weekday.DayOfWeekSensor", {"week_day": "Monday", "poke_interval": 30, "timeout": 60.5}),
    (
        "sensors.external_task.ExternalTaskSensor",
        {
            "external_dag_id": "d",
            "external_task_ids": ["a"],
            "allowed_states": ["success"],
            "check_existence": True,
            "deferrable": False,
            "mode": "reschedule",
            "max_wait": 60,
        },
    ),
    (
        "sensors.external_task.ExternalTaskMarker",
        {"external_dag_id": "d", "external_task_id": "t", "logical_date": "{{ ds }}", "recursion_depth": 3},
    ),
    ("sensors.filesystem.FileSensor", {"filepath": "/a/*.csv", "recursive": True, "soft_fail": False}),
    ("sensors.bash.BashSensor", {"bash_command": "true", "retry_exit_code": 2, "env": {"A": "1"}}),
    ("sensors.time.TimeSensor", {"target_time": "{{ x }}"}),
    ("sensors.time_delta.TimeDeltaSensor", {"delta": "{{ x }}"}),
    ("sensors.date_time.DateTimeSensor", {"target_time": "2026-01-01T00:00:00"}),
    ("sensors.date_time.DateTimeSensorAsync", {"target_time": "{{ ds }}", "poke_interval": "{{ 5 }}"}),
]


@pytest.mark.parametrize(("operator", "args"), VALID)
def test_sound_arguments_of_the_standard_operators_are_accepted(operator: str, args: dict[str, Any]) -> None:
    path = f"{STANDARD}.{operator}"
    task = {"operator": path, "args": args}
    assert [found for found in findings(task) if found[0] == "WDF305"] == []
    assert Path(importlib.import_module(path.rpartition(".")[0]).__file__ or "").is_file()

"""Keys that people bring from Airflow, dag-factory and gusty, and where what they say belongs in a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from windlass.dagfactory.guesses import meant_duration, meant_schedule, said
from windlass.dagfactory.model.dag import DagConfig
from windlass.dagfactory.model.settings import (
    DagNotifyConfig,
    DefaultsConfig,
    NotifierConfig,
    OperatorDefaultsConfig,
    RetryConfig,
    TaskNotifyConfig,
    TaskSettings,
)
from windlass.dagfactory.model.task import GroupConfig, TaskConfig

__all__ = ["GROUPED", "habit"]

_Advice = Callable[[str, Any, Mapping[str, Any]], str | None]
"""From a key, its value and the object around it to what to do."""

GROUPED = frozenset({"children", "steps", "members", "task", "jobs", "nodes", "subtasks", "task_list"})
"""What others call the tasks of a group or a DAG."""
_NO_SUCH = "remove it: Airflow 3 has no such setting"
_RETRY = {
    "attempts": ("attempts", "max_attempts", "max_tries", "tries"),
    "retries": ("retries", "max_retries"),
    "delay": ("delay", "retry_delay", "retry_delay_sec", "retry_delay_secs"),
    "multiplier": ("multiplier", "retry_exponential_backoff", "exponential_backoff", "retry_multiplier"),
    "cap": ("cap", "max_retry_delay", "max_retry_delay_sec", "max_retry_delay_secs", "max_delay"),
    "jitter": ("jitter", "retry_jitter"),
}
_EVENTS = ("on_failure", "on_success", "on_retry", "on_execute", "on_skipped")


def habit(model: type[BaseModel], key: str, siblings: Mapping[str, Any]) -> str | None:
    """Say where what an unknown key says belongs, if people are known to write it.

    Args:
        model: What the object is that the key stands in.
        key: The key.
        siblings: The object.
    """
    advice = next((table[key] for table in _tables(model) if key in table), None)
    if isinstance(advice, str):
        return advice
    value = siblings.get(key)
    told = advice(key, value, siblings) if advice else None
    return told or _elsewhere(model, key, value)


def _tables(model: type[BaseModel]) -> list[Mapping[str, str | _Advice]]:
    return [table for kind, table in _TABLES if issubclass(model, kind)]


def _elsewhere(model: type[BaseModel], key: str, value: Any) -> str | None:
    """Tell of a key that configs have at another level."""
    if model is DagConfig:
        return _of_tasks(key, value) or _of_defaults(key, value)
    if model is GroupConfig and key in TaskSettings.model_fields:
        return _of_tasks(key, value, " of the group")
    if key in _OF_DAG:
        return f"it is of the whole DAG: write {_pair(key, value)} at the top of the config"
    if issubclass(model, TaskSettings) and key in _EVENTS:
        return f"write {_pair('notify', {key: value})}"
    return _in_defaults(key, value) if issubclass(model, DefaultsConfig | OperatorDefaultsConfig) else None


def _of_tasks(key: str, value: Any, where: str = "") -> str | None:
    if key in TaskSettings.model_fields:
        everywhere = _pair("defaults", {key: value})
        return f"it is a setting of tasks: write it in each task{where}, or for all of the DAG {everywhere}"
    known = key in TaskConfig.model_fields
    return "it belongs to a task: write it in one under tasks" if known else None


def _of_defaults(key: str, value: Any) -> str | None:
    return f"write {_pair('defaults', {key: value})}" if key in DefaultsConfig.model_fields else None


def _in_defaults(key: str, value: Any) -> str | None:
    if "." in key:
        return f"write {_pair('operators', {key: value})}, under defaults"
    return "it is no default: write it in each task" if key in TaskConfig.model_fields else None


_OF_DAG = frozenset(info.alias or name for name, info in DagConfig.model_fields.items())


def _pair(key: str, value: Any) -> str:
    """Write a key with its value as they stand in a config, or with … for what is long."""
    whole = said({key: value})
    if whole != "…":
        return whole[1:-1]
    return f'"{key}": …' if not isinstance(value, dict) else f'"{key}": {{ … }}'


def _renamed(name: str) -> _Advice:
    return lambda _, value, __: f"write {_pair(name, value)}"


def _listed(name: str) -> _Advice:
    def advice(_: str, value: Any, __: Mapping[str, Any]) -> str:
        names = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else value
        return f"write {_pair(name, names)}"

    return advice


def _lasting(name: str) -> _Advice:
    """Advise on a key that holds a time: bare numbers are seconds there."""
    return lambda _, value, __: f"write {_pair(name, _duration(value))}"


def _duration(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
        return meant_duration({"seconds": int(value)}) or value
    return meant_duration(value) or value


def _retry(_: str, __: Any, siblings: Mapping[str, Any]) -> str:
    note = ": attempts counts the first try too" if any(key in siblings for key in _RETRY["retries"]) else ""
    return f"write {_pair('retry', _as_retry(siblings))}{note}"


def _as_retry(values: Mapping[str, Any]) -> dict[str, Any]:
    """Say in the words of `retry` all that the settings of a task say of it."""
    found: dict[str, Any] = {}
    for name, keys in _RETRY.items():
        given = [values[key] for key in keys if key in values]
        if not given:
            continue
        value = given[0]
        if name == "retries":
            number = value if type(value) is int else int(value) if str(value).isdigit() else None
            found["attempts"] = "…" if number is None else number + 1
        elif name in ("delay", "cap"):
            found[name] = _duration(value)
        else:
            found[name] = (
                (2 if value is True else 1) if name == "multiplier" and value in (True, False) else value
            )
    return found


def _retry_of_all(_: str, __: Any, siblings: Mapping[str, Any]) -> str:
    return f"write {_pair('defaults', {'retry': _as_retry(siblings)})}"


def _inside_retry(_: str, __: Any, siblings: Mapping[str, Any]) -> str:
    return f"write {said(_as_retry(siblings))[1:-1]}"


def _notified(key: str, _: Any, __: Mapping[str, Any]) -> str:
    event = next((event for event in _EVENTS if key.startswith(event)), "on_failure")
    shown = _pair("notify", {event: [{"notifier": "log"}]})
    return f"callbacks are notifiers here: write {shown}; windlass-dags registry lists them"


def _emailed(_: str, __: Any, ___: Mapping[str, Any]) -> str:
    shown = '"notify": {"on_failure": [{"notifier": …, "args": {"to": …}}]}'
    return f"write {shown}; windlass-dags registry lists the notifiers"


def _named(display: str, over: str) -> _Advice:
    def advice(_: str, value: Any, __: Mapping[str, Any]) -> str:
        return f"remove it: {over}; a name to be shown is {_pair(display, value)}"

    return advice


def _before(_: str, value: Any, __: Mapping[str, Any]) -> str:
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    others = " and ".join(f'"{name}"' for name in names) or "those that come after"
    return f"say it the other way round: write this task under depends_on of {others}"


def _scheduled(key: str, value: Any, _: Mapping[str, Any]) -> str:
    if key == "timetable" and isinstance(value, str):
        return f"write {_pair('schedule', {'timetable': value})}"
    ready = isinstance(value, str) and (len(value.split()) > 1 or value.startswith("@"))
    meant = None if ready else meant_schedule(value)
    return f'write "schedule": {meant}' if meant else f"write {_pair('schedule', value)}"


def _default_args(_: str, value: Any, __: Mapping[str, Any]) -> str:
    if not isinstance(value, dict):
        return 'write "defaults": {…}'
    settings = {key: inner for key, inner in value.items() if key in TaskSettings.model_fields}
    top = {key: inner for key, inner in value.items() if key in _OF_DAG and key not in settings}
    for key in ("execution_timeout", "execution_timeout_secs"):
        if key in value:
            settings["timeout"] = _duration(value[key])
    if retry := _as_retry(value):
        settings["retry"] = retry
    parts = [_pair("defaults", settings)] if settings else []
    parts += [f"{_pair(key, inner)} at the top of the config" for key, inner in top.items()]
    return "write " + (" and ".join(parts) or '"defaults": {…}')


def _operated(_: str, value: Any, __: Mapping[str, Any]) -> str:
    return f"write {_pair('operator', value)}, a name that windlass-dags registry lists or a class path"


def _callable(key: str, value: Any, siblings: Mapping[str, Any]) -> str | None:
    if siblings.get("operator") != "airflow.python":
        return None
    path = value if key == "python_callable" else "package.module.function"
    return f"write {_pair('args', {'callable': path})}"


def _of_operator(args: Any) -> str:
    return f"write {_pair('operators', {'OPERATOR': {'args': args}})}"


def _of_group(_: str, __: Any, ___: Mapping[str, Any]) -> str:
    return 'a group has none of its own: write it in one of its tasks, or remove "tasks" to make this a task'


_COMING_BEFORE = (
    "upstream", "upstream_tasks", "upstream_task_ids", "upstream_list", "set_upstream", "dependencies",
    "depends", "dependsOn", "after", "needs", "requires", "wait_for", "waits_for", "parents",
)  # fmt: skip
_COMING_AFTER = ("downstream", "downstream_tasks", "downstream_list", "set_downstream", "before", "then")
_ARGUMENTS = ("arguments", "config", "inputs", "kwargs", "op", "parameters", "options", "settings", "with")
_DOCS = ("doc", "docs", "doc_rst", "doc_json", "doc_yaml", "documentation", "description", "summary")

_OF_SETTINGS: dict[str, str | _Advice] = {
    **dict.fromkeys((key for keys in _RETRY.values() for key in keys), _retry),
    **dict.fromkeys(
        (f"{event}_callback{end}" for event in _EVENTS for end in ("", "_name", "_file")), _notified
    ),
    **dict.fromkeys(("email", "email_on_failure", "email_on_retry"), _emailed),
    **dict.fromkeys(
        ("execution_timeout", "execution_timeout_secs", "execution_timeout_sec"), _lasting("timeout")
    ),
    **dict.fromkeys(("task_concurrency", "max_active_tis"), _renamed("max_active_tis_per_dag")),
    "sla": "Airflow 3 has no SLAs: bound a try by timeout, or the whole run by dagrun_timeout",
    "provide_context": "remove it: functions get the context in any case",
    "max_active_tasks": _renamed("max_active_tis_per_dagrun"),
    "resources": _NO_SUCH,
    "retry_policy": "write what it does under retry, such as on and never_on",
}
_OF_TASK: dict[str, str | _Advice] = {
    **dict.fromkeys(_COMING_BEFORE, _listed("depends_on")),
    **dict.fromkeys(_COMING_AFTER, _before),
    **dict.fromkeys(_ARGUMENTS, _renamed("args")),
    **dict.fromkeys(_DOCS, _renamed("doc_md")),
    **dict.fromkeys(
        GROUPED, lambda key, *_: f'for a group rename "{key}" to "tasks", and leave out operator'
    ),
    **dict.fromkeys(
        ("task_id", "id", "name"), _named("task_display_name", "a task's id is its key under tasks")
    ),
    **dict.fromkeys(
        ("type", "kind", "class", "class_name", "operator_class", "task_type", "uses", "decorator"), _operated
    ),
    **dict.fromkeys(
        ("task_group", "task_group_name", "group"), "write the task inside the tasks of its group"
    ),
    **dict.fromkeys(("python_callable", "python_callable_name", "python_callable_file"), _callable),
    **dict.fromkeys(("display_name", "label"), _renamed("task_display_name")),
    **dict.fromkeys(("map", "mapped", "expand_input"), _renamed("expand")),
    "external_dependencies": "add a task with the operator airflow.wait_for_dag, and depend on it",
    "partial": _renamed("args"),
    "params": "params of a run stand at the top of the config, parameters of the operator under args",
    "default_args": "write its settings in the task itself, or for all tasks under defaults",
    "defaults": "write its settings in the task itself, or at the top of the config",
}
_OF_GROUPS: dict[str, str | _Advice] = {
    **dict.fromkeys(_COMING_BEFORE, _listed("depends_on")),
    **dict.fromkeys(("operator", "args", "expand", "expand_kwargs", "setup", "teardown"), _of_group),
    **dict.fromkeys(GROUPED, lambda key, *_: f'write what is in "{key}" under "tasks"'),
    **dict.fromkeys((*_DOCS, "doc_md"), _renamed("tooltip")),
    **dict.fromkeys(
        ("group_id", "task_group_id", "id", "name"), _named("group_display_name", "a group's id is its key")
    ),
    **dict.fromkeys(("display_name", "label", "task_display_name"), _renamed("group_display_name")),
    **dict.fromkeys(("type", "kind"), 'remove it: what has "tasks" is a group'),
    **dict.fromkeys(
        ("default_args", "defaults"),
        "write its settings in each of the tasks, or under the config's defaults",
    ),
    "parent_group_name": "write the group inside the tasks of the other one",
    "add_suffix_on_collision": "remove it: each id is written as it is to be",
}
_OF_DAGS: dict[str, str | _Advice] = {
    **{key: advice for key, advice in _OF_SETTINGS.items() if advice in (_notified, _emailed)},
    **dict.fromkeys((key for keys in _RETRY.values() for key in keys), _retry_of_all),
    "execution_timeout": lambda _, value, __: f"write {_pair('defaults', {'timeout': _duration(value)})}",
    **dict.fromkeys(("schedule_interval", "timetable", "cron", "interval", "trigger", "every"), _scheduled),
    **dict.fromkeys(
        ("concurrency", "max_active_tasks_per_dag", "dag_concurrency"), _renamed("max_active_tasks")
    ),
    **dict.fromkeys(
        ("id", "name", "dag_name", "dag"), lambda _, value, __: f"write {_pair('dag_id', value)}"
    ),
    **dict.fromkeys(GROUPED, lambda key, *_: f'rename "{key}" to "tasks"'),
    **dict.fromkeys(("task_groups", "groups"), 'a group is an entry of "tasks" that has "tasks" itself'),
    **dict.fromkeys(("doc", "docs", "documentation"), _renamed("doc_md")),
    **dict.fromkeys(("timeout", "dagrun_timeout_sec", "dagrun_timeout_secs"), _lasting("dagrun_timeout")),
    **dict.fromkeys(("start", "begin_date"), _renamed("start_date")),
    **dict.fromkeys(("tz", "time_zone"), _renamed("timezone")),
    **dict.fromkeys(("paused", "is_paused"), _renamed("is_paused_upon_creation")),
    **dict.fromkeys(("env", "environment", "vars"), _listed("variables")),
    **dict.fromkeys(("orientation", "default_view"), _NO_SUCH),
    **dict.fromkeys(("permissions", "roles"), _renamed("access_control")),
    **dict.fromkeys(
        ("jinja_environment_kwargs", "user_defined_macros", "user_defined_filters", "template_undefined"),
        "configs cannot set it: macros of an Airflow plugin are there as {{ macros.PLUGIN.NAME() }}",
    ),
    **dict.fromkeys(
        ("sla_miss_callback", "sla", "deadline"), "bound a run by dagrun_timeout, a try by timeout"
    ),
    "default_args": _default_args,
    "display_name": _renamed("dag_display_name"),
    "doc_md_file_path": _renamed("doc_md"),
    "end": _renamed("end_date"),
    "fail_stop": _renamed("fail_fast"),
    "max_runs": _renamed("max_active_runs"),
    "template_searchpath": "remove it: templates are looked up in the config's folder",
}
_TABLES: tuple[tuple[type[BaseModel], Mapping[str, str | _Advice]], ...] = (
    (DagConfig, _OF_DAGS),
    (
        DefaultsConfig,
        {"args": lambda _, value, __: f"write {_pair('operators', {'OPERATOR': {'args': value}})}"},
    ),
    (TaskConfig, _OF_TASK),
    (GroupConfig, _OF_GROUPS),
    (TaskSettings, _OF_SETTINGS),
    (RetryConfig, dict.fromkeys((key for keys in _RETRY.values() for key in keys), _inside_retry)),
    (DagNotifyConfig, {key.removeprefix("on_"): _renamed(key) for key in _EVENTS[:2]}),
    (TaskNotifyConfig, {key.removeprefix("on_"): _renamed(key) for key in _EVENTS}),
    (
        DagNotifyConfig,
        dict.fromkeys(_EVENTS, "it is of tasks: write it under notify of a task, or of defaults"),
    ),
    (NotifierConfig, dict.fromkeys(("name", "type", "class", "kind"), _renamed("notifier"))),
    (NotifierConfig, dict.fromkeys(_ARGUMENTS, _renamed("args"))),
)

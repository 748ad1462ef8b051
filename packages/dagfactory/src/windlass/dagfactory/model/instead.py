"""What to write for a value of the wrong type or out of bounds, with the value that stands there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from windlass.dagfactory.diagnostics import JsonPath, did_you_mean, value_at
from windlass.dagfactory.guesses import meant_date, meant_duration, meant_schedule, said

__all__ = ["KINDS", "allowed", "instead", "literal_hint"]

KINDS = {
    "string_type": "a string",
    "duration_type": 'a duration such as "5m"',
    "moment_type": 'a date such as "2026-01-31"',
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "entry_type": "an object: a task with operator, or a group with tasks",
    "schedule_type": "a cron expression, a preset, an object, or null",
    "asset_type": "an object that names an asset",
    "inlet_type": "an object that names an asset",
    "mapped_type": 'an array, or {"output_of": "task"}',
    "teardown_type": "an array of setup tasks, or an object with setups",
    "access_type": "an array of what the role may do, or an object with DAGs and DAG Runs",
}
_EXAMPLES = {
    "schema_version": "1",
    "retry": '{"attempts": 3}',
    "schedule": '"0 5 * * *", "@daily" or {"every": "6h"}',
    "notify": '{"on_failure": [{"notifier": "log"}]}',
    "on_failure": '[{"notifier": "log"}]',
    "on_success": '[{"notifier": "log"}]',
    "on_retry": '[{"notifier": "log"}]',
    "on_execute": '[{"notifier": "log"}]',
    "on_skipped": '[{"notifier": "log"}]',
    "compensate": '{"operator": "airflow.bash", "args": {"bash_command": "…"}}',
    "access_control": '{"Viewer": ["can_read"]}',
    "expand": '{"bash_command": ["echo 1", "echo 2"]}',
    "defaults": '{"timeout": "10m"}',
    "args": '{"NAME": VALUE}, each parameter by its name',
    "tasks": '{"TASK_ID": {"operator": "…"}}, each task by its id',
    "teardown": '["SETUP_TASK"], the setup tasks after which this one cleans up',
}
_ALLOWED = {
    "user": "write the name of a user of the workers' machine",
    "link": 'write a link such as "https://example.org/team" or "mailto:team@example.org"',
    "string_pattern_mismatch": "write package.module.Class",
    "too_short": "remove the key, or write what belongs there",
    "string_too_short": "remove the key, or write what belongs there",
}
_FORMER_RULES = {
    "none_failed_or_skipped": "none_failed_min_one_success",
    "dummy": "always",
    "success": "all_success",
    "failed": "all_failed",
    "done": "all_done",
    "skipped": "all_skipped",
    "any_success": "one_success",
    "any_failed": "one_failed",
}
_SHORT = 100


def instead(kind: str, path: JsonPath, value: Any, data: Any) -> str:
    """Say what to write for a value of the wrong type.

    Args:
        kind: Pydantic's name of the error, one of `KINDS`.
        path: Where it stands.
        value: What stands there.
        data: The config.
    """
    key = path[-1] if path else ""
    written = _by_key(str(key), path, value, data) or _EXAMPLES.get(str(key))
    return f"write {written or _by_kind(kind, path, value, data) or KINDS[kind]}"


def _by_key(key: str, path: JsonPath, value: Any, data: Any) -> str | None:
    """Say in which form a key takes the value that was written."""
    if key == "schedule" and len(path) > 1:
        return None
    if key == "teardown":
        return _teardown(value, data)
    if key.startswith("on_") and len(path) > 1 and path[-2] == "notify":
        return _notifiers(value)
    form = _FORMS.get(key)
    return form(value) if form else None


def _notify(value: Any) -> str | None:
    listed = _notifiers(value)
    return listed and f'{{"on_failure": {listed}}}'


def _compensation(value: Any) -> str | None:
    return f'{{"operator": {said(value)}, "args": {{…}}}}' if isinstance(value, str) else None


def _attempts(value: Any) -> str | None:
    number = value if type(value) is int else int(value) if str(value).isdigit() else None
    return None if number is None else f"{said({'attempts': max(1, number)})}, the number of tries in all"


def _teardown(value: Any, data: Any) -> str | None:
    if isinstance(value, str):
        return said([value])
    setups = _setups(data.get("tasks") if isinstance(data, Mapping) else None)
    if value is False:
        return "nothing: remove the key"
    return f"{said(setups)}, the setup tasks after which this one cleans up" if setups else None


def _setups(tasks: Any) -> list[str]:
    entries = tasks.items() if isinstance(tasks, Mapping) else ()
    return [str(name) for name, entry in entries if isinstance(entry, Mapping) and entry.get("setup") is True]


def _notifiers(value: Any) -> str | None:
    """Write notifiers as objects, those that are named alone too."""
    listed = value if isinstance(value, list) else [value]
    objects = [{"notifier": each} if isinstance(each, str) else each for each in listed]
    return said(objects) if objects and all(isinstance(each, dict) for each in objects) else None


def _tasks(value: Any) -> str | None:
    """Write an array of tasks as an object: each under the id that it says it has."""
    for each in value if isinstance(value, list) else ():
        name = each.get("task_id") or each.get("id") or each.get("name") if isinstance(each, dict) else None
        if isinstance(name, str):
            operator = said(each["operator"]) if isinstance(each.get("operator"), str) else "…"
            return f'{{{said(name)}: {{"operator": {operator}, …}}, …}}, each task under its id'
    return None


_FORMS: Mapping[str, Callable[[Any], str | None]] = {
    "compensate": _compensation,
    "expand_kwargs": lambda value: said({"output_of": value}) if isinstance(value, str) else None,
    "inlets": lambda value: said([{"asset": value}]) if isinstance(value, str) else None,
    "notify": _notify,
    "outlets": lambda value: said([{"asset": value}]) if isinstance(value, str) else None,
    "retry": _attempts,
    "schedule": meant_schedule,
    "tasks": _tasks,
}


def _by_kind(kind: str, path: JsonPath, value: Any, data: Any) -> str | None:
    """Say how a value of a kind is written, with what stands there."""
    text = value.strip().lower() if isinstance(value, str) and len(value) < _SHORT else None
    plain = isinstance(value, int | float) or text is not None
    written: str | None = None
    if kind == "bool_type":
        written = _boolean(value if text is None else text)
    elif kind in ("int_type", "float_type") and text and text.replace(".", "", 1).isdigit():
        written = f"{text}, without quotes"
    elif kind == "string_type":
        written = json.dumps(json.dumps(value)) if plain else _only(value)
    elif kind == "list_type" and (plain or isinstance(value, dict)):
        written = said(list(value) if isinstance(value, dict) else [value])
    elif kind in ("asset_type", "inlet_type") and isinstance(value, str):
        written = said({"asset": value})
    elif kind == "mapped_type" and plain:
        written = _mapped(path, value, data)
    elif kind == "entry_type" and isinstance(value, str):
        written = said({"operator": value})
    elif kind == "duration_type":
        written = _duration(value)
    elif kind in ("dict_type", "model_type", "model_attributes_type"):
        written = _object(path, value)
    return written


def _only(value: Any) -> str | None:
    """Take the one string out of an array or an object of it."""
    inner = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return said(inner[0]) if len(inner) == 1 and isinstance(inner[0], str) else None


def _mapped(path: JsonPath, value: Any, data: Any) -> str:
    listed = said([value])
    if not isinstance(value, str) or "{{" in value:
        return f"{listed}, an array of values"
    output = said({"output_of": value})
    siblings = _around(path, data)
    return output if value in siblings else f"{listed}, or {output} for what that task returns"


def _around(path: JsonPath, data: Any) -> Mapping[str, Any]:
    """Find the tasks beside the one that a path leads into."""
    last = max((index for index, part in enumerate(path[:-1]) if part == "tasks"), default=0)
    try:
        found = value_at(data, path[: last + 1])
    except (LookupError, TypeError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _duration(value: Any) -> str | None:
    meant = meant_duration(value)
    if meant:
        return said(meant)
    if type(value) is int or (isinstance(value, str) and value.strip().isdigit()):
        number = int(value)
        return f'"{number}s" for seconds, or "{number}m" for minutes' if number > 0 else None
    return None


def _object(path: JsonPath, value: Any) -> str | None:
    if isinstance(value, str) and len(path) > 1 and isinstance(path[-1], int):
        events = [part for part in path[:-1] if isinstance(part, str) and part.startswith("on_")]
        return said({"notifier": value}) if events else None
    return "{ … } with its keys, or leave it out"


def _boolean(value: Any) -> str:
    if value in (1, "yes", "true", "on", "y", "1"):
        return "true, without quotes"
    if value in (0, "no", "false", "off", "n", "0"):
        return "false, without quotes"
    return "true or false"


def allowed(error: ErrorDetails, path: JsonPath, value: Any) -> tuple[str, str | None]:
    """Say what is wrong with a value of the right type, and what to write.

    Args:
        error: What pydantic reports.
        path: Where it stands.
        value: What stands there.
    """
    kind, message = error["type"], error["msg"]
    written: str | None = None
    if kind == "literal_error":
        former = _FORMER_RULES.get(str(value)) if path[-1] == "trigger_rule" else None
        advice = f'write "{former}", as Airflow calls it' if former else literal_hint(error, value)
        return f"{said(value)} is none of the words that it may be", advice
    if kind in _BOUNDS:
        return _out_of_bounds(error, path, value)
    if kind == "duration":
        written = _duration(value)
    elif kind == "moment" and isinstance(value, str):
        return message, meant_date(value)
    elif kind in ("too_short", "string_too_short"):
        message = "must not be empty"
    elif kind == "string_pattern_mismatch":
        message = "not an import path"
    return message, f"write {written}" if written else _ALLOWED.get(kind)


def _out_of_bounds(error: ErrorDetails, path: JsonPath, value: Any) -> tuple[str, str]:
    name, message, advice = _BOUNDS[error["type"]]
    bound = f"{error['ctx'][name]:,}".removesuffix(".0")
    if path[-1] == "attempts" and bound == "1":
        return f"{said(value)} is {message} {bound}", "write 1 for no retry: every try counts"
    return f"{said(value)} is {message} {bound}", f"write {advice.format(bound)}"


_BOUNDS = {
    "greater_than_equal": ("ge", "less than", "{} or more"),
    "less_than_equal": ("le", "more than", "{} or less"),
    "less_than": ("lt", "not less than", "a number below {}"),
    "greater_than": ("gt", "not more than", "a number above {}"),
}


def literal_hint(error: ErrorDetails, value: Any) -> str:
    """Say which of a few words to write, where pydantic reports that it is none of them.

    Args:
        error: What pydantic reports, of the type `literal_error`.
        value: What stands there.
    """
    words = [word.strip(" '") for word in str(error["ctx"]["expected"]).replace(" or ", ",").split(",")]
    near = did_you_mean(value, words) if isinstance(value, str) else None
    return near or f"write one of {', '.join(words)}"

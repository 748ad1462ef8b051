"""What pydantic says of a config, in words for the people who write configs, at the place they wrote it."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean, value_at
from windlass.dagfactory.model.access import AccessConfig
from windlass.dagfactory.model.assets import (
    AliasConfig,
    AllAssetsConfig,
    AnyAssetConfig,
    AssetConfig,
    EveryConfig,
    TimetableConfig,
)
from windlass.dagfactory.model.base import branch
from windlass.dagfactory.model.dag import DagConfig
from windlass.dagfactory.model.task import GroupConfig, OutputOf, TaskConfig, TeardownConfig

__all__ = ["known_keys", "literal_hint", "model_findings"]

_CODES = {
    "missing": Code.MISSING_KEY,
    "duration": Code.DURATION,
    "moment": Code.DATE,
    "relative_moment": Code.RELATIVE_DATE,
}
_KINDS = {
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
# The keys of which an object must have one, where that one tells what the object is.
_ALTERNATIVES = {
    "schedule_type": ("every", "asset", "any", "all", "alias", "timetable"),
    "asset_type": ("asset", "any", "all", "alias"),
    "inlet_type": ("asset", "alias"),
}
_EXAMPLES = {
    "schema_version": "1",
    "retry": '{"attempts": 3}',
    "schedule": '"0 5 * * *", "@daily" or {"every": "6h"}',
    "notify": '{"on_failure": [{"notifier": "log"}]}',
    "on_failure": '[{"notifier": "log"}]',
    "compensate": '{"operator": "airflow.bash", "args": {"bash_command": "…"}}',
    "access_control": '{"Viewer": ["can_read"]}',
    "expand": '{"bash_command": ["echo 1", "echo 2"]}',
    "defaults": '{"timeout": "10m"}',
}
_ALLOWED = {
    "user": "write the name of a user of the workers' machine",
    "link": 'write a link such as "https://example.org/team" or "mailto:team@example.org"',
    "string_pattern_mismatch": "write package.module.Class",
    "too_short": "remove the key, or write what belongs there",
}
_SHORT = 100
_BRANCHES: dict[str, type[BaseModel]] = {
    branch("task"): TaskConfig,
    branch("group"): GroupConfig,
    branch("output"): OutputOf,
    branch("teardown"): TeardownConfig,
    branch("access"): AccessConfig,
    branch("asset"): AssetConfig,
    branch("alias"): AliasConfig,
    branch("any"): AnyAssetConfig,
    branch("all"): AllAssetsConfig,
    branch("every"): EveryConfig,
    branch("timetable"): TimetableConfig,
}


def model_findings(errors: list[ErrorDetails], data: Any) -> list[Finding]:
    """Turn pydantic's errors about a config into findings.

    Args:
        errors: What pydantic reports.
        data: The config.
    """
    return [_finding(error, data) for error in errors]


def _finding(error: ErrorDetails, data: Any) -> Finding:
    kind, location = error["type"], error["loc"]
    path = _without_branches(location)
    value = _at(data, path)
    if kind in ("extra_forbidden", "missing"):
        return _wrong_key(kind, location, path)
    if kind in _ALTERNATIVES and isinstance(value, dict):
        return _no_alternative(kind, path, value)
    if kind in _KINDS:
        message = f"{_shown(path)} must be {_KINDS[kind]}"
        return Finding(Code.WRONG_TYPE, path, message, _instead(kind, path, value))
    return _not_allowed(error, path, value)


def _wrong_key(kind: str, location: tuple[int | str, ...], path: JsonPath) -> Finding:
    name = path[-1]
    if kind == "missing":
        return Finding(Code.MISSING_KEY, path[:-1], f'the key "{name}" is missing', f'add "{name}"', at="key")
    known = known_keys(location[:-1])
    suggestion = did_you_mean(str(name), known) or f"known keys here: {', '.join(known)}"
    return Finding(Code.UNKNOWN_KEY, path, f'unknown key "{name}"', suggestion, at="key")


def _not_allowed(error: ErrorDetails, path: JsonPath, value: Any) -> Finding:
    kind, message = error["type"], error["msg"]
    if path == ("schema_version",):
        return Finding(Code.SCHEMA_VERSION, path, "this schema version is not known", "write 1")
    if kind == "too_short" and path[-1] == "tasks":
        what = "the DAG" if len(path) == 1 else f'the group "{path[-2]}"'
        return Finding(Code.NO_TASKS, path, f"{what} has no tasks", at="key")
    if kind == "too_short":
        message = "must not be empty"
    elif kind == "string_pattern_mismatch":
        message = "not an import path"
    message = f"{_shown(path)}: {message[:1].lower()}{message[1:]}"
    return Finding(_CODES.get(kind, Code.INVALID_VALUE), path, message, _allowed(error, value))


def _allowed(error: ErrorDetails, value: Any) -> str | None:
    return literal_hint(error, value) if error["type"] == "literal_error" else _ALLOWED.get(error["type"])


def literal_hint(error: ErrorDetails, value: Any) -> str:
    """Say which of a few words to write, where pydantic reports that it is none of them.

    Args:
        error: What pydantic reports, of the type `literal_error`.
        value: What stands there.
    """
    words = [word.strip(" '") for word in str(error["ctx"]["expected"]).replace(" or ", ",").split(",")]
    near = did_you_mean(value, words) if isinstance(value, str) else None
    return near or f"write one of {', '.join(words)}"


def _shown(path: JsonPath) -> str:
    if not path:
        return "the config"
    return f'"{path[-1]}"' if isinstance(path[-1], str) else f"entry {path[-1]}"


def _no_alternative(kind: str, path: JsonPath, value: dict[str, Any]) -> Finding:
    """An object that has none of the keys that say what it is; a mistyped one is what is shown."""
    known = list(_ALTERNATIVES[kind])
    for key in value:
        near = did_you_mean(key, known)
        if near:
            return Finding(Code.UNKNOWN_KEY, (*path, key), f'unknown key "{key}"', near, at="key")
    message = f"the object has none of the keys {', '.join(known)}"
    return Finding(Code.MISSING_KEY, path, message, f"write one of {', '.join(known)}", at="key")


def _instead(kind: str, path: JsonPath, value: Any) -> str:
    """Say what to write for a value of the wrong type."""
    example = _EXAMPLES.get(str(path[-1])) if path else None
    if example:
        return f"write {example}"
    text = value.strip().lower() if isinstance(value, str) and len(value) < _SHORT else None
    plain = isinstance(value, int | float) or text is not None
    written = _KINDS[kind]
    if kind == "bool_type":
        written = _boolean(value if text is None else text)
    elif kind in ("int_type", "float_type") and text and text.replace(".", "", 1).isdigit():
        written = f"{text}, without quotes"
    elif kind == "string_type" and plain:
        written = json.dumps(json.dumps(value))
    elif kind == "list_type" and plain:
        written = json.dumps([value], ensure_ascii=False)
    elif kind in ("asset_type", "inlet_type") and isinstance(value, str):
        written = json.dumps({"asset": value}, ensure_ascii=False)
    elif kind == "duration_type" and type(value) is int:
        written = f'"{value}s" for seconds, or "{value}m" for minutes'
    elif kind in ("dict_type", "model_type", "model_attributes_type"):
        written = "{ … } with its keys, or leave it out"
    return f"write {written}"


def _boolean(value: Any) -> str:
    if value in (1, "yes", "true", "on", "y", "1"):
        return "true, without quotes"
    if value in (0, "no", "false", "off", "n", "0"):
        return "false, without quotes"
    return "true or false"


def known_keys(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the model knows at a location as pydantic gives it: a path with union branches."""
    model: type[BaseModel] = DagConfig
    for part in location:
        if part in _BRANCHES:
            model = _BRANCHES[str(part)]
        elif isinstance(part, str):
            field = next(
                (info for name, info in model.model_fields.items() if part in (name, info.alias)), None
            )
            model = next(_models_in(field.annotation), model) if field else model
    return [info.alias or name for name, info in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the model that a field holds, if it is one, bare or in a container."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, list, dict, Annotated):
        for inner in get_args(annotation):
            yield from _models_in(inner)


def _without_branches(location: tuple[int | str, ...]) -> JsonPath:
    return tuple(part for part in location if not (isinstance(part, str) and part.startswith("\0")))


def _at(data: Any, path: JsonPath) -> Any:
    try:
        return value_at(data, path)
    except (LookupError, TypeError):
        return None

"""What pydantic says of a config, in words for the people who write configs, at the place they wrote it."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean, value_at
from windlass.dagfactory.guesses import meant_schedule, said
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
from windlass.dagfactory.model.habits import GROUPED, habit
from windlass.dagfactory.model.instead import KINDS, allowed, instead, literal_hint
from windlass.dagfactory.model.task import GroupConfig, OutputOf, TaskConfig, TeardownConfig

__all__ = ["known_keys", "literal_hint", "model_findings"]

_CODES = {
    "missing": Code.MISSING_KEY,
    "duration": Code.DURATION,
    "moment": Code.DATE,
    "relative_moment": Code.RELATIVE_DATE,
}
# The keys of which an object must have one, where that one tells what the object is.
_ALTERNATIVES = {
    "schedule_type": ("every", "asset", "any", "all", "alias", "timetable"),
    "asset_type": ("asset", "any", "all", "alias"),
    "inlet_type": ("asset", "alias"),
}
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


Parameters = Callable[[str], Collection[str]]
"""Lists the parameters of an operator, as far as they are known."""


def model_findings(
    errors: list[ErrorDetails], data: Any, parameters: Parameters = lambda _: ()
) -> list[Finding]:
    """Turn pydantic's errors about a config into findings.

    Args:
        errors: What pydantic reports.
        data: The config.
        parameters: Lists what the operator of a name takes, to tell of what stands beside args.
    """
    return [_finding(error, data, parameters) for error in errors]


def _finding(error: ErrorDetails, data: Any, parameters: Parameters) -> Finding:
    kind, location = error["type"], error["loc"]
    path = _without_branches(location)
    value = _at(data, path)
    if kind == "missing":
        return _missing(path, data)
    if kind == "extra_forbidden":
        return _unknown_key(location, path, data, parameters)
    if kind in _ALTERNATIVES and isinstance(value, dict):
        return _no_alternative(kind, path, value)
    if kind in KINDS:
        message = f"{_shown(path)} must be {KINDS[kind]}"
        return Finding(Code.WRONG_TYPE, path, message, instead(kind, path, value, data))
    return _not_allowed(error, path, value)


def _missing(path: JsonPath, data: Any) -> Finding:
    name, around = path[-1], _at(data, path[:-1])
    suggestion = f'add "{name}"'
    if name in ("operator", "notifier"):
        suggestion += "; windlass-dags registry lists them"
    grouped = [key for key in around if key in GROUPED] if isinstance(around, dict) else []
    if name == "operator" and grouped:
        suggestion = f'add "operator" for a task; for a group rename "{grouped[0]}" to "tasks"'
    return Finding(Code.MISSING_KEY, path[:-1], f'the key "{name}" is missing', suggestion, at="key")


def _unknown_key(
    location: tuple[int | str, ...], path: JsonPath, data: Any, parameters: Parameters
) -> Finding:
    name, around = str(path[-1]), _at(data, path[:-1])
    siblings = around if isinstance(around, dict) else {}
    known = known_keys(location[:-1])
    operator = siblings.get("operator")
    if "args" in known and isinstance(operator, str) and name in parameters(operator):
        shown = said({name: siblings.get(name)})
        shown = f'{{"{name}": …}}' if shown == "…" else shown
        suggestion = f'it is a parameter of the operator: write "args": {shown}'
    else:
        near = habit(model_at(location[:-1]), name, siblings) or did_you_mean(name, known)
        suggestion = near or _known(known)
    return Finding(Code.UNKNOWN_KEY, path, f'unknown key "{name}"', suggestion, at="key")


def _known(keys: list[str]) -> str:
    of_task = {"args", "depends_on"} <= set(keys)
    begin = "parameters of the operator belong under args; " if of_task else ""
    return f"{begin}known keys here: {', '.join(keys)}"


def _not_allowed(error: ErrorDetails, path: JsonPath, value: Any) -> Finding:
    kind = error["type"]
    if path == ("schema_version",):
        return Finding(Code.SCHEMA_VERSION, path, "this schema version is not known", "write 1")
    if kind == "too_short" and path[-1] == "tasks":
        what = "the DAG" if len(path) == 1 else f'the group "{path[-2]}"'
        return Finding(Code.NO_TASKS, path, f"{what} has no tasks", at="key")
    message, suggestion = allowed(error, path, value)
    message = f"{_shown(path)}: {message[:1].lower()}{message[1:]}"
    return Finding(_CODES.get(kind, Code.INVALID_VALUE), path, message, suggestion)


def _shown(path: JsonPath) -> str:
    if not path:
        return "the config"
    return f'"{path[-1]}"' if isinstance(path[-1], str) else f"entry {path[-1]}"


def _no_alternative(kind: str, path: JsonPath, value: dict[str, Any]) -> Finding:
    """An object that has none of the keys that say what it is; a mistyped one is what is shown."""
    known = list(_ALTERNATIVES[kind])
    meant = meant_schedule(value) if kind == "schedule_type" else None
    if meant:
        return Finding(Code.WRONG_TYPE, path, "the object is no schedule", f"write {meant}")
    for key in value:
        near = did_you_mean(key, known)
        if near:
            return Finding(Code.UNKNOWN_KEY, (*path, key), f'unknown key "{key}"', near, at="key")
    message = f"the object has none of the keys {', '.join(known)}"
    name = value.get("name") or value.get("uri") or value.get("dataset")
    asset = isinstance(name, str) and f"write {said({'asset': name})}"
    return Finding(Code.MISSING_KEY, path, message, asset or f"write one of {', '.join(known)}", at="key")


def known_keys(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the model knows at a location as pydantic gives it: a path with union branches."""
    return [info.alias or name for name, info in model_at(location).model_fields.items()]


def model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """Find the part of the model at a location as pydantic gives it."""
    model: type[BaseModel] = DagConfig
    for part in location:
        if part in _BRANCHES:
            model = _BRANCHES[str(part)]
        elif isinstance(part, str):
            field = next(
                (info for name, info in model.model_fields.items() if part in (name, info.alias)), None
            )
            model = next(_models_in(field.annotation), model) if field else model
    return model


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

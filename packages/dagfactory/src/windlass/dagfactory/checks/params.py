"""Do the params of a DAG's runs fit what the config itself says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding

__all__ = ["check_params", "is_param_schema", "ordered_params", "param_schema"]

_MARKS = frozenset({"type", "enum", "const", "schema"})
_BESIDE = frozenset({"default", "description", "order", "schema"})
_TAKEN = frozenset({"default", "description", "self", "source"})
"""What Airflow's reader of stored DAGs takes beside a schema's keywords: one of these in it stops the DAG."""


def is_param_schema(value: Any) -> bool:
    """Tell whether a param is described by JSON Schema keywords rather than being a plain value."""
    return isinstance(value, dict) and not _MARKS.isdisjoint(value)


def param_schema(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the JSON Schema out of a described param: what stands under `schema`, or beside the default."""
    if "schema" in value:
        schema: Mapping[str, Any] = value["schema"]
        return schema
    return {key: inner for key, inner in value.items() if key not in _BESIDE}


def ordered_params(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Put params in the order of the form: by their `order`, the others after them, and by name.

    The order of keys in an object means nothing in JSON, but that of a DAG's params is part of its version.

    Args:
        params: Checked params, by name.

    Returns:
        Names and values; `order` is ours, so it is taken out of what Airflow is given.
    """

    def place(name: str) -> tuple[float, str]:
        value = params[name]
        return (value.get("order", math.inf) if is_param_schema(value) else math.inf, name)

    return [(name, _without_order(params[name])) for name in sorted(params, key=place)]


def _without_order(value: Any) -> Any:
    if not is_param_schema(value) or "order" not in value:
        return value
    return {key: inner for key, inner in value.items() if key != "order"}


def check_params(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Check described params: the schema itself, and the default, which scheduled runs need."""
    params = data.get("params")
    for name, value in params.items() if isinstance(params, dict) else ():
        if is_param_schema(value):
            yield from _check_param(name, value, scheduled=data.get("schedule") is not None)
        elif isinstance(value, dict) and "default" in value:  # else its value would be the whole object
            message = f'"{name}" has a default, but no type'
            yield Finding(Code.PARAM, ("params", name), message, f"add type; {_plain(name)}", at="key")


def _check_param(name: str, value: Mapping[str, Any], *, scheduled: bool) -> Iterator[Finding]:
    from jsonschema import FormatChecker, SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    schema, path = param_schema(value), ("params", name)
    plain = _plain(name)
    if _refers_elsewhere(schema):  # resolving it could ask the network, here and in Airflow
        message = f'"{name}" refers to a schema outside of it'
        yield Finding(Code.PARAM, path, message, "write the schema whole", at="key")
        return
    if not isinstance(schema, dict) or ("schema" in value and value.keys() - _BESIDE):
        message = f'"{name}": schema stands for the whole JSON Schema, beside default and description only'
        yield Finding(Code.PARAM, path, message, plain, at="key")
        return
    for key in schema.keys() & _TAKEN:
        message = f'"{name}": Airflow cannot read "{key}" as part of the schema'
        beside = "write it beside schema" if key in _BESIDE else "remove it"
        yield Finding(Code.PARAM, (*path, *(("schema",) if "schema" in value else ()), key), message, beside)
    if type(value.get("order", 0)) is not int:
        message = f'the order of "{name}" is no whole number'
        yield Finding(Code.PARAM, (*path, "order"), message, 'write it as in "order": 1')
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        yield Finding(Code.PARAM, path, f'"{name}" is no JSON Schema: {error.message}', plain, at="key")
        return
    if "default" not in value:
        if scheduled:
            message = f'"{name}" has no default, and nobody fills it in for a scheduled run'
            yield Finding(Code.PARAM, path, message, "add default, or remove the schedule", at="key")
        return
    try:
        unfit = next(kind(schema, format_checker=FormatChecker()).iter_errors(value["default"]), None)
    except (Unresolvable, re.error, RecursionError) as error:
        message = f'"{name}" cannot be checked: {error}'
        yield Finding(Code.PARAM, path, message, "correct what the message names", at="key")
        return
    if unfit is not None:
        message = f'the default of "{name}" does not fit its own schema: {unfit.message}'
        yield Finding(Code.PARAM, (*path, "default"), message, "correct the default or the schema")


def _plain(name: str) -> str:
    return f'a plain object goes under default: {{"default": {{…}}, "type": "object"}} for "{name}"'


def _refers_elsewhere(schema: Any) -> bool:
    if isinstance(schema, dict):
        refers = any(
            isinstance(schema.get(key), str) and not schema[key].startswith("#")
            for key in ("$ref", "$dynamicRef", "$recursiveRef")
        )
        return refers or any(map(_refers_elsewhere, schema.values()))
    return isinstance(schema, list) and any(map(_refers_elsewhere, schema))

"""The schema of a config: the model's, with the parameters of each operator and notifier where they apply.

Draft 7 is what editors know best; they take its `if`/`then` to complete `args` once an operator is named.
Required parameters of operators are told in texts and snippets, but are not required here: a folder's
defaults, which an editor does not see, may give them. `windlass-dags validate` tells when one is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.layers.chain import NOT_SHARED
from windlass.dagfactory.model import DagConfig
from windlass.dagfactory.schema.tidy import tidy

if TYPE_CHECKING:
    from windlass.dagfactory.catalog import Entry

__all__ = ["DIALECT", "config_schema", "defaults_schema"]

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"


_CLASS_PATH = r"^([A-Za-z_]\w*\.)+[A-Z]\w*$"
_SHORT_NAME = r"^[a-z]\w*(\.\w+)+$"
_TASK_ID = "^[A-Za-z][A-Za-z0-9_-]*$"
_PRESETS = ["@daily", "@hourly", "@weekly", "@monthly", "@yearly", "@once", "@continuous", "0 5 * * *"]


def config_schema(entries: Iterable[Entry], *, closed: bool) -> Schema:
    """Make the schema of `dag.json`.

    Args:
        entries: Operators and notifiers whose parameters it tells; those with a problem are left out.
        closed: Whether other short names are wrong. A schema that goes where other packages may be installed
            leaves them open.

    Returns:
        A JSON schema, draft 7, as JSON data.
    """
    schema = tidy(DagConfig.model_json_schema())
    definitions: Schema = schema["$defs"]
    usable = [entry for entry in entries if not entry.problem]
    operators = [entry for entry in usable if entry.kind == "operator"]
    notifiers = [entry for entry in usable if entry.kind == "notifier"]
    for entry in usable:
        definitions.update(_args(entry))
    for name, also_expand in (("TaskConfig", True), ("CompensateConfig", False)):
        _name_and_args(definitions[name], "operator", operators, closed=closed, also_expand=also_expand)
    _name_and_args(definitions["NotifierConfig"], "notifier", notifiers, closed=closed, also_expand=False)
    _operator_defaults(definitions["DefaultsConfig"], operators)
    _entries_of(schema, definitions)
    _hints(schema["properties"])
    return {"$schema": DIALECT, "title": "A DAG for Windlass", **schema, "$defs": definitions}


def defaults_schema(entries: Iterable[Entry], *, closed: bool) -> Schema:
    """Make the schema of a folder's `defaults.json`: any key of a config except what makes it one DAG."""
    schema = config_schema(entries, closed=closed)
    for name in NOT_SHARED:
        del schema["properties"][name]
    schema.pop("required", None)
    schema["$defs"] = _reached(schema)
    schema["title"] = "Defaults for the DAGs of a folder"
    schema["description"] = "What all configs in this folder and below it say unless they say otherwise."
    return schema


def _reached(schema: Schema) -> Schema:
    """Keep the definitions that something still refers to."""
    definitions: Schema = schema["$defs"]
    reached: Schema = {}
    pending = [json.dumps({key: value for key, value in schema.items() if key != "$defs"})]
    while pending:
        for name in re.findall(r'"#/\$defs/([^"]+)"', pending.pop()):
            if name not in reached:
                reached[name] = definitions[name]
                pending.append(json.dumps(definitions[name]))
    return {name: reached[name] for name in definitions if name in reached}


def _definition(entry: Entry) -> str:
    return f"{entry.kind}.{re.sub(r'[^A-Za-z0-9_.-]', '_', entry.name)}"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _args(entry: Entry) -> Schema:
    """The schema of an entry's args, and those it refers to, under names that no other entry has."""
    base = _definition(entry)
    schema = _renamed(entry.schema, base)
    inner = schema.pop("$defs", {})
    required = schema.pop("required", [])
    schema = tidy(schema)
    schema["description"] = entry.summary + (f"\n\nRequired: {', '.join(required)}." if required else "")
    if required:
        body = {name: f"${number}" for number, name in enumerate(required, 1)}
        schema["defaultSnippets"] = [{"label": f"{entry.name}: required parameters", "body": body}]
    return {base: schema, **{f"{base}.{name}": tidy(value) for name, value in inner.items()}}


def _renamed(schema: Any, base: str) -> Any:
    if isinstance(schema, list):
        return [_renamed(value, base) for value in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: f"#/$defs/{base}.{value.rpartition('/')[2]}" if key == "$ref" else _renamed(value, base)
        for key, value in schema.items()
    }


def _name_and_args(
    definition: Schema, key: str, entries: list[Entry], *, closed: bool, also_expand: bool
) -> None:
    """Let an object's `args` depend on the operator or notifier that it names."""
    named: Schema = {
        "type": "string",
        "enum": [entry.name for entry in entries],
        "markdownEnumDescriptions": [f"{entry.summary}\n\n{_parameters(entry)}" for entry in entries],
    }
    other = {"type": "string", "pattern": _CLASS_PATH if closed else f"{_CLASS_PATH}|{_SHORT_NAME}"}
    description = definition["properties"][key]["description"]
    definition["properties"][key] = {
        "description": description,
        "anyOf": [named, other] if entries else [other],
        "errorMessage": f"No such {key} is registered, and it is no class path: package.module.Class.",
    }
    definition["allOf"] = [
        {
            "if": {"properties": {key: {"const": entry.name}}, "required": [key]},
            "then": {"properties": _where_args_stand(entry, also_expand=also_expand)},
        }
        for entry in entries
    ]


def _parameters(entry: Entry) -> str:
    return "\n".join(
        f"- `{parameter.name}`{' (required)' if parameter.required else ''}: {parameter.description}"
        for parameter in entry.parameters
    )


def _where_args_stand(entry: Entry, *, also_expand: bool) -> Schema:
    places: Schema = {"args": _reference(_definition(entry))}
    if also_expand:
        known = {p.name: {"description": p.description} for p in entry.parameters}
        closed = entry.schema.get("additionalProperties") is False
        names = {"propertyNames": {"enum": list(known)}} if closed else {}
        places["expand"] = {"properties": known, **names}
    return places


def _operator_defaults(definition: Schema, operators: list[Entry]) -> None:
    known = {
        entry.name: {
            "description": entry.summary,
            "allOf": [
                _reference("OperatorDefaultsConfig"),
                {"properties": {"args": _reference(_definition(entry))}},
            ],
        }
        for entry in operators
    }
    definition["properties"]["operators"]["properties"] = known


def _entries_of(schema: Schema, definitions: Schema) -> None:
    """Let an entry of `tasks` be judged as the one thing it is, so that errors tell of that alone."""
    definitions["Entry"] = {
        "type": "object",
        "if": {"required": ["tasks"]},
        "then": _reference("GroupConfig"),
        "else": _reference("TaskConfig"),
        "defaultSnippets": [
            {"label": "a task", "body": {"operator": "$1", "args": {}}},
            {"label": "a task after another", "body": {"operator": "$1", "depends_on": ["$2"], "args": {}}},
            {"label": "a group of tasks", "body": {"tasks": {"$1": {"operator": "$2"}}}},
        ],
    }
    for owner in (schema, definitions["GroupConfig"]):
        owner["properties"]["tasks"] |= {
            "additionalProperties": _reference("Entry"),
            "propertyNames": {
                "pattern": _TASK_ID,
                "maxLength": 200,
                "patternErrorMessage": "A task id begins with a letter; letters, digits, _ and - follow.",
            },
        }


def _hints(properties: Schema) -> None:
    """What an editor may offer where any text is right."""
    properties["dag_id"] |= {"examples": ["sales_daily_load_v1"]}
    properties["schedule"] |= {
        "examples": _PRESETS,
        "defaultSnippets": [
            {"label": "an interval", "body": {"every": "${1:6h}"}},
            {"label": "when an asset is updated", "body": {"asset": "$1"}},
        ],
    }
    properties["timezone"] |= {"examples": ["UTC", "Europe/Berlin", "America/New_York", "Asia/Singapore"]}
    properties["schema_version"] |= {"enum": [1]}

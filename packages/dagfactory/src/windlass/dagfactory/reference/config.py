"""The page of all keys: what a config may say, from the model itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from windlass.dagfactory.model import DagConfig
from windlass.dagfactory.reference.examples import example_of
from windlass.dagfactory.reference.markdown import anchor, cell, code, table
from windlass.dagfactory.schema.describe import properties_of
from windlass.dagfactory.schema.tidy import tidy

__all__ = ["config_page", "parts"]

_INTRO = """# What a config says

Every key of `dag.json` (and `dag.yaml`, which says the same), from the model that checks it. Unknown keys
are errors everywhere. How the keys work together is told in [DAGs from configs](../dag-configuration.md);
what goes under `args` in [operators](operators.md); what each error means in [errors](errors.md).

A duration is `30s`, `5m`, `2h`, `1d` or ISO 8601 such as `PT1H30M`. A date is absolute: `2026-01-31` or
`2026-01-31T06:00:00`. Where null is allowed it means that the key is not set; in a task it takes back what
defaults say.
"""
_TITLES = {
    "DagConfig": "A config",
    "TaskConfig": "A task",
    "GroupConfig": "A group of tasks",
    "DefaultsConfig": "Defaults",
    "OperatorDefaultsConfig": "Defaults of an operator",
    "RetryConfig": "Retries",
    "DagNotifyConfig": "Notifications of a run",
    "TaskNotifyConfig": "Notifications of a task",
    "NotifierConfig": "A notifier",
    "CompensateConfig": "Compensation",
    "OutputOf": "Another task's output",
    "TeardownConfig": "A teardown",
    "EveryConfig": "An interval",
    "TimetableConfig": "A timetable",
    "AssetConfig": "An asset",
    "AliasConfig": "An asset alias",
    "AnyAssetConfig": "Any of several assets",
    "AllAssetsConfig": "All of several assets",
}


def parts() -> dict[str, Mapping[str, Any]]:
    """Give the schema of each part of a config by its model's name, the config itself first."""
    schema = tidy(DagConfig.model_json_schema())
    found = {"DagConfig": schema, **schema["$defs"]}
    order = {name: place for place, name in enumerate(_TITLES)}
    return {name: found[name] for name in sorted(found, key=lambda name: order.get(name, len(order)))}


def config_page() -> str:
    """Write the page."""
    found = parts()
    links = {name: f"[{_title(name).lower()}](#{anchor(_title(name))})" for name in found}
    links["Entry"] = f"{links['TaskConfig']} or {links['GroupConfig']}"
    sections = [_section(name, schema, found, links) for name, schema in found.items()]
    return "\n".join([_INTRO, *sections])


def _title(name: str) -> str:
    return _TITLES.get(name, name.removesuffix("Config"))


def _section(
    name: str, schema: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]], links: Mapping[str, str]
) -> str:
    rows = []
    for entry in properties_of(schema, found, links=links):
        need = "required" if entry.required else code(entry.default) if entry.default is not None else ""
        example = example_of(name, entry.name, schema["properties"][entry.name])
        shown = code(json.dumps(example, ensure_ascii=False)) if example is not None else ""
        rows.append((code(entry.name), entry.kind.replace("|", "\\|"), need, cell(entry.description), shown))
    head = ("key", "type", "default", "what it does", "example")
    return f"## {_title(name)}\n\n{schema.get('description', '')}\n\n{table(head, rows)}\n"

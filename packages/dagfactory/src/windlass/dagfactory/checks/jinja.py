"""Will Airflow be able to render the templates: their syntax, names and filters, and what they take in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windlass.dagfactory.checks.context import (
    COMPENSATION_NAMES,
    CONTEXT_NAMES,
    is_template,
    template_findings,
)
from windlass.dagfactory.checks.rendered import RenderedFiles
from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Finding, JsonPath

__all__ = ["CONTEXT_NAMES", "check_jinja"]

_TEMPLATED = ("args", "expand", "expand_kwargs")


def check_jinja(data: Mapping[str, Any], tree: Tree, folder: Path | None) -> Iterator[Finding]:
    """Check every template under args, expand and map_index_template, of notifiers and compensations too.

    Args:
        data: The config.
        tree: Its tasks.
        folder: Its folder, where Airflow looks for what templates include; None for defaults of folders.
    """
    yield from _beside_args(data, (), folder)
    defaults = data.get("defaults")
    if isinstance(defaults, dict):
        yield from _beside_args(defaults, ("defaults",), folder)
        operators = defaults.get("operators")
        for name, settings in operators.items() if isinstance(operators, dict) else ():
            if isinstance(settings, dict):
                path = ("defaults", "operators", name)
                yield from _walk(settings.get("args"), (*path, "args"), folder)
                yield from _beside_args(settings, path, folder)
    for node in tree.tasks():
        for key in (*_TEMPLATED, "map_index_template"):
            yield from _walk(node.entry.get(key), (*node.path, key), folder)
        yield from _beside_args(node.entry, node.path, folder)


def _beside_args(entry: Mapping[str, Any], path: JsonPath, folder: Path | None) -> Iterator[Finding]:
    compensate, notify = entry.get("compensate"), entry.get("notify")
    if isinstance(compensate, dict):
        where = (*path, "compensate", "args")
        yield from _walk(compensate.get("args"), where, folder, COMPENSATION_NAMES)
    for event, notifiers in notify.items() if isinstance(notify, dict) else ():
        for index, notifier in enumerate(notifiers if isinstance(notifiers, list) else ()):
            if isinstance(notifier, dict):
                yield from _walk(notifier.get("args"), (*path, "notify", event, index, "args"), folder)


def _walk(
    value: Any, path: JsonPath, folder: Path | None, names: frozenset[str] = CONTEXT_NAMES
) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key), folder, names)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, index), folder, names)
    elif isinstance(value, str) and is_template(value):
        yield from template_findings(value, path, names)
        if "{%" in value and folder is not None:
            yield from RenderedFiles(folder, path).of_template(value, names)

"""Will Airflow be able to render the templates: their syntax, and the names and filters they use.

Most templates are as plain as `{{ ds }}`; those are judged without Jinja, which is imported for others only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean

if TYPE_CHECKING:
    from windlass.dagfactory.checks.templates import Mistake

__all__ = ["CONTEXT_NAMES", "check_jinja"]

CONTEXT_NAMES = frozenset(
    {
        "asset_state_store",
        "conn",
        "dag",
        "dag_run",
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "exception",
        "expanded_ti_count",
        "inlet_events",
        "inlets",
        "logical_date",
        "macros",
        "map_index_template",
        "outlet_events",
        "outlets",
        "params",
        "partition_date",
        "partition_key",
        "prev_data_interval_end_success",
        "prev_data_interval_start_success",
        "prev_end_date_success",
        "prev_start_date_success",
        "reason",
        "run_id",
        "task",
        "task_instance",
        "task_instance_key_str",
        "task_reschedule_count",
        "task_state_store",
        "templates_dict",
        "test_mode",
        "ti",
        "triggering_asset_events",
        "try_number",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "var",
    }
)
"""What Airflow 3.3 gives to templates (`airflow.sdk.definitions.context.Context`)."""

_COMPENSATION_NAMES = CONTEXT_NAMES | {"failure"}

_GONE = {
    "conf": "conf is gone since Airflow 3: write dag_run.conf for a run's, params for its parameters",
    "execution_date": "write logical_date: Airflow 3 has no execution_date",
    "next_ds": "write data_interval_end | ds: Airflow 3 has no next_ds",
    "next_execution_date": "write data_interval_end: Airflow 3 has no next_execution_date",
    "prev_ds": "write data_interval_start | ds: Airflow 3 has no prev_ds",
    "prev_execution_date": "write data_interval_start: Airflow 3 has no prev_execution_date",
    "tomorrow_ds": "write macros.ds_add(ds, 1): Airflow 3 has no tomorrow_ds",
    "yesterday_ds": "write macros.ds_add(ds, -1): Airflow 3 has no yesterday_ds",
}
_MARKS = re.compile(r"\{[{%#]")
_PLAIN = re.compile(r"\{\{ ?([A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)* ?\}\}", re.ASCII)
_TEMPLATED = ("args", "expand", "expand_kwargs")


def check_jinja(data: Mapping[str, Any], tree: Tree) -> Iterator[Finding]:
    """Check every template under args, expand and map_index_template, of notifiers and compensations too.

    Args:
        data: The config.
        tree: Its tasks.
    """
    yield from _beside_args(data, ())
    defaults = data.get("defaults")
    if isinstance(defaults, dict):
        yield from _beside_args(defaults, ("defaults",))
        operators = defaults.get("operators")
        for name, settings in operators.items() if isinstance(operators, dict) else ():
            if isinstance(settings, dict):
                path = ("defaults", "operators", name)
                yield from _walk(settings.get("args"), (*path, "args"))
                yield from _beside_args(settings, path)
    for node in tree.tasks():
        for key in _TEMPLATED:
            yield from _walk(node.entry.get(key), (*node.path, key))
        yield from _walk(node.entry.get("map_index_template"), (*node.path, "map_index_template"))
        yield from _beside_args(node.entry, node.path)


def _beside_args(entry: Mapping[str, Any], path: JsonPath) -> Iterator[Finding]:
    compensate, notify = entry.get("compensate"), entry.get("notify")
    if isinstance(compensate, dict):
        yield from _walk(compensate.get("args"), (*path, "compensate", "args"), _COMPENSATION_NAMES)
    for event, notifiers in notify.items() if isinstance(notify, dict) else ():
        for index, notifier in enumerate(notifiers if isinstance(notifiers, list) else ()):
            if isinstance(notifier, dict):
                yield from _walk(notifier.get("args"), (*path, "notify", event, index, "args"))


def _walk(value: Any, path: JsonPath, names: frozenset[str] = CONTEXT_NAMES) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key), names)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, index), names)
    elif isinstance(value, str) and "{" in value and _MARKS.search(value):
        # A task may add names to the context in which its map index is rendered.
        named = path[-1] != "map_index_template"
        for mistake in _mistakes(value, names):
            if named or mistake.kind != "name":
                yield _finding(mistake, path)


@lru_cache(maxsize=10_000)
def _mistakes(template: str, names: frozenset[str]) -> tuple[Mistake, ...]:
    used = _PLAIN.findall(template)
    if len(used) == len(_MARKS.findall(template)) and names.issuperset(used):
        return ()
    from windlass.dagfactory.checks.templates import find_mistakes

    return find_mistakes(template, names)


def _finding(mistake: Mistake, path: JsonPath) -> Finding:
    if mistake.kind == "syntax":
        return Finding(Code.JINJA_SYNTAX, path, f"malformed template: {mistake.text}", inside=mistake.inside)
    name = mistake.text
    near = _GONE.get(name) if mistake.kind == "name" else None
    near = near or did_you_mean(name, sorted(mistake.known))
    message = f'templates have no {"name" if mistake.kind == "name" else mistake.kind} "{name}"'
    return Finding(Code.JINJA_NAME, path, message, near, inside=mistake.inside)

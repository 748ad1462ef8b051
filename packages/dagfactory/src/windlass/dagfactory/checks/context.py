"""What one template may name, and what is wrong with it, as findings.

Most templates are as plain as `{{ ds }}`; those are judged without Jinja, which is imported for others only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean

if TYPE_CHECKING:
    from windlass.dagfactory.checks.templates import Mistake

__all__ = ["COMPENSATION_NAMES", "CONTEXT_NAMES", "is_template", "template_findings"]

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

COMPENSATION_NAMES = CONTEXT_NAMES | {"failure"}
"""What templates of a compensation may name."""

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
_REMEMBERED = 2000
"""Templates up to this long are remembered, as many tasks say the same; scripts are not."""


def is_template(text: str) -> bool:
    """Tell whether there is anything in a text for Jinja to do."""
    return "{" in text and _MARKS.search(text) is not None


def template_findings(template: str, path: JsonPath, names: frozenset[str]) -> Iterator[Finding]:
    """Find what keeps Airflow from rendering a template.

    Args:
        template: The template.
        path: Where it stands.
        names: What the context gives it.
    """
    judge = _remembered if len(template) <= _REMEMBERED else _mistakes
    for mistake in judge(template, names):
        # A task may add names to the context in which its map index is rendered.
        if path[-1:] != ("map_index_template",) or mistake.kind != "name":
            yield _finding(mistake, path)


def _mistakes(template: str, names: frozenset[str]) -> tuple[Mistake, ...]:
    used = _PLAIN.findall(template)
    if len(used) == len(_MARKS.findall(template)) and names.issuperset(used):
        return ()
    from windlass.dagfactory.checks.templates import find_mistakes

    return find_mistakes(template, names)


_remembered = lru_cache(maxsize=10_000)(_mistakes)


def _finding(mistake: Mistake, path: JsonPath) -> Finding:
    if mistake.kind == "syntax":
        return Finding(Code.JINJA_SYNTAX, path, f"malformed template: {mistake.text}", inside=mistake.inside)
    name = mistake.text
    near = _GONE.get(name) if mistake.kind == "name" else None
    near = near or did_you_mean(name, sorted(mistake.known))
    message = f'templates have no {"name" if mistake.kind == "name" else mistake.kind} "{name}"'
    return Finding(Code.JINJA_NAME, path, message, near, inside=mistake.inside)

"""Does a task return what others are mapped over: if not, Airflow fails it once its work is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.checks.graph import Edge
from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.diagnostics import Code, Finding, json_path, value_at
from windlass.dagfactory.model import setting_origins

__all__ = ["check_outputs"]

_STANDARD = "airflow.providers.standard"
_NOTHING = frozenset(
    {
        "airflow.empty",
        "airflow.trigger_dag",
        "airflow.wait_for_dag",
        "airflow.wait_until",
        f"{_STANDARD}.operators.empty.EmptyOperator",
        f"{_STANDARD}.operators.trigger_dagrun.TriggerDagRunOperator",
        f"{_STANDARD}.sensors.date_time.DateTimeSensor",
        f"{_STANDARD}.sensors.date_time.DateTimeSensorAsync",
        f"{_STANDARD}.sensors.external_task.ExternalTaskSensor",
    }
)
"""Operators that return nothing, whatever they are given."""
_TEXT = frozenset({"airflow.bash", f"{_STANDARD}.operators.bash.BashOperator"})
"""Operators that return text; many of them, from a mapped task, are an array."""


def check_outputs(data: Mapping[str, Any], tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    """Check every `output_of`.

    Args:
        data: The config.
        tree: Its tasks and groups.
        edges: Their dependencies.
    """
    for edge in edges:
        if edge.key == "output_of" and edge.target is not None and not tree.nodes[edge.target].is_group:
            reason = _reason(data, tree.nodes[edge.target])
            if reason is not None:
                message, suggestion = reason
                yield Finding(Code.NO_OUTPUT, edge.path, message, suggestion)


def _reason(data: Mapping[str, Any], source: Node) -> tuple[str, str] | None:
    """Tell why nothing can be mapped over what a task returns, and what to do; None where that may do."""
    name, operator = source.node_id, str(source.entry.get("operator"))
    another = "name a task that returns an array or an object"
    if operator in _NOTHING:
        return f'"{name}" returns nothing to map over: it is {operator}', another
    if operator in _TEXT and not (source.entry.get("expand") or source.entry.get("expand_kwargs")):
        return f'"{name}" returns text, which nothing can be mapped over: it is {operator}', another
    pushes = setting_origins(data, source.path).get(("do_xcom_push",))
    if pushes is None or value_at(data, pushes) is not False:
        return None
    if pushes[: len(source.path)] == source.path:
        return f'"{name}" keeps nothing to map over: its do_xcom_push is false', "remove do_xcom_push there"
    message = f'"{name}" keeps nothing to map over: do_xcom_push is false at {json_path(pushes)}'
    return message, f'write "do_xcom_push": true in "{name}"'

"""Does a DAG wait for itself: a run that waits for its own end has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from windlass.dagfactory.checks.graph import Edge, downstream_of
from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath
from windlass.dagfactory.values import parse_duration

__all__ = ["check_self_waits"]

_STANDARD = "airflow.providers.standard"
_WAIT = ("airflow.wait_for_dag", f"{_STANDARD}.sensors.external_task.ExternalTaskSensor")
_TRIGGER = ("airflow.trigger_dag", f"{_STANDARD}.operators.trigger_dagrun.TriggerDagRunOperator")
_OF_THE_END = frozenset({"success", "failed", "skipped", "upstream_failed"})
_STATES = ("allowed_states", "failed_states", "skipped_states")


def check_self_waits(data: Mapping[str, Any], tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    """Check the tasks that wait for a DAG: not for the run, or a later task of the run, that they are in.

    Args:
        data: The config.
        tree: Its tasks and groups.
        edges: Their dependencies.
    """
    for node in tree.tasks():
        if node.entry.get("operator") in _WAIT:
            yield from _check_wait(_Arguments(data, node), tree, edges)
        elif node.entry.get("operator") in _TRIGGER:
            yield from _check_trigger(_Arguments(data, node), edges)


class _Arguments:
    """What a task that is not mapped is given."""

    def __init__(self, data: Mapping[str, Any], node: Node) -> None:
        self.data = data
        self.node = node
        self.mapped = bool(node.entry.get("expand") or node.entry.get("expand_kwargs"))

    def get(self, name: str) -> Any:
        return next((value for value, _ in self.node.values(self.data, name)), None)

    def path(self, name: str) -> JsonPath:
        return next(path for _, path in self.node.values(self.data, name))

    def texts(self, *names: str) -> Iterator[tuple[str, JsonPath]]:
        """List what parameters are given that take a text or several, each with its place."""
        for name in names:
            for value, path in self.node.values(self.data, name):
                for index, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
                    if each is not None:
                        yield str(each), path if index is None else (*path, index)

    def waits_for(self, name: str) -> bool:
        """Tell whether the task waits for the end of a run of its own DAG."""
        dag_id = self.get(name)
        if self.mapped or not isinstance(dag_id, str) or dag_id != self.data.get("dag_id"):
            return False
        states = [self.get(key) for key in _STATES]
        return all(_OF_THE_END.issuperset(map(str, given)) for given in states if isinstance(given, list))


def _check_wait(given: _Arguments, tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    if not given.waits_for("external_dag_id") or _is_offset(given.get("execution_delta")):
        return
    node = given.node
    named = list(given.texts("external_task_id", "external_task_ids", "external_task_group_id"))
    if not named:
        message = f'the task "{node.node_id}" waits for the end of the very run that it is in'
        advice = "wait for another DAG; for the run before, say execution_delta or depends_on_past"
        yield Finding(Code.SELF_WAIT, given.path("external_dag_id"), message, advice)
        return
    later = {node.node_id, *downstream_of(node.node_id, tree, edges)}
    for name, path in named:
        if name in tree.nodes and not later.isdisjoint(tree.members(name)):
            what = "itself" if name == node.node_id else f'"{name}", which comes after it or holds it,'
            message = f'the task "{node.node_id}" waits for {what} in the very run that it is in'
            advice = "for the run before, say execution_delta or depends_on_past"
            yield Finding(Code.SELF_WAIT, path, message, advice)


def _check_trigger(given: _Arguments, edges: list[Edge]) -> Iterator[Finding]:
    """Find a run that starts another like it and waits for that, with nothing that could stop the chain."""
    if given.get("wait_for_completion") is not True or not given.waits_for("trigger_dag_id"):
        return
    if given.get("skip_when_already_exists") not in (None, False):
        return
    node = given.node
    alone = given.data.get("max_active_runs") == 1
    if alone or (node.parent is None and all(edge.source != node.node_id for edge in edges)):
        message = f'the task "{node.node_id}" starts a run of its own DAG and waits for it'
        message += ", which begins when this one has ended" if alone else ", and each run does the same"
        advice = "leave wait_for_completion out, or start another DAG"
        yield Finding(Code.SELF_WAIT, given.path("trigger_dag_id"), message, advice)


def _is_offset(value: Any) -> bool:
    """Tell whether an `execution_delta` says another run; what cannot be read may."""
    try:
        return value is not None and bool(parse_duration(value))
    except PydanticCustomError:
        return True

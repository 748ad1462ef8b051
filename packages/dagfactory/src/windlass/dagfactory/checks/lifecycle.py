"""Do setups, teardowns and trigger rules go together: Airflow refuses some pairs, and others mean nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.checks.graph import Edge
from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, value_at
from windlass.dagfactory.model import setting_origins

__all__ = ["check_lifecycle"]

_DEFAULT = "all_success"
_TEARDOWN = "all_done_setup_success"


def check_lifecycle(data: Mapping[str, Any], tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    """Check setups, teardowns and the trigger rules around them.

    Args:
        data: The config.
        tree: Its tasks and groups.
        edges: Their dependencies.
    """
    setups = {node.node_id for node in tree.tasks() if node.entry.get("setup") is True}
    setups |= {edge.target for edge in edges if edge.key == "teardown" and edge.target is not None}
    for node in tree.tasks():
        if node.entry.get("teardown"):
            yield from _check_teardown(node, setups)
        elif data.get("fail_fast") is True:
            rule, path = _rule(data, node)
            if rule not in (_DEFAULT, _TEARDOWN):
                message = f'fail_fast allows only the trigger rule all_success; "{node.node_id}" has {rule}'
                yield Finding(
                    Code.TRIGGER_RULE, path, message, "remove trigger_rule here, or fail_fast from the DAG"
                )
    if setups:
        yield from _check_after_setups(data, tree, edges, setups)


def _check_teardown(node: Node, setups: set[str]) -> Iterator[Finding]:
    if node.node_id in setups:
        message = f'"{node.node_id}" is both a setup and a teardown'
        suggestion = "make it one of the two: split what it does into two tasks"
        yield Finding(Code.SETUP_TEARDOWN, (*node.path, "teardown"), message, suggestion, at="key")
    if node.entry.get("trigger_rule") not in (None, _TEARDOWN):
        message = (
            "the trigger rule of a teardown is Airflow's: once all before it is done, if a setup succeeded"
        )
        yield Finding(
            Code.SETUP_TEARDOWN, (*node.path, "trigger_rule"), message, "remove trigger_rule", at="key"
        )


def _check_after_setups(
    data: Mapping[str, Any], tree: Tree, edges: list[Edge], setups: set[str]
) -> Iterator[Finding]:
    after: dict[str, str] = {}
    ends: dict[str, list[str]] = {}
    for edge in edges:
        if edge.target is None:
            continue
        if edge.target not in ends:
            ends[edge.target] = _last_tasks(tree.nodes[edge.target], tree, edges, setups)
        last = ends[edge.target]
        for setup in [name for name in last if name in setups]:
            for node in _first_tasks(tree.nodes[edge.source], tree, edges):
                after.setdefault(node.node_id, setup)
        if not last and edge.key == "depends_on" and tree.nodes[edge.target].entry.get("tasks"):
            message = f'"{edge.name}" has only setups and teardowns, for which nothing waits'
            yield Finding(Code.GROUP_MISUSE, edge.path, message, "name the task to wait for")
    for node_id, setup in after.items():
        node = tree.nodes[node_id]
        rule, path = _rule(data, node)
        if rule != _DEFAULT and not node.entry.get("teardown"):
            message = f'"{node_id}" follows the setup "{setup}", after which only all_success is allowed'
            yield Finding(Code.TRIGGER_RULE, path, message, "remove trigger_rule, or put a task in between")


def _first_tasks(node: Node, tree: Tree, edges: list[Edge]) -> list[Node]:
    """List the tasks with which a task or group begins: itself, or those that wait for none inside."""
    if not node.is_group:
        return [node]
    inside = _inside(node, tree)
    waiting = {edge.source for edge in edges if edge.source in inside and edge.target in inside}
    first = (tree.nodes[name] for name, around in inside.items() if waiting.isdisjoint(around))
    return [found for found in first if not found.is_group]


def _last_tasks(node: Node, tree: Tree, edges: list[Edge], setups: set[str]) -> list[str]:
    """List the tasks with which a task or group ends, by Airflow's rule: never a teardown.

    A setup is among them only if not even its teardown follows inside.
    """
    if not node.is_group:
        return [node.node_id]
    inside = _inside(node, tree)
    awaited, torn_down = set[str | None](), set[str | None]()
    for edge in edges:
        if edge.source in inside:
            (torn_down if tree.nodes[edge.source].entry.get("teardown") else awaited).add(edge.target)
    return [
        name
        for name, around in inside.items()
        if not tree.nodes[name].is_group
        and not tree.nodes[name].entry.get("teardown")
        and awaited.isdisjoint(around)
        and not (name in setups and name in torn_down)
    ]


def _inside(group: Node, tree: Tree) -> dict[str, list[str]]:
    """List the tasks and groups in a group, each with the groups around it up to that one, itself first."""
    found: dict[str, list[str]] = {}
    for node in tree.nodes.values():
        around, parent = [node.node_id], node.parent
        while parent is not None and parent != group.node_id:
            around.append(parent)
            parent = tree.nodes[parent].parent
        if parent is not None:
            found[node.node_id] = around
    return found


def _rule(data: Mapping[str, Any], node: Node) -> tuple[Any, JsonPath]:
    """Tell a task's trigger rule with defaults, and where it stands."""
    path = setting_origins(data, node.path).get(("trigger_rule",))
    if path is None:
        return _DEFAULT, node.path
    return value_at(data, path), path

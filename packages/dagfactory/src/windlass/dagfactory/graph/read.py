"""From a config's data to tasks, groups and edges, as far as the data makes sense: mistakes are drawn too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from windlass.dagfactory.diagnostics import JsonPath, value_at
from windlass.dagfactory.model import setting_origins
from windlass.dagfactory.scope import Scope
from windlass.dagfactory.secrets import hide

__all__ = ["Edge", "Graph", "Node", "read_graph"]

Kind = Literal["task", "group", "missing"]
_DEFAULT_RULE, _OF_TEARDOWNS = "all_success", "all_done_setup_success"


@dataclass(frozen=True)
class Node:
    """A task, a group, or what a dependency names and is not there.

    Attributes:
        id: Airflow's id; unique in the graph.
        name: Its own name, without the groups'.
        kind: Which of the three.
        parent: Id of the group around it, or None.
        operator: As the config writes it; empty for a group.
        mapped: Whether it is expanded into many task instances.
        role: `setup`, `teardown` or empty.
        trigger_rule: Its trigger rule, or None for Airflow's default.
        tooltip: More about it, for those who hover.
        shown: The name that the UI shows instead of its own, or empty.
    """

    id: str
    name: str
    kind: Kind = "task"
    parent: str | None = None
    operator: str = ""
    mapped: bool = False
    role: str = ""
    trigger_rule: str | None = None
    tooltip: str = ""
    shown: str = ""


@dataclass(frozen=True)
class Edge:
    """What runs before what.

    Attributes:
        source: Id of the earlier node.
        target: Id of the later one.
        kind: `depends`, or `teardown` from a setup to its teardown.
    """

    source: str
    target: str
    kind: Literal["depends", "teardown"] = "depends"


@dataclass
class Graph:
    """A DAG to be drawn.

    Attributes:
        title: The DAG's id.
        subtitle: Its schedule, in words of the config.
        nodes: By id, in the config's order, groups before what is in them.
        edges: Each pair once.
        shown: The name that the UI shows instead of the id, or empty.
    """

    title: str
    subtitle: str = ""
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    shown: str = ""

    def inside(self, group: str | None) -> list[Node]:
        """List what is directly in a group, or at the top."""
        return [node for node in self.nodes.values() if node.parent == group]

    def as_dict(self) -> dict[str, Any]:
        """The graph as JSON output has it."""
        return {
            "dag_id": self.title,
            "display_name": self.shown or None,
            "nodes": [
                {
                    "id": node.id,
                    "display_name": node.shown or None,
                    "kind": node.kind,
                    "group": node.parent,
                    "operator": node.operator or None,
                    "mapped": node.mapped,
                    "role": node.role or None,
                    "trigger_rule": None if node.kind == "group" else node.trigger_rule or _DEFAULT_RULE,
                }
                for node in self.nodes.values()
            ],
            "edges": [{"from": edge.source, "to": edge.target, "kind": edge.kind} for edge in self.edges],
        }


def read_graph(data: Mapping[str, Any]) -> Graph:
    """Read a graph out of a config's data.

    Args:
        data: The config, maybe with mistakes: what is not understood is left out, a name that leads nowhere
            becomes a node of kind `missing`.
    """
    graph = Graph(str(data.get("dag_id") or "DAG"), _schedule(data.get("schedule")))
    graph.shown = _text(data.get("dag_display_name"))
    pending = _Pending(graph, data)
    _read_level(data.get("tasks"), ("tasks",), None, Scope(), pending)
    edges: dict[tuple[str, str], Edge] = {}
    for node, entry, scope in pending.entries:
        for name, kind in _upstream(entry):
            source = scope.find(name) or _missing(name, graph)
            if source != node.id:
                edges[source, node.id] = Edge(source, node.id, kind)
    graph.edges = list(edges.values())
    return _without_secrets(graph)


def _without_secrets(graph: Graph) -> Graph:
    """Leave out of all texts what looks like a secret; ids stay unique."""
    ids: dict[str | None, str | None] = {None: None}
    shown = Graph(hide(graph.title), hide(graph.subtitle), shown=hide(graph.shown))
    for node in graph.nodes.values():
        node_id = hide(node.id)
        while node_id in shown.nodes:
            node_id += "'"
        ids[node.id] = node_id
        shown.nodes[node_id] = replace(
            node,
            id=node_id,
            name=hide(node.name),
            shown=hide(node.shown),
            parent=ids[node.parent],
            operator=hide(node.operator),
            trigger_rule=node.trigger_rule and hide(node.trigger_rule),
            tooltip=hide(node.tooltip, prose=True),
        )
    shown.edges = [Edge(str(ids[edge.source]), str(ids[edge.target]), edge.kind) for edge in graph.edges]
    return shown


@dataclass
class _Pending:
    graph: Graph
    data: Mapping[str, Any]
    entries: list[tuple[Node, Mapping[str, Any], Scope]] = field(default_factory=list)


def _read_level(tasks: Any, path: JsonPath, parent: str | None, scope: Scope, pending: _Pending) -> None:
    if not isinstance(tasks, Mapping):
        return
    for name, entry in tasks.items():
        if not isinstance(entry, Mapping):
            continue
        node = _node(str(name), (*path, name), parent, scope.prefix, pending)
        scope.add(node.name, node.id)
        pending.graph.nodes[node.id] = node
        pending.entries.append((node, entry, scope))
        if node.kind == "group":
            inner = scope.inside(node.id, prefixed=entry.get("prefix_group_id") is not False)
            _read_level(entry["tasks"], (*path, name, "tasks"), node.id, inner, pending)


def _node(name: str, path: JsonPath, parent: str | None, prefix: str, pending: _Pending) -> Node:
    entry = value_at(pending.data, path)
    node_id = f"{prefix}{name}"
    while node_id in pending.graph.nodes:  # two tasks of one id are a mistake; both are drawn
        node_id += "'"
    if "tasks" in entry:
        shown = _text(entry.get("group_display_name"))
        return Node(node_id, name, "group", parent, tooltip=_text(entry.get("tooltip")), shown=shown)
    rule = _rule_of(pending.data, path)
    return Node(
        node_id,
        name,
        "task",
        parent,
        operator=_text(entry.get("operator")),
        mapped="expand" in entry or "expand_kwargs" in entry,
        role="setup" if entry.get("setup") is True else "teardown" if entry.get("teardown") else "",
        trigger_rule=rule if rule != _DEFAULT_RULE else None,
        tooltip=_text(entry.get("doc_md")),
        shown=_text(entry.get("task_display_name")),
    )


def _rule_of(data: Mapping[str, Any], path: JsonPath) -> str:
    """Tell which trigger rule holds for a task; a teardown's is Airflow's own, whatever defaults say."""
    if value_at(data, path).get("teardown") is not None:
        return _OF_TEARDOWNS
    source = setting_origins(data, path).get(("trigger_rule",))
    rule = None if source is None else value_at(data, source)
    return rule if isinstance(rule, str) else _DEFAULT_RULE


def _upstream(entry: Mapping[str, Any]) -> Iterator[tuple[str, Literal["depends", "teardown"]]]:
    """List what an entry names as running before it: dependencies, mapped inputs, setups."""
    for name in _strings(entry.get("depends_on")):
        yield name, "depends"
    expand = entry.get("expand")
    for value in [*(expand.values() if isinstance(expand, Mapping) else ()), entry.get("expand_kwargs")]:
        if isinstance(value, Mapping) and isinstance(value.get("output_of"), str):
            yield value["output_of"], "depends"
    teardown = entry.get("teardown")
    for name in _strings(teardown.get("setups") if isinstance(teardown, Mapping) else teardown):
        yield name, "teardown"


def _missing(name: str, graph: Graph) -> str:
    node_id = f"? {name}"
    graph.nodes.setdefault(node_id, Node(node_id, name, "missing", operator="not there"))
    return node_id


def _strings(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _schedule(value: Any) -> str:
    """Say a schedule in a few words."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return "no schedule"
    for key, word in (("any", "any of "), ("all", "all of ")):
        if isinstance(value.get(key), list):
            return word + ", ".join(_schedule(part) for part in value[key])
    for key, word in (("every", "every "), ("asset", ""), ("alias", ""), ("timetable", "")):
        if isinstance(value.get(key), str):
            return f"{word}{value[key].rpartition('.')[2] if key == 'timetable' else value[key]}"
    return "no schedule"

"""All tasks and groups of a config with their ids, and where settings of tasks stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from windlass.dagfactory.diagnostics import JsonPath, value_at
from windlass.dagfactory.model import setting_origins
from windlass.dagfactory.scope import Scope

__all__ = ["Node", "Tree"]


class Node(NamedTuple):
    """A task or a group.

    Attributes:
        node_id: Airflow's id.
        path: Where it stands in the config.
        entry: What the config says of it, wrong as it may be.
        scope: Where its names are looked up.
        parent: Id of the group around it, if there is one.
        is_group: Whether it is a group.
    """

    node_id: str
    path: JsonPath
    entry: Mapping[str, Any]
    scope: Scope
    parent: str | None
    is_group: bool

    def values(self, data: Mapping[str, Any], name: str) -> Iterator[tuple[Any, JsonPath]]:
        """List what a parameter of a task's operator is given: by defaults, args, or mapping, and where.

        Args:
            data: The config.
            name: The parameter.
        """
        path = setting_origins(data, self.path).get(("args", name))
        if path is not None:
            yield value_at(data, path), path
        expand, rows = self.entry.get("expand"), self.entry.get("expand_kwargs")
        listed = expand.get(name) if isinstance(expand, dict) else None
        for index, value in enumerate(listed if isinstance(listed, list) else ()):
            yield value, (*self.path, "expand", name, index)
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict) and name in row:
                yield row[name], (*self.path, "expand_kwargs", index, name)


@dataclass
class Tree:
    """All tasks and groups of a config, in its order.

    Attributes:
        nodes: Node by id; where two have one id, the first.
        repeated: Those whose id another one before them has.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    repeated: list[Node] = field(default_factory=list)

    @classmethod
    def of(cls, tasks: Any) -> Tree:
        """Read the `tasks` of a config, wrong as it may be."""
        tree = cls()
        if isinstance(tasks, dict):
            tree._add(tasks, Scope(), ("tasks",), None)
        return tree

    def _add(self, tasks: Mapping[str, Any], scope: Scope, path: JsonPath, parent: str | None) -> None:
        for name in tasks:
            scope.add(name, f"{scope.prefix}{name}")
        for name, value in tasks.items():
            entry = value if isinstance(value, dict) else {}
            inner = entry.get("tasks")
            node = Node(scope.ids[name], (*path, name), entry, scope, parent, "tasks" in entry)
            if node.node_id in self.nodes:
                self.repeated.append(node)
            else:
                self.nodes[node.node_id] = node
            if isinstance(inner, dict):
                below = scope.inside(node.node_id, prefixed=entry.get("prefix_group_id") is not False)
                self._add(inner, below, (*path, name, "tasks"), node.node_id)

    def settings(self, data: Mapping[str, Any]) -> Iterator[tuple[JsonPath, Mapping[str, Any]]]:
        """List where settings of tasks may stand: in defaults, in those of an operator, in each task.

        Args:
            data: The config.
        """
        defaults = data.get("defaults")
        if isinstance(defaults, dict):
            yield ("defaults",), defaults
            operators = defaults.get("operators")
            for name, value in operators.items() if isinstance(operators, dict) else ():
                if isinstance(value, dict):
                    yield ("defaults", "operators", name), value
        for node in self.tasks():
            yield node.path, node.entry

    def members(self, node_id: str) -> set[str]:
        """List the tasks of a group, of groups in it too; of a task itself."""
        inside, pending = set(), [node_id]
        while pending:
            outer = pending.pop()
            inside.add(outer)
            pending.extend(node.node_id for node in self.nodes.values() if node.parent == outer)
        return {name for name in inside if not self.nodes[name].is_group}

    def tasks(self) -> Iterator[Node]:
        """List the tasks, without groups."""
        return (node for node in self.nodes.values() if not node.is_group)

"""Which task a name means: tasks and groups with their ids, and the scopes names are looked up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from windlass.dagfactory.diagnostics import JsonPath

__all__ = ["Node", "Scope", "Tree"]


class Scope:
    """The names that one `tasks` object gives to ids.

    Args:
        parent: The scope around it.
    """

    __slots__ = ("all_ids", "ids", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.ids: dict[str, str] = {}
        self.parent = parent
        self.all_ids: set[str] = set() if parent is None else parent.all_ids

    def add(self, name: str, node_id: str) -> None:
        """Give a name to an id."""
        self.ids[name] = node_id
        self.all_ids.add(node_id)

    def find(self, name: str) -> str | None:
        """Find what a name means: a sibling, one of a group around it, or a full id; None for nothing."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ids:
                return scope.ids[name]
            scope = scope.parent
        return name if name in self.all_ids else None

    def names(self) -> list[str]:
        """List what could be written here, nearest first."""
        found: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            found.update(dict.fromkeys(scope.ids))
            scope = scope.parent
        found.update(dict.fromkeys(sorted(self.all_ids)))
        return list(found)


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
            tree._add(tasks, Scope(), ("tasks",), "", None)
        return tree

    def _add(
        self, tasks: Mapping[str, Any], scope: Scope, path: JsonPath, prefix: str, parent: str | None
    ) -> None:
        for name in tasks:
            scope.add(name, f"{prefix}{name}")
        for name, value in tasks.items():
            entry = value if isinstance(value, dict) else {}
            inner = entry.get("tasks")
            node = Node(f"{prefix}{name}", (*path, name), entry, scope, parent, "tasks" in entry)
            if node.node_id in self.nodes:
                self.repeated.append(node)
            else:
                self.nodes[node.node_id] = node
            if isinstance(inner, dict):
                below = "" if entry.get("prefix_group_id") is False else f"{node.node_id}."
                self._add(inner, Scope(scope), (*path, name, "tasks"), below, node.node_id)

    def tasks(self) -> Iterator[Node]:
        """List the tasks, without groups."""
        return (node for node in self.nodes.values() if not node.is_group)

"""Groups, and what runs before what: the names of a config resolved to tasks and groups of a DAG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from windlass.dagfactory.build.tasks import Planned
from windlass.dagfactory.diagnostics import JsonPath
from windlass.dagfactory.model import DagConfig, GroupConfig, TaskConfig, TeardownConfig
from windlass.dagfactory.scope import Scope

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["Plan"]


class Plan:
    """The tasks of a config in its order, its groups made, and their dependencies by id.

    Attributes:
        tasks: What is to be constructed, by id.
        groups: Groups by id.
    """

    def __init__(self, dag: DAG, config: DagConfig) -> None:
        self.tasks: dict[str, Planned] = {}
        self.groups: dict[str, TaskGroup] = {}
        self._dag = dag
        self._scopes: dict[str, Scope] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._upstream: list[tuple[str, list[str]]] = []
        self._add(config.tasks, Scope(), ("tasks",), None, ())

    def _add(
        self,
        entries: Mapping[str, TaskConfig | GroupConfig],
        scope: Scope,
        path: JsonPath,
        group: TaskGroup | None,
        chain: tuple[str, ...],
    ) -> None:
        for name in entries:
            scope.add(name, f"{scope.prefix}{name}")
        for name, entry in entries.items():
            node_id = scope.ids[name]
            self._scopes[node_id], self._chains[node_id] = scope, chain
            if entry.depends_on:
                self._upstream.append((node_id, entry.depends_on))
            if isinstance(entry, TaskConfig):
                self.tasks[node_id] = Planned(name, entry, (*path, name), group)
                continue
            made = self._group(name, entry, group)
            self.groups[node_id] = made
            inner = scope.inside(node_id, prefixed=entry.prefix_group_id)
            self._add(entry.tasks, inner, (*path, name, "tasks"), made, (*chain, node_id))

    def _group(self, name: str, entry: GroupConfig, parent: TaskGroup | None) -> TaskGroup:
        return TaskGroup(
            group_id=name,
            dag=self._dag,
            parent_group=parent or self._dag.task_group,
            prefix_group_id=entry.prefix_group_id,
            tooltip=entry.tooltip or "",
            group_display_name=entry.group_display_name or "",
        )

    def wire(self, tasks: Mapping[str, Any]) -> None:
        """Set up setups, teardowns and all dependencies.

        Args:
            tasks: The constructed tasks, by id.
        """
        self._mark(tasks)
        if not self.groups:
            # What set_upstream comes to between two tasks of one DAG, without looking that up for each: 4 %.
            for node_id, names in self._upstream:
                tasks[node_id].upstream_task_ids.update(names)
                for name in names:
                    tasks[name].downstream_task_ids.add(node_id)
            return
        nodes = {**tasks, **self.groups}
        pairs = [(node_id, self._find(node_id, name)) for node_id, names in self._upstream for name in names]
        # A group is wired by the tasks it begins and ends with, which depends on what is wired inside.
        for source, target in sorted(pairs, key=self._shared, reverse=True):
            nodes[source].set_upstream(nodes[target])

    def _mark(self, tasks: Mapping[str, Any]) -> None:
        for node_id, planned in self.tasks.items():
            config = planned.config
            if config.setup:
                tasks[node_id].as_setup()
            if config.teardown is not None:
                names, fails = _teardown(config.teardown)
                tasks[node_id].as_teardown(
                    setups=[tasks[self._find(node_id, name)] for name in names],
                    on_failure_fail_dagrun=fails,
                )

    def _find(self, node_id: str, name: str) -> str:
        found = self._scopes[node_id].find(name)
        assert found is not None, f"unchecked name {name}"
        return found

    def _shared(self, pair: tuple[str, str]) -> int:
        """Count the groups that two nodes are both in."""
        count = 0
        for one, other in zip(self._chains[pair[0]], self._chains[pair[1]], strict=False):
            if one != other:
                break
            count += 1
        return count


def _teardown(teardown: list[str] | TeardownConfig) -> tuple[list[str], bool]:
    """Tell a teardown's setups, and whether its failure is the run's."""
    if isinstance(teardown, TeardownConfig):
        return teardown.setups, teardown.on_failure_fail_dagrun
    return teardown, False

"""The tasks of a config in one line, however deep groups nest, under the ids that Airflow gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from windlass.dagfactory.diagnostics import JsonPath
from windlass.dagfactory.model.dag import DagConfig
from windlass.dagfactory.model.task import GroupConfig, TaskConfig
from windlass.dagfactory.scope import Scope

__all__ = ["FoundTask", "walk_tasks"]


@dataclass(frozen=True)
class FoundTask:
    """A task of a config.

    Attributes:
        task_id: Airflow's id, with the ids of the groups around it.
        task: What the config says of it.
        path: Where it stands in the config.
    """

    task_id: str
    task: TaskConfig
    path: JsonPath


def walk_tasks(config: DagConfig) -> Iterator[FoundTask]:
    """List all tasks in the order of the config, those of groups where the group stands."""
    return _walk(config.tasks, Scope(), ("tasks",))


def _walk(
    entries: Mapping[str, TaskConfig | GroupConfig], scope: Scope, path: JsonPath
) -> Iterator[FoundTask]:
    for name, entry in entries.items():
        node_id = f"{scope.prefix}{name}"
        if isinstance(entry, GroupConfig):
            inner = scope.inside(node_id, prefixed=entry.prefix_group_id)
            yield from _walk(entry.tasks, inner, (*path, name, "tasks"))
        else:
            yield FoundTask(node_id, entry, (*path, name))

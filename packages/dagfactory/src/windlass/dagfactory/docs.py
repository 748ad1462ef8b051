"""The DAG's documentation when its config has none: its description and a table of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

from windlass.dagfactory.model import DagConfig, GroupConfig, OutputOf, TaskConfig
from windlass.dagfactory.scope import Scope

__all__ = ["default_doc"]


def default_doc(config: DagConfig) -> str:
    """Write the description and a table of the tasks in running order, the same for any order of keys."""
    rows = [f"{config.description}\n\n" if config.description else ""]
    rows.append("| Task | Operator | After |\n|---|---|---|\n")
    table = _Table()
    table.add(config.tasks, Scope(), ())
    for task_id in table.in_order():
        after = ", ".join(f"`{name}`" for name in sorted(table.after[task_id]))
        rows.append(f"| `{task_id}` | `{_cell(table.operators[task_id])}` | {after} |\n")
    return "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|") if "|" in text else text


class _Table:
    """Operators and dependencies by task id, and the tasks of each group.

    Attributes:
        operators: Operator by task.
        after: What each task names itself, and what the groups around it name, by id.
    """

    def __init__(self) -> None:
        self.operators: dict[str, str] = {}
        self.after: dict[str, set[str]] = {}
        self._inside: dict[str, list[str]] = {}

    def add(
        self,
        entries: Mapping[str, TaskConfig | GroupConfig],
        scope: Scope,
        groups: tuple[tuple[str, set[str]], ...],
    ) -> None:
        for name in entries:
            scope.add(name, f"{scope.prefix}{name}")
        for name, entry in entries.items():
            node_id = scope.ids[name]
            after = {scope.find(named) or named for named in _named(entry)}
            if isinstance(entry, TaskConfig):
                self.operators[node_id] = entry.operator
                self.after[node_id] = after.union(*(names for _, names in groups))
                for group, _ in groups:
                    self._inside[group].append(node_id)
                continue
            self._inside[node_id] = []
            inner = scope.inside(node_id, prefixed=entry.prefix_group_id)
            self.add(entry.tasks, inner, (*groups, (node_id, after)))

    def in_order(self) -> list[str]:
        """Sort tasks by how many steps lie before them, then by name."""
        levels: dict[str, int] = {}
        pending = list(self.operators)
        while pending:
            task_id = pending[-1]
            upstream = [task for name in self.after[task_id] for task in self._inside.get(name, (name,))]
            missing = [name for name in upstream if name not in levels]
            if missing:
                pending.extend(missing)
                continue
            levels[task_id] = 1 + max((levels[name] for name in upstream), default=-1)
            pending.pop()
        return sorted(levels, key=lambda task_id: (levels[task_id], task_id))


def _named(entry: TaskConfig | GroupConfig) -> list[str]:
    """List what an entry says that it comes after."""
    if isinstance(entry, GroupConfig) or not (entry.expand or entry.expand_kwargs or entry.teardown):
        return entry.depends_on
    outputs = [*(entry.expand or {}).values(), entry.expand_kwargs]
    names = [*entry.depends_on, *(value.output_of for value in outputs if isinstance(value, OutputOf))]
    teardown = entry.teardown
    return names + (teardown if isinstance(teardown, list) else teardown.setups if teardown else [])

"""The DAG's documentation when its config has none: its description and a table of its tasks."""

from __future__ import annotations

from windlass.dagfactory.model import DagConfig

__all__ = ["default_doc"]


def default_doc(config: DagConfig) -> str:
    """Write the description and a table of the tasks in running order, the same for any order of keys."""
    rows = [f"{config.description}\n\n" if config.description else ""]
    rows.append("| Task | Operator | After |\n|---|---|---|\n")
    for task_id in _in_order(config):
        task = config.tasks[task_id]
        after = ", ".join(f"`{name}`" for name in sorted(task.depends_on))
        rows.append(f"| `{task_id}` | `{_cell(task.operator)}` | {after} |\n")
    return "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|") if "|" in text else text


def _in_order(config: DagConfig) -> list[str]:
    """Sort tasks by how many steps lie before them, then by name."""
    levels: dict[str, int] = {}
    pending = list(config.tasks)
    while pending:
        task_id = pending[-1]
        upstream = config.tasks[task_id].depends_on
        missing = [name for name in upstream if name not in levels]
        if missing:
            pending.extend(missing)
            continue
        levels[task_id] = 1 + max((levels[name] for name in upstream), default=-1)
        pending.pop()
    return sorted(levels, key=lambda task_id: (levels[task_id], task_id))

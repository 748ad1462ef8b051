"""Do the dependencies make a graph that can run: every name known, no task waiting for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding, did_you_mean

__all__ = ["check_graph"]


def check_graph(tasks: Mapping[str, Any]) -> Iterator[Finding]:
    """Check `depends_on` of all tasks."""
    upstream: dict[str, list[str]] = {}
    for task_id, task in tasks.items():
        names = task.get("depends_on") if isinstance(task, dict) else None
        known: dict[str, None] = {}
        for index, name in enumerate(names if isinstance(names, list) else ()):
            path = ("tasks", task_id, "depends_on", index)
            if not isinstance(name, str):
                continue  # the model has reported it
            if name in known:
                yield Finding(Code.REPEATED_DEPENDENCY, path, f'"{name}" is listed twice')
            elif name in tasks:
                known[name] = None
            else:
                message = f'the task "{task_id}" depends on "{name}", which is not there'
                yield Finding(Code.UNKNOWN_DEPENDENCY, path, message, did_you_mean(name, list(tasks)))
        upstream[task_id] = list(known)
    for cycle in _cycles(upstream):
        yield _cycle_finding(cycle, tasks)


def _cycles(upstream: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Find one cycle in every knot of tasks, each beginning with the task that the file names first."""
    order = {task_id: index for index, task_id in enumerate(upstream)}
    done: set[str] = set()
    for start in upstream:
        if start in done:
            continue
        trail: list[str] = [start]
        on_trail = {start}
        pending = [iter(upstream[start])]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                left = trail.pop()
                on_trail.discard(left)
                done.add(left)
            elif following in on_trail:
                cycle = trail[trail.index(following) :]
                first = min(range(len(cycle)), key=lambda at: order[cycle[at]])
                yield cycle[first:] + cycle[:first]
            elif following not in done:
                trail.append(following)
                on_trail.add(following)
                pending.append(iter(upstream[following]))


def _cycle_finding(cycle: list[str], tasks: Mapping[str, Any]) -> Finding:
    first, waits_for = cycle[0], cycle[1 % len(cycle)]
    shown = " → ".join([*cycle, first])
    message = (
        f"a task cannot depend on itself: {shown}"
        if len(cycle) == 1
        else f"tasks wait for each other: {shown}"
    )
    index = tasks[first]["depends_on"].index(waits_for)
    return Finding(Code.CYCLE, ("tasks", first, "depends_on", index), f"{message} (→ reads: depends on)")

"""Does every retry say how often: a delay alone would silently mean one attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding

__all__ = ["check_retries"]


def check_retries(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that `attempts` stands in each retry, or in the defaults that it adds to."""
    defaults = data.get("defaults")
    default = defaults.get("retry") if isinstance(defaults, dict) else None
    if _lacks_attempts(default):
        yield _missing(("defaults", "retry"))
        return
    if isinstance(default, dict):
        return
    tasks = data.get("tasks")
    for task_id, task in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(task, dict) and _lacks_attempts(task.get("retry")):
            yield _missing(("tasks", task_id, "retry"))


def _lacks_attempts(retry: Any) -> bool:
    return isinstance(retry, dict) and "attempts" not in retry


def _missing(path: tuple[str, ...]) -> Finding:
    message = 'the key "attempts" is missing'
    return Finding(Code.MISSING_KEY, path, message, 'add "attempts": how often to try in all', at="key")

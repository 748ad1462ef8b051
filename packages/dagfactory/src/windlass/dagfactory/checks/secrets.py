"""Does the config hold a secret: all who see the DAG read it, and version control keeps it for good."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath

__all__ = ["check_secrets"]

_KEY = re.compile(
    r"(?:\A|[_-])(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)\Z",
    re.IGNORECASE,
)
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:]{0,250}:(?!\{\{|\$\{)[^\s/@]{1,1000}@", re.IGNORECASE)
_TEMPLATE = re.compile(r"\A\s*(?:\{\{.*\}\}|\$\{\w+\})\s*\Z", re.DOTALL)


def check_secrets(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Look for literals under keys that name secrets, and for URLs with a password, in args and params."""
    yield from _walk(data.get("params"), ("params",))
    tasks = data.get("tasks")
    for task_id, task in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(task, dict):
            yield from _walk(task.get("args"), ("tasks", task_id, "args"))


def _walk(value: Any, path: JsonPath) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, index))
    elif isinstance(value, str):
        yield from _check_text(value, path)


def _check_text(value: str, path: JsonPath) -> Iterator[Finding]:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if value and _KEY.search(_WORD_BREAK.sub("_", key)) and not _TEMPLATE.match(value):
        yield Finding(Code.SECRET_VALUE, path, f'the value of "{key}" looks like a secret')
    elif "://" in value and _URL.search(value):
        yield Finding(Code.SECRET_IN_URL, path, f'"{key}" holds a URL with a password')

"""Does every retry say how often, and only after what can be raised: else it silently means one attempt."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.checks.exceptions import missing_exception
from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.model import setting_origins

__all__ = ["check_retries"]

_EXCEPTIONS = [
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
]
_NEAR = 0.8
"""How like each other names have to be: they all end in Error, and those of packages do too."""
_BY_PATH = "write its import path, as in package.module.Error"


def check_retries(data: Mapping[str, Any], tree: Tree) -> Iterator[Finding]:
    """Check that `attempts` stands in each retry, or in the defaults that it adds to, and the exceptions.

    Args:
        data: The config.
        tree: Its tasks and groups.
    """
    lacking: dict[JsonPath, None] = {}
    told = dict(_retries(data, tree))
    for path, retry in told.items():
        if "on" in retry or "never_on" in retry:
            yield from _check_exceptions(retry, path)
    if told and not all(_tells_attempts(retry) for retry in told.values()):
        lacking = _lacking(data, tree)
    for path in lacking:
        message = 'the key "attempts" is missing'
        yield Finding(Code.MISSING_KEY, path, message, 'add "attempts": how often to try in all', at="key")


def _tells_attempts(retry: Mapping[str, Any]) -> bool:
    return retry.get("attempts") is not None


def _lacking(data: Mapping[str, Any], tree: Tree) -> dict[JsonPath, None]:
    """Find the retries to which nothing adds how often."""
    defaults = data.get("defaults")
    default = defaults.get("retry") if isinstance(defaults, dict) else None
    if isinstance(default, dict) and not _tells_attempts(default):
        return {("defaults", "retry"): None}
    lacking: dict[JsonPath, None] = {}
    for node in tree.tasks():
        origins = {key: path for key, path in setting_origins(data, node.path).items() if key[0] == "retry"}
        if origins and ("retry",) not in origins and ("retry", "attempts") not in origins:
            last = max(origins.values(), key=lambda path: (path[0] == "tasks", len(path)))
            lacking[last[:-1]] = None
        elif not origins and isinstance(node.entry.get("retry"), dict):  # it says nothing, or takes all back
            lacking[*node.path, "retry"] = None
    return lacking


def _retries(data: Mapping[str, Any], tree: Tree) -> Iterator[tuple[JsonPath, Mapping[str, Any]]]:
    for path, value in tree.settings(data):
        retry = value.get("retry")
        if isinstance(retry, dict):
            yield (*path, "retry"), retry


def _check_exceptions(retry: Mapping[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Check names of Python's own exceptions, and import paths as far as source text tells."""
    for key in ("on", "never_on"):
        names = retry.get(key)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            bare = name.removeprefix("builtins.")
            if "." not in bare and bare.isidentifier() and bare not in _EXCEPTIONS:
                message = f'Python has no exception "{bare}"'
                near = did_you_mean(bare, _EXCEPTIONS, _NEAR) or _BY_PATH
                yield Finding(Code.RETRY_EXCEPTION, (*path, key, index), message, near)
            elif "." in bare and (missing := missing_exception(bare)):
                near = missing[1] or "correct the import path"
                yield Finding(Code.RETRY_EXCEPTION, (*path, key, index), missing[0], near)
            elif key == "on" and name in (retry.get("never_on") or ()):
                message = f'"{name}" is under never_on too, which goes first'
                yield Finding(Code.RETRY_EXCEPTION, (*path, key, index), message, "remove one of the two")

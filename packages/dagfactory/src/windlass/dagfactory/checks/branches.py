"""Does a branch choose among what comes after it: where ids are written out, that is known before a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.checks.context import is_template
from windlass.dagfactory.checks.graph import Edge, downstream_of
from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.operators.expressions import as_ids

__all__ = ["check_branches"]

_BRANCH = "airflow.branch"


def check_branches(data: Mapping[str, Any], tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    """Check what `airflow.branch` chooses, as far as no template says it.

    Args:
        data: The config.
        tree: Its tasks and groups.
        edges: Their dependencies.
    """
    for node in tree.tasks():
        if node.entry.get("operator") == _BRANCH:
            named = [found for value, path in node.values(data, "choose") for found in _named(value, path)]
            if named:
                after = downstream_of(node.node_id, tree, edges)
                for name, path in named:
                    yield from _check(node, name, path, tree, after)


def _named(value: Any, path: JsonPath) -> Iterator[tuple[str | ValueError, JsonPath]]:
    """List the ids that are written out, or what is wrong with them, each with its place."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, str) and not is_template(each):
                yield each.strip(), (*path, index)
    elif isinstance(value, str) and not is_template(value):
        try:
            yield from ((name, path) for name in as_ids(value) or ())
        except ValueError as error:
            yield error, path


def _check(
    node: Node, name: str | ValueError, path: JsonPath, tree: Tree, after: set[str]
) -> Iterator[Finding]:
    if isinstance(name, ValueError):
        yield Finding(Code.BRANCH, path, f'"choose": {name}', "write a task id, or an array of them")
        return
    found = node.scope.find(name)
    if found is None:
        message = f'the task "{node.node_id}" chooses "{name}", which is not there'
        near = did_you_mean(name, sorted(after)) or did_you_mean(name, node.scope.names())
        yield Finding(Code.BRANCH, path, message, near or _choices(after))
    elif after.isdisjoint(tree.members(found)):
        message = f'the task "{node.node_id}" chooses "{name}", which does not come after it'
        yield Finding(Code.BRANCH, path, message, f'let "{name}" depend on it, or {_choices(after)}')


def _choices(after: set[str]) -> str:
    names = ", ".join(f'"{name}"' for name in sorted(after)[:10])
    return (
        f"choose among what comes after it: {names}" if names else "let the tasks to choose from depend on it"
    )

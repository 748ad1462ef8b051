"""Do dependencies make a graph that can run: names known, ids once, nothing waiting for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean

__all__ = ["Edge", "check_graph", "downstream_of", "edges_of"]

_IN, _OUT = "\0in", "\0out"


class Edge(NamedTuple):
    """A dependency that a config states.

    Attributes:
        source: Id of the task or group that waits.
        target: Id of the one waited for; None if there is none of that name.
        name: That one as the config names it.
        path: Where it says so.
        key: Under which key: `depends_on`, `output_of` or `teardown`.
    """

    source: str
    target: str | None
    name: str
    path: JsonPath
    key: str


def edges_of(tree: Tree) -> list[Edge]:
    """List the dependencies of a config, those on what is not there too."""
    return [
        Edge(node.node_id, node.scope.find(name), name, path, key)
        for node in tree.nodes.values()
        for key, name, path in _references(node)
    ]


def check_graph(tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    """Check ids and dependencies of all tasks and groups.

    Args:
        tree: The tasks and groups.
        edges: Their dependencies.
    """
    for node in tree.repeated:
        first = ".".join(str(part) for part in tree.nodes[node.node_id].path if part != "tasks")
        message = f'the id "{node.node_id}" is taken by {first}'
        suggestion = "rename it, or leave prefix_group_id of its group true"
        yield Finding(Code.DUPLICATE_TASK_ID, node.path, message, suggestion, at="key")
    seen: set[tuple[str, str]] = set()
    for edge in edges:
        yield from _check_edge(edge, tree, seen)
    yield from _check_cycles(tree, edges)


def _references(node: Node) -> Iterator[tuple[str, str, JsonPath]]:
    """List what a node names: under which key, the name, and where."""
    entry = node.entry
    if "depends_on" in entry:
        yield from _listed("depends_on", entry["depends_on"], (*node.path, "depends_on"))
    if node.is_group:
        return
    if "teardown" in entry:
        teardown = entry["teardown"]
        if isinstance(teardown, dict):
            yield from _listed("teardown", teardown.get("setups"), (*node.path, "teardown", "setups"))
        else:
            yield from _listed("teardown", teardown, (*node.path, "teardown"))
    expand = entry.get("expand")
    outputs: list[tuple[JsonPath, Any]] = [(("expand_kwargs",), entry.get("expand_kwargs"))]
    if isinstance(expand, dict):
        outputs += [(("expand", name), value) for name, value in expand.items()]
    for place, value in outputs:
        output = value.get("output_of") if isinstance(value, dict) else None
        if isinstance(output, str):
            yield "output_of", output, (*node.path, *place, "output_of")


def _listed(key: str, names: Any, path: JsonPath) -> Iterator[tuple[str, str, JsonPath]]:
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str):  # else the model has reported it
            yield key, name, (*path, index)


_SAID = {"depends_on": "depends on", "output_of": "takes the output of", "teardown": "cleans up after"}


def _check_edge(edge: Edge, tree: Tree, seen: set[tuple[str, str]]) -> Iterator[Finding]:
    key, name, target = edge.key, edge.name, edge.target
    if target is None:
        node = tree.nodes[edge.source]
        what = "group" if node.is_group else "task"
        message = f'the {what} "{edge.source}" {_SAID[key]} "{name}", which is not there'
        inside = [node_id for node_id in tree.nodes if node_id.endswith(f".{name}")]
        near = f'did you mean "{inside[0]}"?' if len(inside) == 1 else did_you_mean(name, node.scope.names())
        yield Finding(Code.UNKNOWN_DEPENDENCY, edge.path, message, near)
    elif key != "depends_on":
        if tree.nodes[target].is_group:
            message = f'"{name}" is a group, and a task {_SAID[key]} a single task'
            inside = [f'"{other.node_id}"' for other in tree.tasks() if other.parent == target]
            suggestion = f"name one of its tasks: {', '.join(inside)}" if inside else None
            yield Finding(Code.GROUP_MISUSE, edge.path, message, suggestion)
    elif (edge.source, target) in seen:
        yield Finding(Code.REPEATED_DEPENDENCY, edge.path, f'"{name}" is listed twice')
    else:
        seen.add((edge.source, target))


def downstream_of(node_id: str, tree: Tree, edges: list[Edge]) -> set[str]:
    """List the tasks that come after a task, at however many steps.

    Args:
        node_id: The task.
        tree: The tasks and groups.
        edges: Their dependencies.
    """
    after: dict[str, list[str]] = {}
    for name, before in _upstream(tree, edges)[0].items():
        for each in before:
            after.setdefault(each, []).append(name)
    found: set[str] = set()
    pending = [node_id]
    while pending:
        fresh = set(after.get(pending.pop(), ())) - found
        found |= fresh
        pending.extend(fresh)
    return {name for name in found if name in tree.nodes}


def _check_cycles(tree: Tree, edges: list[Edge]) -> Iterator[Finding]:
    upstream, places = _upstream(tree, edges)
    order = {name: index for index, name in enumerate(upstream)}
    found = [_through_groups(cycle) for cycle in _cycles(upstream)]
    told: list[set[tuple[str, str]]] = []
    for cycle in sorted(found, key=len):
        stated = {step for step in _steps(cycle) if step in places}
        if not any(other <= stated for other in told):  # else whatever mends the other mends this one too
            told.append(stated)
            yield _cycle_finding(cycle, places, order)


def _steps(cycle: list[str]) -> Iterator[tuple[str, str]]:
    return ((name, cycle[(at + 1) % len(cycle)]) for at, name in enumerate(cycle))


def _through_groups(cycle: list[str]) -> list[str]:
    """Leave out what is inside a group that a cycle leads through: its end waits for its begin."""
    for end in [name for name in cycle if name.endswith(_OUT)]:
        begin = end.removesuffix(_OUT) + _IN
        if end in cycle and begin in cycle:
            at = cycle.index(end)
            turned = cycle[at:] + cycle[:at]
            cycle = [end, *turned[turned.index(begin) :]]
    return cycle


def _upstream(tree: Tree, edges: list[Edge]) -> tuple[dict[str, list[str]], dict[tuple[str, str], JsonPath]]:
    """Tell what each task waits for: a group begins after what it depends on, and ends with its last task.

    Returns:
        What comes before each task, and before each group's begin and end; and where each of it is stated.
    """
    grouped = any(node.is_group for node in tree.nodes.values())
    upstream: dict[str, list[str]] = {}
    for node in tree.nodes.values():
        if node.is_group:
            upstream[node.node_id + _IN] = [] if node.parent is None else [node.parent + _IN]
            upstream[node.node_id + _OUT] = []
        else:
            upstream[node.node_id] = [] if node.parent is None else [node.parent + _IN]
    if grouped:
        for node in tree.nodes.values():
            if node.parent is not None and not node.entry.get("teardown"):  # nothing waits for teardowns
                upstream[node.parent + _OUT].append(node.node_id + (_OUT if node.is_group else ""))
    places: dict[tuple[str, str], JsonPath] = {}
    for edge in edges:
        if edge.target is None:
            continue
        source, target = edge.source, edge.target
        if grouped:
            source += _IN if tree.nodes[source].is_group else ""
            target += _OUT if tree.nodes[target].is_group else ""
        if (source, target) not in places:
            places[source, target] = edge.path
            upstream[source].append(target)
    return upstream, places


def _cycles(upstream: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Find one cycle in every knot of tasks."""
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
                yield trail[trail.index(following) :]
            elif following not in done:
                trail.append(following)
                on_trail.add(following)
                pending.append(iter(upstream[following]))


def _cycle_finding(
    cycle: list[str], places: Mapping[tuple[str, str], JsonPath], order: Mapping[str, int]
) -> Finding:
    """Name a cycle from the dependency in it that the file states first."""
    size = len(cycle)
    stated = [at for at in range(size) if (cycle[at], cycle[(at + 1) % size]) in places]
    first = min(stated, key=lambda at: order[cycle[at]])
    turned = cycle[first:] + cycle[:first]
    told = [
        name
        for at, name in enumerate(turned)
        if (turned[at - 1], name) in places or (name, turned[(at + 1) % size]) in places
    ]
    names = [name.partition("\0")[0] for name in told]
    shown = [name for index, name in enumerate(names) if index == 0 or name != names[index - 1]]
    if len(shown) > 1 and shown[-1] == shown[0]:
        shown.pop()
    written = " → ".join([*shown, shown[0]])
    message = (
        f"a task cannot depend on itself: {written}"
        if len(shown) == 1
        else f"tasks wait for each other: {written}"
    )
    return Finding(Code.CYCLE, places[turned[0], turned[1 % size]], f"{message} (→ reads: depends on)")

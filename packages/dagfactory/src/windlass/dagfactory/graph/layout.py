"""Where everything is drawn: groups are laid out inside first, and edges pass their borders through ports."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from windlass.dagfactory.graph.layers import Item, Key, Link, arrange_columns
from windlass.dagfactory.graph.read import Edge, Graph, Node

__all__ = ["Box", "Layout", "Point", "Wire", "caption", "heading", "lay_out", "shorten", "text_width"]

Point = tuple[float, float]

_TASK_HEIGHT = 46.0
_NARROWEST, _WIDEST = 110.0, 360.0
_GAP, _BETWEEN = 16.0, 54.0
_PAD, _HEADER = 16.0, 28.0
_CROWD, _LEAST_TEXT = 10, 2


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """An edge and the points it goes through, from left to right."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass
class Layout:
    """A drawing: its size, the box of every node by id, and the wires."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Box] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)


@dataclass
class _Area:
    """The inside of a group, in coordinates of its own."""

    width: float
    height: float
    at: dict[str, Point]
    ports: dict[Key, float]
    borders: list[tuple[float, float]]
    pieces: dict[tuple[Edge, str], list[Point]]


def text_width(text: str, size: float = 13.0) -> float:
    """Estimate how wide a text is in a common sans-serif face, rather too wide than too narrow."""
    return sum(_share(char) for char in text) * size


def _share(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in "ijlrtfI.,:;|'()[] ":
        return 0.41
    if char in "mwMW@%":
        return 1.0 if char in "mW@%" else 0.87
    return 0.8 if char.isupper() else 0.64


def shorten(text: str, width: float, size: float = 13.0) -> str:
    """Cut the middle out of a text that is wider than there is room."""
    if text_width(text, size) <= width:
        return text
    return next(
        (
            cut
            for keep in range(len(text) - 1, _LEAST_TEXT, -1)
            if text_width(cut := f"{text[: keep - keep // 2]}…{text[-(keep // 2) :]}", size) <= width
        ),
        f"{text[:_LEAST_TEXT]}…",
    )


def heading(node: Node) -> str:
    """Write a task's name as it is drawn: a mapped one with brackets, as Airflow shows it."""
    name = node.shown or node.name
    return f"{name} [ ]" if node.mapped else name


def caption(node: Node) -> str:
    """Write what stands below a task's name: the operator, and what is not usual about the task."""
    operator = node.operator.rpartition(".")[2] if _is_class(node.operator) else node.operator
    rule = None if node.role == "teardown" else node.trigger_rule  # of which there is one only
    return " · ".join(part for part in (operator, node.role, rule) if part)


def _is_class(operator: str) -> bool:
    return operator.rpartition(".")[2][:1].isupper()


def lay_out(graph: Graph) -> Layout:
    """Place all nodes and edges of a graph."""
    plan = _Plan(graph)
    area = plan.area(None)
    layout = Layout(area.width, area.height)
    _place(None, (0.0, 0.0), plan, layout)
    origins = {node_id: (box.x, box.y) for node_id, box in layout.boxes.items()}
    for edge, levels in plan.ways.items():
        points: list[Point] = []
        for level in levels:
            x, y = origins.get(level, (0.0, 0.0)) if level else (0.0, 0.0)
            piece = plan.areas[level].pieces.get((edge, level or ""), [])
            points += [(x + px, y + py) for px, py in piece]
        layout.wires.append(Wire(edge, tuple(points)))
    return layout


def _place(group: str | None, origin: Point, plan: _Plan, layout: Layout) -> None:
    for node_id, (x, y) in plan.areas[group].at.items():
        here = (origin[0] + x, origin[1] + y)
        layout.boxes[node_id] = Box(*here, *plan.sizes[node_id])
        if node_id in plan.areas:
            _place(node_id, here, plan, layout)


class _Plan:
    """The work on one graph: which edge passes which level, and what is done so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.areas: dict[str | None, _Area] = {}
        self.sizes: dict[str, tuple[float, float]] = {}
        self.ways: dict[Edge, list[str | None]] = {}
        self._links: dict[str | None, list[tuple[Edge, Key, Key]]] = {}
        for edge in graph.edges:
            self._route(edge)

    def _route(self, edge: Edge) -> None:
        out, into = self._ancestry(edge.source), self._ancestry(edge.target)
        if edge.source in into or edge.target in out:
            return  # a task that waits for its own group, which a diagnostic tells of
        shared = next(group for group in out if group in into)
        leaving, entering = out[: out.index(shared)], into[: into.index(shared)]
        inner: Key = edge.source
        for group in leaving:
            self._add(group, edge, inner, ("out", edge.source))
            inner = group
        end: Key = entering[-1] if entering else edge.target
        self._add(shared, edge, inner, end)
        for index, group in enumerate(reversed(entering)):
            below = entering[len(entering) - 2 - index] if index < len(entering) - 1 else edge.target
            self._add(group, edge, ("in", edge.target), below)
        self.ways[edge] = [*leaving, shared, *reversed(entering)]

    def _add(self, group: str | None, edge: Edge, source: Key, target: Key) -> None:
        self._links.setdefault(group, []).append((edge, source, target))

    def _ancestry(self, node_id: str) -> list[str | None]:
        chain: list[str | None] = []
        parent = self.graph.nodes[node_id].parent
        while parent is not None:
            chain.append(parent)
            parent = self.graph.nodes[parent].parent
        return [*chain, None]

    def area(self, group: str | None) -> _Area:
        """Lay out the inside of a group, groups in it first."""
        items = {node.id: self._item(node) for node in self.graph.inside(group)}
        links: dict[tuple[Key, Key, float, float], Link] = {}
        carried: list[tuple[Edge, Link]] = []
        ports: dict[Key, Item] = {}
        for edge, source, target in self._links.get(group, ()):
            for key, pin in ((source, "first"), (target, "last")):
                if key not in items:
                    ports.setdefault(key, Item(key, 0, 2, pin=pin))
            leaves = self._offset(source, ("out", edge.source), edge.source)
            enters = self._offset(target, ("in", edge.target), edge.target)
            ends = (source, target, leaves, enters)
            link = links.setdefault(ends, Link(*ends))
            carried.append((edge, link))
        done = arrange_columns([*items.values(), *ports.values()], list(links.values()), gap=_GAP)
        area = self._measure(group, done.columns, ports)
        for edge, link in carried:
            area.pieces[edge, group or ""] = self._piece(link, done.items, area)
        self.areas[group] = area
        return area

    def _item(self, node: Node) -> Item:
        if node.kind == "group":
            area = self.area(node.id)
            self.sizes[node.id] = (area.width, area.height)
        else:
            wide = max(text_width(heading(node)), text_width(caption(node), 11))
            self.sizes[node.id] = (min(_WIDEST, max(_NARROWEST, wide + 28)), _TASK_HEIGHT)
        return Item(node.id, *self.sizes[node.id])

    def _offset(self, key: Key, port: Key, end: str) -> float:
        """Tell how far from an item's middle an edge meets its border: at the port, for groups it passes."""
        if key == end or key not in self.areas:
            return 0.0
        area = self.areas[key]
        return area.ports[port] - area.height / 2

    def _measure(self, group: str | None, columns: list[list[Item]], ports: Mapping[Key, Item]) -> _Area:
        """Turn columns into pixels, within the group's border."""
        left, top = (_PAD, _HEADER) if group is not None else (0.0, 0.0)
        upper = min((item.y - item.height / 2 for column in columns for item in column), default=0.0)
        at: dict[str, Point] = {}
        borders: list[tuple[float, float]] = []
        for column in columns:
            width = max((item.width for item in column), default=0.0)
            borders.append((left, left + width))
            for item in column:
                item.y += top - upper
                if isinstance(item.key, str):
                    at[item.key] = (left, item.y - item.height / 2)
            if not all(item.pin for item in column):  # ports stand on the border itself
                left += width + (_BETWEEN if len(column) <= _CROWD else 1.6 * _BETWEEN)
        right = max((x + self.sizes[key][0] for key, (x, _) in at.items()), default=0.0)
        bottom = max((item.y + item.height / 2 for column in columns for item in column), default=0.0)
        if group is not None:
            right = max(
                right + _PAD,
                text_width(self.graph.nodes[group].shown or self.graph.nodes[group].name) + 2 * _PAD,
            )
            bottom = max(bottom + _PAD, _HEADER)
        places = {key: item.y for key, item in ports.items()}
        return _Area(right, bottom, at, places, borders, {})

    @staticmethod
    def _piece(link: Link, items: Mapping[Key, Item], area: _Area) -> list[Point]:
        """List the points of a link at one level, in the coordinates of that level."""
        points: list[Point] = []
        for index, key in enumerate(link.path):
            item = items[key]
            left, right = area.borders[item.column]
            if isinstance(key, tuple) and key[0] in ("in", "out"):
                points.append((0.0 if key[0] == "in" else area.width, item.y))
            elif item.dummy:
                points += [(left, item.y), (right, item.y)]
            elif index == 0:
                points += [(left + item.width, item.y + link.leaves), (right, item.y + link.leaves)]
            else:
                points.append((left, item.y + link.enters))
        return points

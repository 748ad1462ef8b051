"""Places boxes in layers so that every arrow goes from one layer to the next and none runs through a box.

The layered method of Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11(2), 1981): layers by longest path, an
empty place in each layer that an arrow passes, an order within the layers by the neighbours' middles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Box", "Layout", "arrange"]

_SWEEPS = 8
_LANE = 14.0


@dataclass
class Box:
    """A box, or an empty place that an arrow passes through.

    Attributes:
        name: What it is called.
        width: Its width.
        height: Its height.
        x: Its left edge.
        y: Its upper edge.
    """

    name: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return self.y + self.height / 2


@dataclass
class Layout:
    """Where everything is.

    Attributes:
        boxes: The boxes by name.
        lanes: The empty places that each arrow passes, from its origin on.
        width: Width of all of it.
        height: Height of all of it.
    """

    boxes: dict[str, Box]
    lanes: dict[tuple[str, str], list[Box]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str]],
    *,
    gap_x: float,
    gap_y: float,
    columns: int,
    ports: Mapping[tuple[str, str], tuple[float, float]] | None = None,
) -> Layout:
    """Place boxes: those with arrows in layers from left to right, the others below them in a grid.

    Args:
        sizes: Width and height of each box by name.
        arrows: From which box to which, each once; one to itself takes no place.
        gap_x: Space between layers.
        gap_y: Space between boxes of a layer.
        columns: How many boxes without arrows stand side by side.
        ports: How far below their box's upper edge an arrow begins and ends; by default in its middle.
    """
    edges = list(dict.fromkeys(each for each in arrows if each[0] != each[1]))
    joined = {name for edge in edges for name in edge}
    layout = Layout({name: Box(name, *size) for name, size in sizes.items()})
    if joined:
        layers = _layers(layout, [name for name in sizes if name in joined], edges)
        _order(layers, layout, edges, ports or {})
        _place_layers(layers, layout, gap_x=gap_x, gap_y=gap_y)
    alone = [layout.boxes[name] for name in sizes if name not in joined]
    _place_grid(alone, layout, gap_x=gap_y, gap_y=gap_y, columns=columns)
    return layout


def _layers(layout: Layout, names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[Box]]:
    rank = _ranks(names, edges)
    layers: list[list[Box]] = [[] for _ in range(max(rank.values()) + 1)]
    for name in names:
        layers[rank[name]].append(layout.boxes[name])
    for origin, target in edges:
        first, last = sorted((rank[origin], rank[target]))
        lanes = [Box(f"{origin} to {target}", 0, _LANE) for _ in range(first + 1, last)]
        for layer, lane in zip(layers[first + 1 : last], lanes, strict=True):
            layer.append(lane)
        layout.lanes[origin, target] = lanes if rank[origin] < rank[target] else lanes[::-1]
    return layers


def _ranks(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each box; an arrow that closes a circle counts for none."""
    targets = {name: [target for origin, target in edges if origin == name] for name in names}
    rank: dict[str, int] = {}
    finished: list[str] = []
    open_: set[str] = set()
    circle: set[tuple[str, str]] = set()

    def visit(name: str) -> None:
        open_.add(name)
        for target in targets[name]:
            if target in open_:
                circle.add((name, target))
            elif target not in finished:
                visit(target)
        open_.discard(name)
        finished.append(name)

    for name in names:
        if name not in finished:
            visit(name)
    for name in reversed(finished):
        rank.setdefault(name, 0)
        for target in targets[name]:
            if (name, target) not in circle:
                rank[target] = max(rank.get(target, 0), rank[name] + 1)
    return rank


def _order(
    layers: list[list[Box]],
    layout: Layout,
    edges: Sequence[tuple[str, str]],
    ports: Mapping[tuple[str, str], tuple[float, float]],
) -> None:
    near: dict[int, list[tuple[Box, float]]] = {}
    for edge in edges:
        first, last = layout.boxes[edge[0]], layout.boxes[edge[1]]
        out, into = ports.get(edge, (first.height / 2, last.height / 2))
        lanes = [(lane, lane.height / 2) for lane in layout.lanes[edge]]
        for one, other in pairwise([(first, out), *lanes, (last, into)]):
            near.setdefault(id(one[0]), []).append(other)
            near.setdefault(id(other[0]), []).append(one)
    for sweep in range(_SWEEPS):
        _stack(layers)
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            middles = {id(box): _mean([each.y + down for each, down in near[id(box)]]) for box in layer}
            layer.sort(key=lambda box: middles[id(box)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _stack(layers: Sequence[Sequence[Box]], gap: float = 0.0) -> None:
    """Put each layer's boxes below each other, the layers' middles at one height."""
    heights = [sum(box.height for box in layer) + gap * (len(layer) - 1) for layer in layers]
    for layer, height in zip(layers, heights, strict=True):
        y = (max(heights) - height) / 2
        for box in layer:
            box.y = y
            y += box.height + gap


def _place_layers(layers: list[list[Box]], layout: Layout, *, gap_x: float, gap_y: float) -> None:
    _stack(layers, gap_y)
    x = 0.0
    for layer in layers:
        width = max(box.width for box in layer)
        for box in layer:
            box.x, box.width = x, width
        x += width + gap_x
    layout.width = x - gap_x
    layout.height = max(box.y + box.height for layer in layers for box in layer)


def _place_grid(alone: Sequence[Box], layout: Layout, *, gap_x: float, gap_y: float, columns: int) -> None:
    if not alone:
        return
    top = layout.height + 2 * gap_y if layout.height else 0.0
    count = min(columns, len(alone))
    width = max(box.width for box in alone)
    bottoms = [top] * count
    for box in alone:
        column = bottoms.index(min(bottoms))
        box.x, box.y, box.width = column * (width + gap_x), bottoms[column], width
        bottoms[column] += box.height + gap_y
    layout.width = max(layout.width, count * (width + gap_x) - gap_x)
    layout.height = max(bottoms) - gap_y

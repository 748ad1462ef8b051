"""Items in columns, links left to right: layers, few crossings, and heights that keep links straight.

The method is Sugiyama's (1981): longest-path layers, dummies where a link passes a layer, barycentre sweeps;
heights by weighted isotonic regression (pool adjacent violators), which keeps order and distance exactly.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Columns", "Item", "Link", "arrange_columns"]

Key = Hashable
_SWEEPS = 8
_SMOOTHING = 16


@dataclass
class Item:
    """What stands in a column.

    Attributes:
        key: What it is.
        width: How wide, in pixels.
        height: How high.
        pin: `first` or `last` column, for what belongs to the border; else empty.
        column: Where it stands, set by the arrangement.
        y: The height of its middle, set by the arrangement.
    """

    key: Key
    width: float
    height: float
    pin: str = ""
    column: int = 0
    y: float = 0.0
    dummy: bool = False


@dataclass
class Link:
    """A connection from an item to one further right.

    Attributes:
        source: Key of the item on the left.
        target: Key of the item on the right.
        leaves: Where it leaves the source, from its middle downwards.
        enters: Where it enters the target.
        path: Keys from source to target with all dummies, set by the arrangement.
    """

    source: Key
    target: Key
    leaves: float = 0.0
    enters: float = 0.0
    path: list[Key] = field(default_factory=list)


@dataclass
class Columns:
    """An arrangement: the items of each column from top to bottom, and all of them by key."""

    columns: list[list[Item]]
    items: dict[Key, Item]


@dataclass(frozen=True)
class _Step:
    """One link between neighbouring columns."""

    source: Key
    target: Key
    leaves: float
    enters: float


def arrange_columns(items: Sequence[Item], links: Sequence[Link], *, gap: float) -> Columns:
    """Give each item a column and a height, and each link its way.

    Args:
        items: What is to be arranged; earlier ones stand above later ones where links do not tell.
        links: Connections; those that would close a cycle bind nothing and get no dummies.
        gap: Least distance between items of a column.
    """
    known = {item.key: item for item in items}
    _assign_columns(known, links)
    steps = _insert_dummies(known, links)
    columns: list[list[Item]] = [
        [] for _ in range(1 + max((item.column for item in known.values()), default=0))
    ]
    for item in known.values():
        columns[item.column].append(item)
    columns = _ordered(columns, steps)
    _set_heights(columns, known, steps, gap)
    return Columns(columns, known)


def _assign_columns(items: Mapping[Key, Item], links: Sequence[Link]) -> None:
    """Put each item right of all that link to it: longest paths, found without recursion."""
    above: dict[Key, list[Key]] = {key: [] for key in items}
    for link in links:
        above[link.target].append(link.source)
    done: dict[Key, int] = {}
    open_: set[Key] = set()
    first = 1 if any(item.pin == "first" for item in items.values()) else 0
    for start in items:
        stack = [start]
        while stack:
            key = stack[-1]
            if key in done:
                stack.pop()
                continue
            waiting = [
                other for other in above[key] if other not in done and other not in open_ and other != key
            ]
            open_.add(key)
            if waiting:
                stack.extend(waiting)
                continue
            least = 0 if items[key].pin == "first" else first
            done[key] = max([least, *(done[other] + 1 for other in above[key] if other in done)])
            stack.pop()
    for key, column in done.items():
        items[key].column = column
    last = 1 + max((item.column for item in items.values() if item.pin != "last"), default=0)
    for item in items.values():
        if item.pin == "last":
            item.column = last


def _insert_dummies(items: dict[Key, Item], links: Sequence[Link]) -> list[_Step]:
    steps: list[_Step] = []
    for number, link in enumerate(links):
        start, end = items[link.source], items[link.target]
        link.path = [link.source]
        for column in range(start.column + 1, end.column):
            dummy = Item(("dummy", number, column), 0, 2, column=column, dummy=True)
            items[dummy.key] = dummy
            link.path.append(dummy.key)
        link.path.append(link.target)
        if start.column >= end.column:
            continue
        for index, (left, right) in enumerate(pairwise(link.path)):
            leaves = link.leaves if index == 0 else 0.0
            enters = link.enters if index == len(link.path) - 2 else 0.0
            steps.append(_Step(left, right, leaves, enters))
    return steps


def _ordered(columns: list[list[Item]], steps: Sequence[_Step]) -> list[list[Item]]:
    before, after = _neighbours(steps)
    best, least = columns, _crossings(columns, after)
    current = columns
    for sweep in range(_SWEEPS):
        if least == 0:
            break
        current = [list(column) for column in current]
        rank = {item.key: place for column in current for place, item in enumerate(column)}
        near = before if sweep % 2 == 0 else after
        for column in current if sweep % 2 == 0 else reversed(current):
            wishes = {item.key: _centre(item, rank, near) for item in column}
            column.sort(key=lambda item, wishes=wishes: wishes[item.key])  # type: ignore[misc]
            rank.update((item.key, place) for place, item in enumerate(column))
        found = _crossings(current, after)
        if found < least:
            best, least = current, found
    return best


_Near = Mapping[Key, list[Key]]


def _neighbours(steps: Sequence[_Step]) -> tuple[_Near, _Near]:
    before: dict[Key, list[Key]] = {}
    after: dict[Key, list[Key]] = {}
    for step in steps:
        before.setdefault(step.target, []).append(step.source)
        after.setdefault(step.source, []).append(step.target)
    return before, after


def _centre(item: Item, rank: Mapping[Key, int], near: _Near) -> float:
    places = [rank[key] for key in near.get(item.key, ())]
    return sum(places) / len(places) if places else rank[item.key]


def _crossings(columns: Sequence[Sequence[Item]], after: _Near) -> int:
    total = 0
    for left, right in pairwise(columns):
        rank = {item.key: place for place, item in enumerate(right)}
        seen: list[int] = []
        for item in left:
            ends = sorted(rank[key] for key in after.get(item.key, ()) if key in rank)
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _set_heights(
    columns: Sequence[Sequence[Item]], items: Mapping[Key, Item], steps: Sequence[_Step], gap: float
) -> None:
    for column in columns:
        _spread(column, [0.0] * len(column), gap)
    before: dict[Key, list[_Step]] = {}
    after: dict[Key, list[_Step]] = {}
    for step in steps:
        before.setdefault(step.target, []).append(step)
        after.setdefault(step.source, []).append(step)

    def wished(item: Item, *, back: bool, ahead: bool) -> float:
        wishes: list[float] = []
        if back:
            wishes += [items[s.source].y + s.leaves - s.enters for s in before.get(item.key, ())]
        if ahead:
            wishes += [items[s.target].y + s.enters - s.leaves for s in after.get(item.key, ())]
        return sum(wishes) / len(wishes) if wishes else item.y

    for turn in range(_SMOOTHING):
        for column in columns if turn % 2 == 0 else reversed(columns):
            both = turn >= _SMOOTHING // 2
            wishes = [
                wished(item, back=both or turn % 2 == 0, ahead=both or turn % 2 == 1) for item in column
            ]
            _spread(column, wishes, gap)


def _spread(column: Sequence[Item], wishes: Sequence[float], gap: float) -> None:
    """Set heights as near to the wishes as order and distance allow: least squares."""
    offsets = [0.0]
    for upper, lower in pairwise(column):
        space = gap / 2 if upper.dummy or lower.dummy else gap
        offsets.append(offsets[-1] + (upper.height + lower.height) / 2 + space)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many items
    for item, wish, offset in zip(column, wishes, offsets, strict=False):
        mean, weight, size = wish - offset, 3.0 if item.dummy else 1.0, 1
        while blocks and blocks[-1][0] > mean:
            other, more, count = blocks.pop()
            mean = (mean * weight + other * more) / (weight + more)
            weight, size = weight + more, size + count
        blocks.append((mean, weight, size))
    index = 0
    for mean, _, size in blocks:
        for _ in range(size):
            column[index].y = mean + offsets[index]
            index += 1

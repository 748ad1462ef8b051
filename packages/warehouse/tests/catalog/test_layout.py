"""Boxes never overlap, and no line runs through one, whatever refers to what."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.warehouse.catalog.layout import arrange

pytestmark = pytest.mark.unit

NAMES = [f"t{number}" for number in range(9)]
SIZE = st.tuples(st.integers(40, 300), st.integers(20, 400))
ARROWS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14)


def _overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@settings(max_examples=60, derandomize=True, deadline=None)
@given(sizes=st.lists(SIZE, min_size=len(NAMES), max_size=len(NAMES)), arrows=ARROWS)
def test_no_two_places_overlap_and_all_are_inside(sizes, arrows):
    layout = arrange(dict(zip(NAMES, sizes, strict=True)), arrows, gap_x=50, gap_y=10, columns=3)
    places = [*layout.boxes.values(), *(lane for lanes in layout.lanes.values() for lane in lanes)]
    for one, other in combinations(places, 2):
        assert not _overlap(one, other), (one, other)
    for place in places:
        assert place.x >= 0
        assert place.y >= 0
        assert place.x + place.width <= layout.width + 0.01
        assert place.y + place.height <= layout.height + 0.01
    for box, size in zip(layout.boxes.values(), sizes, strict=True):
        assert (box.width >= size[0], box.height) == (True, size[1])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(arrows=ARROWS)
def test_each_arrow_passes_a_place_in_every_layer_between(arrows):
    layout = arrange(dict.fromkeys(NAMES, (100, 50)), arrows, gap_x=50, gap_y=10, columns=3)
    for (origin, target), lanes in layout.lanes.items():
        stations = [layout.boxes[origin].x, *(lane.x for lane in lanes), layout.boxes[target].x]
        steps = {round(later - earlier) for earlier, later in pairwise(stations)}
        assert steps in ({150}, {-150})


def test_an_arrow_goes_from_left_to_right():
    layout = arrange({"fact": (100, 50), "a": (100, 50), "b": (100, 50)}, [("fact", "a"), ("a", "b")],
                     gap_x=50, gap_y=10, columns=3)  # fmt: skip
    assert [layout.boxes[name].x for name in ("fact", "a", "b")] == [0, 150, 300]


def test_what_an_arrow_begins_at_orders_the_boxes_it_leads_to():
    sizes = {"fact": (100.0, 100.0), "last": (100.0, 50.0), "first": (100.0, 50.0)}
    ports = {("fact", "first"): (10.0, 10.0), ("fact", "last"): (90.0, 10.0)}
    layout = arrange(sizes, [("fact", "last"), ("fact", "first")], gap_x=50, gap_y=10, columns=3, ports=ports)
    assert layout.boxes["first"].y < layout.boxes["last"].y

from __future__ import annotations

import json

import pytest

from harness import Result, Row, Side

pytestmark = pytest.mark.unit


def row(ours: list[float], peer: list[float], goal: float) -> Row:
    return Row(
        what="load", ours=Side(ours, cpu=[0.5]), peer=Side(peer), peer_name="other", unit="s", goal=goal
    )


def test_the_ratio_is_that_of_the_medians() -> None:
    assert row([3.0, 1.0, 2.0], [4.0, 100.0, 1.0], 1.0).ratio == 0.5


@pytest.mark.parametrize(("goal", "met"), [(0.5, True), (0.49, False)])
def test_a_goal_is_met_up_to_its_value(goal: float, met: bool) -> None:
    assert row([1.0], [2.0], goal).met is met


def test_a_budget_is_compared_as_a_peer() -> None:
    measured = Row.budget("start", Side([1.2]), 1.5, unit="s")
    assert (measured.peer_name, measured.goal, measured.met) == ("budget", 1.0, True)
    assert measured.ratio == pytest.approx(0.8)


def test_json_is_one_line_with_what_was_agreed() -> None:
    line = Result("seed", [row([2.0], [1.0], 1.5)], {"Python": "3"}).to_json()
    assert "\n" not in line
    value = json.loads(line)
    assert value["name"] == "seed"
    assert value["versions"] == {"Python": "3"}
    expected = {"what": "load", "ours": 2.0, "peer": 1.0, "peer_name": "other", "unit": "s"}
    expected |= {"ratio": 2.0, "goal": 1.5}
    assert expected.items() <= value["rows"][0].items()


def test_text_shows_spread_cpu_versions_and_a_missed_goal() -> None:
    text = Result("seed", [row([1.0, 2.0, 3.0], [1.0], 1.5)], {"Python": "3"}).to_text()
    assert "2 (1-3), CPU 0.5 s" in text
    assert "Python 3" in text
    assert "ratio   2.000, goal at most 1.5: MISSED" in text


def test_a_result_is_met_when_every_row_is() -> None:
    good, bad = row([1.0], [1.0], 1.0), row([2.0], [1.0], 1.0)
    assert Result("seed", [good]).met
    assert not Result("seed", [good, bad]).met

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import alternate, measured, run_process
from harness.measure import ProcessFailedError

WORK = "sum(range(3_000_000))"


@pytest.mark.unit
def test_sides_take_turns_and_the_order_changes() -> None:
    calls: list[str] = []

    def call(side: str) -> int:
        calls.append(side)
        return len(calls)

    ours, peer = alternate(lambda: call("ours"), lambda: call("peer"), rounds=3)
    assert calls == ["ours", "peer", *("ours", "peer"), *("peer", "ours"), *("ours", "peer")]
    assert (ours, peer) == ([3, 6, 7], [4, 5, 8])


@pytest.mark.unit
def test_without_warming_up_each_side_runs_once_a_round() -> None:
    calls: list[str] = []
    alternate(lambda: calls.append("ours"), lambda: calls.append("peer"), rounds=1, warm_up=False)
    assert calls == ["ours", "peer"]


@pytest.mark.unit
def test_a_call_costs_time_on_the_clock_and_of_the_processor() -> None:
    cost = measured(lambda: sum(range(3_000_000)))
    assert cost.wall > 0.001
    assert cost.cpu > 0.001
    assert cost.peak_rss == 0


@pytest.mark.integration
def test_the_processor_time_of_ended_children_counts() -> None:
    cost = measured(lambda: subprocess.run([sys.executable, "-c", WORK], check=True))
    assert cost.cpu > 0.01


@pytest.mark.integration
def test_a_process_is_measured_with_its_memory() -> None:
    held_by_us = bytearray(b"x" * 80_000_000)
    small = run_process([sys.executable, "-c", WORK])
    large = run_process([sys.executable, "-c", "len(bytearray(80_000_000))"])
    assert small.peak_rss < len(held_by_us)
    assert small.cpu > 0
    assert small.wall > 0
    assert 75_000_000 < large.peak_rss - small.peak_rss < 85_000_000


@pytest.mark.integration
def test_a_process_gets_its_variables_and_may_cache_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    script = "import os; print(os.environ['GREETING'], os.environ.get('PYTHONDONTWRITEBYTECODE'))"
    with (tmp_path / "output").open("wb") as output:
        run_process([sys.executable, "-c", script], env={"GREETING": "hello"}, stdout=output)
    assert (tmp_path / "output").read_text() == "hello None\n"


@pytest.mark.integration
def test_a_process_that_fails_is_not_a_measurement() -> None:
    with pytest.raises(ProcessFailedError, match="exit code 3"):
        run_process([sys.executable, "-c", "raise SystemExit(3)"])

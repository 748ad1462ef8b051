from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import SUITES, main

SUITE = '''"""Compare two numbers.

More about it.
"""
import sys
from harness import Row, Side, run_process

VERSIONS = ("pytest", "no-such-distribution")


def options(parser):
    parser.add_argument("--ours", type=float, default=1.0)
    parser.add_argument("--fail", action="store_true")


def run(arguments):
    if arguments.fail:
        run_process([sys.executable, "-c", "raise SystemExit(4)"])
    yield Row("numbers", Side([arguments.ours]), Side([2.0]), peer_name="two", unit="s", goal=1.0)
'''


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    (tmp_path / "numbers.py").write_text(SUITE)
    (tmp_path / "_part.py").write_text('"""No benchmark."""')
    return tmp_path


@pytest.mark.unit
@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_list_tells_each_benchmark_in_a_line(
    suites: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words, suites=suites) == 0
    listed = capsys.readouterr().out
    assert "numbers      Compare two numbers." in listed
    assert "_part" not in listed


@pytest.mark.unit
@pytest.mark.parametrize(("ours", "code", "verdict"), [("1", 0, "met"), ("3", 1, "MISSED")])
def test_a_missed_goal_is_shown_and_is_exit_code_1(
    suites: Path, capsys: pytest.CaptureFixture[str], ours: str, code: int, verdict: str
) -> None:
    assert main(["numbers", "--ours", ours], suites=suites) == code
    assert verdict in capsys.readouterr().out


@pytest.mark.unit
def test_json_is_the_last_line_and_tells_versions(suites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["numbers", "--json"], suites=suites) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert result["rows"][0]["ratio"] == 0.5
    assert result["versions"]["pytest"] == pytest.__version__
    assert result["versions"]["no-such-distribution"] == "not installed"
    assert "numbers [s]" in captured.err


@pytest.mark.unit
def test_an_unknown_benchmark_is_misuse(suites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"], suites=suites) == 2
    assert "there are: numbers" in capsys.readouterr().err


@pytest.mark.unit
def test_an_unknown_option_is_misuse(suites: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["numbers", "--nonsense"], suites=suites)
    assert ended.value.code == 2


@pytest.mark.integration
def test_a_process_that_fails_ends_the_benchmark(suites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["numbers", "--fail"], suites=suites) == 1
    assert "exit code 4" in capsys.readouterr().err


@pytest.mark.unit
def test_every_benchmark_is_listed_with_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    names = {path.stem for path in SUITES.glob("*.py") if not path.stem.startswith("_")}
    assert "seed" in names
    assert names <= {line.split()[0] for line in listed if len(line.split()) > 1}


@pytest.mark.integration
@pytest.mark.slow
def test_the_benchmark_of_the_seed_runs_and_fills_the_same_tables_on_both_sides(benchmarks: Path) -> None:
    words = ["seed", "--json", "--scale", "0.05", "--rounds", "1", "--large-rounds", "1"]
    done = subprocess.run(
        [sys.executable, str(benchmarks), *words], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [row["what"] for row in result["rows"]] == [
        "whole process at scale 1",
        "time per row at scale 0.05",
        "peak memory at scale 0.05",
    ]
    assert all(row["ours"] > 0 and row["peer"] > 0 for row in result["rows"])

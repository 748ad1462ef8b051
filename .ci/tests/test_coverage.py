"""The threshold holds for each package by itself, and for branches by themselves."""

import json
from pathlib import Path

import pytest

from gate.coverage import Share, least_covered, main, shares, table

pytestmark = pytest.mark.unit


def entry(statements: int, run: int, branches: int, taken: int) -> dict[str, dict[str, int]]:
    return {
        "summary": {
            "num_statements": statements,
            "covered_lines": run,
            "missing_lines": statements - run,
            "num_branches": branches,
            "covered_branches": taken,
            "missing_branches": branches - taken,
        }
    }


REPORT = {
    "files": {
        "packages/a/src/windlass/a/one.py": entry(60, 60, 10, 10),
        "packages/a/src/windlass/a/sub/two.py": entry(40, 38, 10, 8),
        "packages/ab/src/windlass/ab/one.py": entry(100, 100, 20, 10),
    }
}


def test_files_are_summed_by_package_and_a_name_that_begins_alike_is_another() -> None:
    first, second = shares(REPORT, ["windlass.a", "windlass.ab"])
    assert first == Share("windlass.a", 2, 100, 98, 20, 18)
    assert second == Share("windlass.ab", 1, 100, 100, 20, 10)


def test_branches_missed_are_not_made_up_for_by_statements() -> None:
    share = Share("windlass.ab", 1, 100, 100, 20, 10)
    assert share.total_percent > 90
    assert not share.reaches(90)


def test_the_threshold_itself_is_enough() -> None:
    assert Share("windlass.a", 2, 100, 98, 20, 18).reaches(90)


def test_a_package_never_imported_counts_as_nothing_covered() -> None:
    (share,) = shares(REPORT, ["windlass.c"])
    assert (share.files, share.total_percent, share.reaches(90)) == (0, 0.0, False)


def test_a_package_without_branches_is_judged_by_its_statements() -> None:
    assert Share("windlass.a", 1, 10, 10, 0, 0).branch_percent == 100.0
    assert not Share("windlass.a", 1, 10, 5, 0, 0).reaches(90)


def test_the_table_names_who_stays_below() -> None:
    lines = table(shares(REPORT, ["windlass.a", "windlass.ab"]), 90).splitlines()
    assert "below" not in lines[1]
    assert lines[2].endswith("below 90 %")
    assert "10/20" in lines[2]


def test_the_worst_file_comes_first_and_complete_ones_not_at_all() -> None:
    found = least_covered(REPORT, 5)
    assert [line.rsplit(" ", 1)[1] for line in found] == [
        "packages/ab/src/windlass/ab/one.py",
        "packages/a/src/windlass/a/sub/two.py",
    ]


def test_a_missing_report_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["coverage", str(tmp_path / "none.json")])
    with pytest.raises(SystemExit, match="no coverage report"):
        main()


def test_the_exit_code_follows_the_lowest_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "a" / "src" / "windlass" / "ab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "windlass-ab"\n', "utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["a"]\n', "utf-8")
    (tmp_path / "report.json").write_text(json.dumps(REPORT), "utf-8")
    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr("sys.argv", ["coverage", "report.json", "--least", "50"])
    main()
    monkeypatch.setattr("sys.argv", ["coverage", "report.json", "--least", "90"])
    with pytest.raises(SystemExit) as failure:
        main()
    assert failure.value.code == 1
    assert "10 missing  packages/ab/src/windlass/ab/one.py" in capsys.readouterr().out

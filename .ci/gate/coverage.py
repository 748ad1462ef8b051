"""Holds each package to the coverage threshold: in the sum, a well-tested one would hide another."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate.workspace import members

__all__ = ["Share", "shares", "table"]


@dataclass(frozen=True)
class Share:
    """What the tests reached of one package."""

    module: str
    files: int
    statements: int
    statements_run: int
    branches: int
    branches_taken: int

    @property
    def branch_percent(self) -> float:
        """The branches taken; code without branches has nothing left to take."""
        return 100.0 * self.branches_taken / self.branches if self.branches else self.total_percent

    @property
    def total_percent(self) -> float:
        """Statements and branches together, as coverage.py reports; nothing measured counts as nothing."""
        lines = self.statements + self.branches
        if not lines:
            return 100.0 if self.files else 0.0
        return 100.0 * (self.statements_run + self.branches_taken) / lines

    def reaches(self, least: float) -> bool:
        """Tell whether both figures reach the threshold."""
        return min(self.branch_percent, self.total_percent) >= least


def shares(report: Mapping[str, Any], modules: Iterable[str]) -> list[Share]:
    """Sum coverage.py's JSON report by package; a package that was never imported has 0 %."""
    return [_share(module, report["files"]) for module in modules]


def _share(module: str, files: Mapping[str, Any]) -> Share:
    inside = f"/{module.replace('.', '/')}/"
    summaries = [entry["summary"] for path, entry in files.items() if inside in f"/{path}"]
    keys = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return Share(module, len(summaries), *(sum(summary[key] for summary in summaries) for key in keys))


def table(found: Iterable[Share], least: float) -> str:
    """Render one line a package."""
    lines = [f"{'package':<30} {'files':>5} {'branches':>13} {'branch %':>9} {'total %':>8}"]
    for share in found:
        taken = f"{share.branches_taken}/{share.branches}"
        verdict = "" if share.reaches(least) else f"  below {least:g} %"
        percents = f"{share.branch_percent:>9.1f} {share.total_percent:>8.1f}"
        lines.append(f"{share.module:<30} {share.files:>5} {taken:>13} {percents}{verdict}")
    return "\n".join(lines)


def least_covered(report: Mapping[str, Any], count: int) -> list[str]:
    """Name the files with the most missing branches and statements: where a test would help most."""
    gaps = {
        path: entry["summary"]["missing_lines"] + entry["summary"]["missing_branches"]
        for path, entry in report["files"].items()
    }
    worst = sorted((path for path in gaps if gaps[path]), key=lambda path: -gaps[path])[:count]
    return [f"{gaps[path]:>5} missing  {path}" for path in worst]


def main() -> None:
    """Print the table and fail when a package stays below the threshold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--least", type=float, default=90.0)
    arguments = parser.parse_args()
    if not arguments.report.is_file():
        raise SystemExit(f"no coverage report at {arguments.report}: the test run ended before it wrote one")
    report = json.loads(arguments.report.read_text("utf-8"))
    found = shares(report, [member.module for member in members(Path.cwd())])
    print(table(found, arguments.least))
    if not all(share.reaches(arguments.least) for share in found):
        print("\n".join(["most to gain:", *least_covered(report, 10)]))
        raise SystemExit(1)


if __name__ == "__main__":
    main()

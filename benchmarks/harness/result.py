"""Tell what was measured: medians and spread of both sides, their ratio, and whether it meets the goal."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Result", "Row", "Side"]


@dataclass(frozen=True, slots=True)
class Side:
    """One side's costs, one for each run; less is better.

    Attributes:
        values: What is compared, in the row's unit.
        cpu: Processor time in seconds for the same runs; empty when it is not told.
    """

    values: Sequence[float]
    cpu: Sequence[float] = ()

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        spread = f" ({min(self.values):.3g}-{max(self.values):.3g})" if len(self.values) > 1 else ""
        cpu = f", CPU {statistics.median(self.cpu):.3g} s" if self.cpu else ""
        return f"{self.median:.3g}{spread}{cpu}"


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison.

    Attributes:
        what: What costs, e.g. `CPU per 10-task DAG`.
        ours: Our side.
        peer: The other; a single value for an absolute budget.
        peer_name: Who that is; `budget` for an absolute one.
        unit: Unit of the values.
        goal: The most that `ours / peer` may be.
    """

    what: str
    ours: Side
    peer: Side
    peer_name: str
    unit: str
    goal: float

    @classmethod
    def budget(cls, what: str, ours: Side, most: float, *, unit: str) -> Row:
        """Compare with an absolute budget."""
        return cls(what=what, ours=ours, peer=Side([most]), peer_name="budget", unit=unit, goal=1.0)

    @property
    def ratio(self) -> float:
        """Our median over the peer's."""
        return self.ours.median / self.peer.median

    @property
    def met(self) -> bool:
        """Whether the ratio is at most the goal."""
        return self.ratio <= self.goal


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark measured.

    Attributes:
        name: The benchmark.
        rows: Its comparisons.
        versions: What was measured, by name.
    """

    name: str
    rows: Sequence[Row]
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether every goal is met."""
        return all(row.met for row in self.rows)

    def to_json(self) -> str:
        """Write the result as one line of JSON."""
        rows = [
            {
                "what": row.what,
                "ours": _rounded(row.ours.median),
                "peer": _rounded(row.peer.median),
                "peer_name": row.peer_name,
                "unit": row.unit,
                "ratio": _rounded(row.ratio),
                "goal": row.goal,
                "met": row.met,
                "ours_runs": [_rounded(value) for value in row.ours.values],
                "peer_runs": [_rounded(value) for value in row.peer.values],
                "ours_cpu": _rounded(statistics.median(row.ours.cpu)) if row.ours.cpu else None,
                "peer_cpu": _rounded(statistics.median(row.peer.cpu)) if row.peer.cpu else None,
            }
            for row in self.rows
        ]
        return json.dumps({"name": self.name, "rows": rows, "versions": self.versions})

    def to_text(self) -> str:
        """Write the result for people."""
        lines = ["  ".join(f"{name} {version}" for name, version in self.versions.items())]
        for row in self.rows:
            verdict = "met" if row.met else "MISSED"
            lines += [
                "",
                f"{row.what} [{row.unit}]: median (least-most)",
                f"  ours    {row.ours}",
                f"  {row.peer_name:<7} {row.peer}",
                f"  ratio   {row.ratio:.3f}, goal at most {row.goal:g}: {verdict}",
            ]
        return "\n".join(lines).strip()


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

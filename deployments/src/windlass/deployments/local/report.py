"""What a demo run did, as data, as a table for people and as one JSON object."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, astuple, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from windlass.deployments.local.messages import TaskOutcome
from windlass.warehouse.seed.manifest import ManifestComparison

__all__ = ["DemoReport", "Rows", "count_rows"]

_ROW_NOTES = ("rejected", "inserted", "updated", "changed", "deleted", "reappeared")
_HEADINGS = ("injected", "found", "missed", "false positives")


@dataclass(frozen=True)
class Rows:
    """Rows that the run's publishing tasks saw: landed = published + rejected."""

    landed: int
    published: int
    rejected: int


@dataclass(frozen=True)
class DemoReport:
    """The outcome of one demo run. `anomalies` is None for a config without a ground truth."""

    state: str
    seconds: float
    dag_id: str
    run_id: str
    tasks: list[TaskOutcome]
    rows: Rows
    anomalies: ManifestComparison | None

    @property
    def succeeded(self) -> bool:
        """Whether the run succeeded and found exactly what had been injected."""
        return self.state == "success" and (self.anomalies is None or self.anomalies.exact)

    def to_json(self) -> str:
        """The report as one line of JSON."""
        report: dict[str, Any] = {
            "state": self.state,
            "seconds": self.seconds,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "tasks": [
                {"task_id": _name(task), "state": task.state, "seconds": task.seconds} for task in self.tasks
            ],
            "rows": asdict(self.rows),
            "anomalies": None,
        }
        if self.anomalies is not None:
            report["anomalies"] = asdict(self.anomalies.total)
        return json.dumps(report)

    def print(self, console: Console) -> None:
        """The report as tables."""
        console.print(f"\n{self.dag_id}: {self.state} in {self.seconds:.1f} s, start to end")
        console.print(self._task_table())
        if self.rows.landed:
            console.print(
                f"Rows: {self.rows.landed:,} landed = {self.rows.published:,} published + "
                f"{self.rows.rejected:,} rejected (table ops.rejected_row says why)"
            )
            # With a manifest the table below has the kinds.
            kinds = _kinds(self.tasks) if self.anomalies is None else Counter()
            for kind, count in kinds.most_common():
                console.print(f"  {count:>8,} {kind}")
        if self.rows.landed and not self.rows.published:
            console.print("Nothing was published: every landed row was rejected.")
        if self.anomalies is not None:
            console.print("\nAnomalies: what the seed's manifest lists against what the run found")
            console.print(_anomaly_table(self.anomalies))

    def _task_table(self) -> Table:
        table = Table()
        table.add_column("task")
        table.add_column("state")
        table.add_column("s", justify="right")
        table.add_column("rows", justify="right")
        for task in self.tasks:
            colour = {"success": "green", "failed": "red"}.get(task.state, "yellow")
            seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
            table.add_row(_name(task), f"[{colour}]{task.state}[/]", seconds, _row_note(task.result))
        return table


def count_rows(tasks: list[TaskOutcome]) -> Rows:
    """Add up what the publishing tasks returned."""
    results = [task.result for task in tasks if isinstance(task.result, dict) and "landed" in task.result]
    landed = sum(result["landed"] for result in results)
    rejected = sum(result["rejected"] for result in results)
    return Rows(landed=landed, published=landed - rejected, rejected=rejected)


def _kinds(tasks: list[TaskOutcome]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for task in tasks:
        if isinstance(task.result, dict):
            kinds.update(task.result.get("rejected_by_kind") or {})
    return kinds


def _name(task: TaskOutcome) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"


def _row_note(result: Any) -> str:
    if not isinstance(result, dict):
        return ""
    first = next((name for name in ("landed", "read", "rows") if name in result), None)
    if first is None:
        return ""
    counts = [f"{result[name]:,} {name}" for name in _ROW_NOTES if result.get(name)]
    label = first
    if first == "rows":
        label = "" if not counts else "loaded" if "rejected" in result else "read"
    notes = [f"{result[first]:,} {label}".rstrip(), *counts]
    return ", ".join(notes) + (" (already loaded)" if result.get("skipped") else "")


def _anomaly_table(comparison: ManifestComparison) -> Table:
    table = Table(show_footer=True)
    table.add_column("kind", footer="all")
    for heading, total in zip(_HEADINGS, astuple(comparison.total), strict=True):
        table.add_column(heading, justify="right", footer=f"{total:,}")
    for kind, counts in comparison.by_kind.items():
        table.add_row(kind, *(f"{number:,}" for number in astuple(counts)))
    return table

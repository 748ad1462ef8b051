"""What the demo tells its user at the end: why it failed, what was left running, what to do next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from windlass.deployments.local.report import DemoReport
from windlass.deployments.local.tasklog import failure_reason
from windlass.deployments.settings import ENV_PREFIX, Settings
from windlass.warehouse.seed.manifest import ManifestComparison

__all__ = ["KeptStack", "say_end"]

_MOST_EXAMPLES = 5


@dataclass(frozen=True)
class KeptStack:
    """Where a stack that was left running is reached; `database` is a libpq DSN without a password in it."""

    url: str
    user: str
    password: str
    database: str


def say_end(
    console: Console, report: DemoReport, kept: KeptStack | None, settings: Settings, *, config: Path | None
) -> None:
    """Explain a failure, or say what to do next."""
    for task in report.tasks:
        if task.state == "failed":
            reason = failure_reason(Path(task.log)) if task.log else "It left no log."
            _line(console, f"\n{task.task_id} failed:\n{reason}\n  log: {task.log}")
    if report.state == "timed_out":
        _line(console, f"The run took longer than {settings.run_timeout:g} s ({ENV_PREFIX}RUN_TIMEOUT).")
    if report.anomalies is not None and not report.anomalies.exact:
        _say_difference(console, report.anomalies, settings)
    if kept is not None:
        _line(console, f"\nAirflow:   {kept.url}  user {kept.user}, password {kept.password}")
        _line(console, f'Warehouse: psql "{kept.database}"')
        _line(console, f"Stop both: uv run deployments/local down{_state_flag(settings)}")
    elif not report.succeeded:
        _line(console, "\nMend what failed and run the command again; what succeeded is not loaded twice.")
    else:
        again = _state_flag(settings) if config is None else f" --config {config}{_state_flag(settings)}"
        _line(console, f"\nNext: look around in Airflow with   uv run deployments/local demo{again} --keep")
        if config is None:
            _line(
                console, "      run a DAG of your own with    uv run deployments/local demo --config FOLDER"
            )


def _say_difference(console: Console, anomalies: ManifestComparison, settings: Settings) -> None:
    for what, those in (("missed", anomalies.missed), ("not in the manifest", anomalies.false_positives)):
        for anomaly in sorted(those)[:_MOST_EXAMPLES]:
            where = f"{anomaly.table}.{anomaly.column}, key {anomaly.key}"
            _line(console, f"  {what}: {anomaly.kind} in {where}")
    _line(
        console,
        "The findings differ from the seed's manifest: the seeded tables hold other rows than it made.\n"
        f"Start afresh with --state-dir OTHER_FOLDER, or after deleting {settings.state_dir}.",
    )


def _state_flag(settings: Settings) -> str:
    default = Settings.model_fields["state_dir"].get_default(call_default_factory=True)
    return "" if settings.state_dir == default else f" --state-dir {shlex.quote(str(settings.state_dir))}"


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False)

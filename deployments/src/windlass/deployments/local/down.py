"""Stops what a kept or killed run has left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from windlass.deployments.errors import MisuseError
from windlass.deployments.local.client import sweep
from windlass.deployments.local.layout import Layout
from windlass.deployments.services.lock import exclusive
from windlass.warehouse.embedded import EmbeddedPostgres

__all__ = ["Stopped", "stop_all"]


@dataclass(frozen=True)
class Stopped:
    """What was running and was stopped."""

    airflow: bool
    postgres: bool


def stop_all(state_dir: Path) -> Stopped:
    """End every process of the stack in `state_dir`; its data stays.

    Raises:
        StateInUseError: A command is at work on it; Ctrl-C there stops it.
    """
    if state_dir.exists() and not state_dir.is_dir():
        raise MisuseError(
            f"{state_dir} is no folder.", "Give the state folder of the stack with --state-dir."
        )
    if not (state_dir / "stack-id").exists():
        return Stopped(airflow=False, postgres=False)
    layout = Layout(state_dir)
    with exclusive(state_dir):
        airflow = sweep(layout) > 0
        running = layout.postgres.is_dir() and EmbeddedPostgres(layout.postgres).stop()
    return Stopped(airflow=airflow, postgres=bool(running))

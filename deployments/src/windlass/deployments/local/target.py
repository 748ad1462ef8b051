"""Finds and checks the config that a demo is to run, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """The DAG to run and the folder that its config stands in."""

    dag_id: str
    folder: Path
    built_in: bool

"""Reads why a task failed from Airflow's log of the try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["failure_reason"]


def failure_reason(log: Path, *, most_lines: int = 12) -> str:
    """The error that ended the try, as the task raised it.

    Args:
        log: Airflow's log file of the try: JSON lines, each with ``event`` and ``level``.
        most_lines: Lines of the error's text to give back.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return "Airflow wrote no log for this try."
    errors = [record for line in lines if (record := _record(line)).get("level") in {"error", "critical"}]
    for record in reversed(errors):
        for detail in record.get("error_detail") or []:
            text = f"{detail.get('exc_type')}: {detail.get('exc_value')}"
            return "\n".join(text.splitlines()[:most_lines])
    if errors:
        return str(errors[-1].get("event"))
    return "Its process ended without an error of its own: by an exit, a kill, or for want of memory."


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:  # what a subprocess wrote itself
        return {}
    return record if isinstance(record, dict) else {}

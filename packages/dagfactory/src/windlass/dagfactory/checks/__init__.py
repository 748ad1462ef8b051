"""Everything about one config that the model cannot see, on data that may be wrong in any way.

Checks read the plain data, not the model, so that a mistake of one kind hides none of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.checks.graph import check_graph
from windlass.dagfactory.checks.naming import check_names
from windlass.dagfactory.checks.operators import Call, check_operator
from windlass.dagfactory.checks.retry import check_retries
from windlass.dagfactory.checks.schedule import check_schedule, zone
from windlass.dagfactory.checks.secrets import check_secrets, redact
from windlass.dagfactory.diagnostics import Finding
from windlass.dagfactory.registry import Registry

__all__ = ["ENOUGH", "Call", "is_file_name", "run_checks", "zone"]

ENOUGH = 100
"""How many findings of one kind are reported of one config: a list of thousands helps nobody."""


def run_checks(
    data: Mapping[str, Any], *, folder: Path, expected_id: str, registry: Registry
) -> tuple[list[Finding], dict[str, Call]]:
    """Run all checks on one config.

    Args:
        data: The config as parsed.
        folder: Its folder, in which its files must be.
        expected_id: What the folder or file is named.
        registry: Where short operator names are looked up.

    Returns:
        What is wrong, and how to construct each task's operator where nothing is.
    """
    findings: list[Finding] = []
    for check in (
        check_schedule(data),
        check_names(data, expected_id),
        check_retries(data),
        check_secrets(data),
    ):
        findings.extend(islice(check, ENOUGH))
    doc = data.get("doc_md")
    if isinstance(doc, str) and is_file_name(doc):
        findings.extend(check_file(folder, doc, ("doc_md",)))
    tasks = data.get("tasks")
    calls: dict[str, Call] = {}
    if isinstance(tasks, dict):
        findings.extend(islice(check_graph(tasks), ENOUGH))
        findings.extend(_check_operators(tasks, folder, registry, calls))
    return redact(findings, data), calls


def _check_operators(
    tasks: Mapping[str, Any], folder: Path, registry: Registry, calls: dict[str, Call]
) -> list[Finding]:
    findings: list[Finding] = []
    for task_id, task in tasks.items():
        if isinstance(task, dict):
            outcome = check_operator(task_id, task, folder, registry)
            if isinstance(outcome, Call):
                calls[task_id] = outcome
            else:
                findings.extend(outcome)
        if len(findings) >= ENOUGH:
            break
    return findings


def is_file_name(doc: str) -> bool:
    """Tell whether a DAG's doc_md names a file rather than being the text: Airflow's rule, on one line."""
    return doc.endswith(".md") and "\n" not in doc

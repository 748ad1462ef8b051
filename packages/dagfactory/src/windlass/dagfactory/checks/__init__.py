"""Everything about one config that the model cannot see, on data that may be wrong in any way.

Checks read the plain data, not the model, so that a mistake of one kind hides none of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from windlass.dagfactory.checks.assets import check_assets
from windlass.dagfactory.checks.branches import check_branches
from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.checks.graph import check_graph, edges_of
from windlass.dagfactory.checks.jinja import check_jinja
from windlass.dagfactory.checks.lifecycle import check_lifecycle
from windlass.dagfactory.checks.naming import check_names
from windlass.dagfactory.checks.notify import check_notifiers
from windlass.dagfactory.checks.operators import check_default_operators, check_operator, check_task
from windlass.dagfactory.checks.outputs import check_outputs
from windlass.dagfactory.checks.params import check_params
from windlass.dagfactory.checks.retry import check_retries
from windlass.dagfactory.checks.schedule import check_schedule, zone
from windlass.dagfactory.checks.secrets import check_secrets
from windlass.dagfactory.checks.selfwaits import check_self_waits
from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.checks.use import Call, Calls, Use
from windlass.dagfactory.diagnostics import Finding, JsonPath
from windlass.dagfactory.registry import Registry, notifier_registry

__all__ = ["ENOUGH", "Call", "Calls", "is_file_name", "run_checks", "zone"]

ENOUGH = 100
"""How many findings of one kind are reported of one config: a list of thousands helps nobody."""


def run_checks(
    data: Mapping[str, Any], *, folder: Path, expected_id: str, registry: Registry
) -> tuple[list[Finding], Calls]:
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
    tree = Tree.of(data.get("tasks"))
    edges = edges_of(tree)
    for check in (
        check_schedule(data),
        check_names(data, tree, expected_id),
        check_retries(data, tree),
        check_secrets(data, folder),
        check_graph(tree, edges),
        check_lifecycle(data, tree, edges),
        check_outputs(data, tree, edges),
        check_branches(data, tree, edges),
        check_self_waits(data, tree, edges),
        check_assets(data, tree),
        check_params(data),
        check_jinja(data, tree, folder),
        check_notifiers(data, tree, notifier_registry()),
    ):
        findings.extend(islice(check, ENOUGH))
    doc = data.get("doc_md")
    if isinstance(doc, str) and is_file_name(doc):
        findings.extend(check_file(folder, doc, ("doc_md",)))
    calls = Calls()
    findings.extend(_check_operators(data, tree, folder, registry, calls))
    return findings, calls


def _check_operators(
    data: Mapping[str, Any], tree: Tree, folder: Path, registry: Registry, calls: Calls
) -> list[Finding]:
    findings = check_default_operators(data, tree, registry)
    _check_compensation(data, (), folder, registry, calls, findings)
    for node in tree.tasks():
        outcome = check_task(node, data, folder, registry)
        if isinstance(outcome, Call):
            calls[node.node_id] = outcome
        else:
            findings.extend(outcome)
        _check_compensation(node.entry, node.path, folder, registry, calls, findings)
        if len(findings) >= ENOUGH:
            break
    return list(dict.fromkeys(findings))  # what defaults get wrong, every task of the operator reports


def _check_compensation(
    entry: Mapping[str, Any],
    path: JsonPath,
    folder: Path,
    registry: Registry,
    calls: Calls,
    findings: list[Finding],
) -> None:
    given = entry.get("compensate")
    name = given.get("operator") if isinstance(given, dict) else None
    args = given.get("args", {}) if isinstance(given, dict) else None
    if isinstance(name, str) and name and isinstance(args, dict):
        outcome = check_operator(Use(name, (*path, "compensate"), args), folder, registry)
        if isinstance(outcome, Call):
            calls.compensations[path] = outcome
        else:
            findings.extend(outcome)


def is_file_name(doc: str) -> bool:
    """Tell whether a DAG's doc_md names a file rather than being the text: Airflow's rule, on one line."""
    return doc.endswith(".md") and "\n" not in doc

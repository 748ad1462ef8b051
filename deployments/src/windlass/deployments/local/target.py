"""Finds and checks the config that a demo is to run, before anything is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from windlass.dagfactory.analysis import Analysis, analyse_all
from windlass.dagfactory.diagnostics import render_text
from windlass.dagfactory.discovery import ConfigFile, discover
from windlass.deployments.errors import ConfigRejectedError, MisuseError
from windlass.deployments.settings import project_root

__all__ = ["EXAMPLE", "Target", "find_target"]

EXAMPLE = Path("examples") / "beginner" / "demo_simple_extract_load_v1"


@dataclass(frozen=True)
class Target:
    """The DAG to run and the folder that its config stands in."""

    dag_id: str
    folder: Path
    built_in: bool


def find_target(config: Path | None, dag_id: str | None) -> Target:
    """The DAG to run: the example's, or the one in the user's folder.

    Args:
        config: The user's folder; None for the example.
        dag_id: Which of several DAGs in it.

    Raises:
        MisuseError: There is no such folder or DAG, or it is not clear which is meant.
        ConfigRejectedError: The config has findings.
    """
    folder = (config or project_root() / EXAMPLE).resolve()
    if not folder.is_dir():
        advice = (
            "Give the folder that holds dag.json or NAME.dag.json."
            if config
            else "Run it from a checkout of Windlass, or give your own folder with --config."
        )
        raise MisuseError(f"There is no folder {folder}.", advice)
    shown = config or EXAMPLE  # paths as the user can open them from where they are
    files = [
        ConfigFile((shown / file.name).as_posix(), file.path, file.root) for file in discover(folder).configs
    ]
    analyses = analyse_all(files)
    chosen = _choose(analyses, dag_id, folder)
    findings = chosen.diagnostics()
    if findings:
        raise ConfigRejectedError(render_text(findings, colour=sys.stderr.isatty()))
    return Target(dag_id=chosen.checked().dag_id, folder=folder, built_in=config is None)


def _choose(analyses: list[Analysis], dag_id: str | None, folder: Path) -> Analysis:
    names = [analysis.file.dag_name for analysis in analyses]
    if not analyses:
        raise MisuseError(
            f"{folder} holds no config.",
            "A config is called dag.json (in a folder of its own) or NAME.dag.json.",
        )
    if dag_id is None and len(analyses) > 1:
        raise MisuseError(
            f"{folder} holds {len(analyses)} configs: {', '.join(names)}.", "Choose one with --dag-id."
        )
    for analysis in analyses:
        if dag_id in {None, analysis.file.dag_name}:
            return analysis
    raise MisuseError(
        f"{folder} holds no DAG {dag_id!r}, but {', '.join(names)}.", "Choose one of these with --dag-id."
    )

"""All mistakes of many configs: the core's, and what operators and Airflow refuse where Airflow is loaded."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.dagfactory.analysis import Analysis, analyse_all
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.errors import ConfigError
from windlass.dagfactory.model import DagConfig, TimetableConfig, walk_tasks
from windlass.dagfactory.registry import Registry, is_class_path

__all__ = ["validate_configs"]


def validate_configs(
    files: Iterable[ConfigFile], *, registry: Registry | None = None
) -> tuple[list[Analysis], list[Diagnostic]]:
    """Find every mistake in configs.

    A sound config that names an operator or a timetable by class path, for which Airflow is imported in any
    case, is built too: what a constructor refuses is found before a run.

    Args:
        files: Which configs.
        registry: Where short operator names are looked up; what is installed by default.

    Returns:
        One analysis a file, and the diagnostics of all, in the order of files and lines; those of folders'
        defaults once, however many configs are below.
    """
    analyses = analyse_all(files, registry=registry)
    diagnostics: list[Diagnostic] = []
    for analysis in analyses:
        diagnostics.extend(analysis.diagnostics() or _refusals(analysis))
    return analyses, list(dict.fromkeys(diagnostics))


def _names_classes(config: DagConfig) -> bool:
    return isinstance(config.schedule, TimetableConfig) or any(
        is_class_path(found.task.operator) for found in walk_tasks(config)
    )


def _refusals(analysis: Analysis) -> list[Diagnostic]:
    config = analysis.config
    if config is None or not _names_classes(config):
        return []
    from windlass.dagfactory.build import build_dag

    try:
        build_dag(analysis)
    except ConfigError as error:
        return list(error.diagnostics)
    return []

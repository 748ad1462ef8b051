"""The two ways into Airflow: what a generated stub calls, and one line that loads a folder for trying out."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.analysis import analyse, analyse_all
from windlass.dagfactory.build import build_dag
from windlass.dagfactory.discovery import ConfigFile, discover
from windlass.dagfactory.errors import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["load_config", "load_folder"]


def load_config(
    stub: str, config: str, *, name: str, root: str | None = None, also_in: Sequence[str] = ()
) -> DAG:
    """Load the one config a stub stands for.

    Args:
        stub: The stub's own `__file__`.
        config: Path of the config, absolute or relative to the stub.
        name: How the config is called in messages.
        root: Path, like that of the config, of the folder from which on down folders' defaults count; by
            default the config's own.
        also_in: Other configs that claim the same DAG id.

    Raises:
        ConfigError: The config has mistakes; the message locates all of them.
    """
    here = Path(os.path.realpath(stub)).parent
    path = os.path.normpath(here / config)
    top = os.path.normpath(here / root) if root is not None else str(Path(path).parent)
    return build_dag(analyse(ConfigFile(name, path, top), also_in=also_in))


def load_folder(folder: str | os.PathLike[str], into: MutableMapping[str, Any]) -> None:
    """Load all configs below a folder, for trying out: `load_folder("configs", globals())` in a DAG file.

    Promises no isolation: every task start builds every DAG, and one broken config keeps all of them from
    loading. Use `windlass.dagfactory.bundle.ConfigDagBundle` or `windlass-dags stubs` for anything that must
    run.

    Args:
        folder: The folder, relative to the working directory or absolute.
        into: Where Airflow finds the DAGs: the calling module's `globals()`.

    Raises:
        ConfigError: Some config has mistakes or cannot be read; the message locates all of them.
        OSError: The folder cannot be listed.
    """
    found = discover(folder)
    analyses = analyse_all(found.configs)
    diagnostics = [problem.diagnostic(folder) for problem in found.unreadable]
    diagnostics += [diagnostic for analysis in analyses for diagnostic in analysis.diagnostics()]
    if diagnostics:
        raise ConfigError(diagnostics)
    for analysis in analyses:
        dag = build_dag(analysis)
        into[dag.dag_id] = dag

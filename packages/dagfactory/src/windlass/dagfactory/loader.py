"""The two ways into Airflow: what a generated stub calls, and one line that loads a folder for trying out."""

from __future__ import annotations

import os
import time
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from windlass.dagfactory.build import build_dag, construct, construct_checked
from windlass.dagfactory.discovery import ConfigFile, discover
from windlass.dagfactory.errors import ConfigError, DagFactoryError
from windlass.dagfactory.plan.store import PlanStore

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["load_config", "load_folder"]

log = structlog.get_logger(__name__)


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
    if not config.startswith("/"):
        stub = os.path.realpath(stub)
        here = os.path.dirname(stub)  # noqa: PTH120 - a Path costs more than all else here
        config = os.path.normpath(f"{here}/{config}")
        root = os.path.normpath(f"{here}/{root}") if root is not None else None
    file = ConfigFile(name, config, root or os.path.dirname(config))  # noqa: PTH120
    store = PlanStore(stub, name)
    plan = store.read(file, also_in)
    if plan is not None:
        try:
            return construct(plan, config)
        except DagFactoryError:
            pass  # what is refused today is to be told with its place
    return _from_config(file, also_in, store)


def _from_config(file: ConfigFile, also_in: Sequence[str], store: PlanStore) -> DAG:
    from windlass.dagfactory.analysis import analyse_bytes
    from windlass.dagfactory.document import read_bytes
    from windlass.dagfactory.plan.make import ingredients_of, make_plan, packages_of

    begin, real = time.time_ns(), os.path.realpath(file.path)
    data = read_bytes(file.path)
    analysis = analyse_bytes(data, file=file, also_in=also_in)
    try:
        plan = make_plan(analysis)
        # Before anything is constructed: an operator may change the lists and objects that it is given.
        content, ingredients = store.dump(plan), ingredients_of(analysis, also_in)
        dag = construct_checked(plan, analysis)
    except ConfigError as error:
        codes = sorted({diagnostic.code for diagnostic in error.diagnostics})
        log.warning("config_invalid", config=file.name, mistakes=len(error.diagnostics), codes=codes)
        raise
    kept = isinstance(data, bytes) and store.write(
        content, file, data, ingredients, packages=packages_of(plan), begin=begin, real=real
    )
    seconds = round((time.time_ns() - begin) / 1e9, 3)
    log.info(
        "dag_generated",
        config=file.name,
        dag_id=plan.dag_id,
        tasks=len(plan.tasks),
        plan_kept=kept,
        seconds=seconds,
    )
    return dag


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
    from windlass.dagfactory.analysis import analyse_all

    found = discover(folder)
    analyses = analyse_all(found.configs)
    diagnostics = [problem.diagnostic(folder) for problem in found.unreadable]
    diagnostics += [diagnostic for analysis in analyses for diagnostic in analysis.diagnostics()]
    if diagnostics:
        raise ConfigError(diagnostics)
    for analysis in analyses:
        dag = build_dag(analysis)
        into[dag.dag_id] = dag

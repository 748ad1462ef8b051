"""`windlass-dags stubs`: the Python files by which Airflow finds configs where no ConfigDagBundle is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from windlass.dagfactory.cli.common import FAILURE, count, fail, misuse, progress
from windlass.dagfactory.errors import StubsError

__all__ = ["stubs"]


def stubs(
    configs: Annotated[Path, typer.Argument(help="The folder of configs.", metavar="CONFIGS")],
    out: Annotated[Path, typer.Option("--out", help="The folder of stubs: (part of) Airflow's DAGs folder.")],
    force: Annotated[
        bool, typer.Option("--force", help="Remove the stubs of other folders of configs that are there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
) -> None:
    """Write the Python files by which Airflow finds configs where no ConfigDagBundle is: one for each config.

    Stubs name their configs relative to themselves, so both can be committed together. Run it again after
    adding, renaming or removing configs; edits need no run, unless Airflow should notice them at once. Stubs
    of configs that are gone are removed, files that are no stubs never are.

    Example: windlass-dags stubs configs --out dags/generated
    """
    from windlass.dagfactory.stubs import StubFolder

    if not configs.is_dir():
        misuse(f"{configs} is no folder")
    folder = StubFolder(configs, out, relative=True, empty_grace=0)
    others = {} if force else folder.of_others()
    if others:
        whose = " and ".join(f"{name} ({count(number, 'stub')})" for name, number in others.items())
        misuse(f"{out} holds the stubs of {whose}: name another folder by --out, or remove them by --force")
    try:
        result = folder.sync()
    except StubsError as error:
        fail(str(error))
    for problem in result.problems:
        progress(f"{problem.name}: {problem.reason}")
    if as_json:
        done = {"configs": result.configs, "written": result.written, "removed": result.removed}
        typer.echo(json.dumps(done))
    else:
        written, removed = len(result.written), len(result.removed)
        typer.echo(f"{count(result.configs, 'config')}: {written} written, {removed} removed")
    raise typer.Exit(FAILURE if result.problems else 0)

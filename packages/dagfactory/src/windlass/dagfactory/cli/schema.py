"""`windlass-dags schema`: the JSON schema by which editors complete and check configs."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from windlass.dagfactory.cli.common import progress, write

__all__ = ["schema"]


def schema(
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; stdout by default.")] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Write the schema of a folder's defaults.json instead.")
    ] = False,
    as_json: Annotated[  # noqa: ARG001 - every command has it; here it is what is done anyway
        bool, typer.Option("--json", help="A schema is JSON in any case.")
    ] = False,
) -> None:
    """Write the JSON schema of configs, with the parameters of all that is installed.

    Name it in a config by "$schema", or tie it to dag.json in your editor's settings. Write it again after
    installing or updating a package that offers operators.

    Example: windlass-dags schema --out dags/dag.schema.json
    """
    from windlass.dagfactory.catalog import catalog
    from windlass.dagfactory.schema import config_schema, defaults_schema

    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        entries = catalog()
    for entry in entries:
        if entry.problem:
            progress(f"left out {entry.name}: {entry.problem}")
    made = (defaults_schema if defaults else config_schema)(entries, closed=True)
    write(json.dumps(made, indent=2, ensure_ascii=False), out)
    raise typer.Exit(0)

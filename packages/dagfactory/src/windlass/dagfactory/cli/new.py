"""`windlass-dags new`: a pipeline from a template, valid from the first minute."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windlass.dagfactory.cli.common import fail, find_configs, misuse, write

if TYPE_CHECKING:
    from windlass.dagfactory.scaffold import Pipeline, Template

__all__ = ["new"]

_DEFAULT = "minimal"


def new(
    name: Annotated[
        str | None, typer.Argument(help="The DAG's id, {domain}_{pipeline}_{version}.", metavar="NAME")
    ] = None,
    *,
    template: Annotated[
        str | None, typer.Option("--template", help="What to begin from; --list lists the templates.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="The folder of configs; the new one goes into it.")
    ] = Path(),
    description: Annotated[
        str | None, typer.Option("--description", help="What the DAG is for, in a line.")
    ] = None,
    schedule: Annotated[
        str, typer.Option("--schedule", help="Cron expression, or a preset such as @daily.")
    ] = "@daily",
    timezone: Annotated[str, typer.Option("--timezone", help="IANA name, such as Europe/Berlin.")] = "UTC",
    start_date: Annotated[
        str | None, typer.Option("--start-date", help="Absolute date; today by default.")
    ] = None,
    owner: Annotated[str, typer.Option("--owner", help="Who is responsible for its tasks.")] = "airflow",
    listed: Annotated[bool, typer.Option("--list", help="List the templates and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
) -> None:
    """Write a new pipeline: a folder with dag.json, SQL files and a README, checked when it is there.

    Asks on a terminal for what is missing. Overwrites nothing, and leaves nothing that is not valid.

    Example: windlass-dags new sales_daily_load_v1 --template extract-load --folder dags
    """
    from datetime import UTC, datetime

    from windlass.dagfactory.errors import ScaffoldError
    from windlass.dagfactory.registry import default_registry
    from windlass.dagfactory.scaffold import Words, remove_pipeline, templates, write_pipeline

    known = templates()
    if listed:
        _list(known, as_json=as_json)
        raise typer.Exit(0)
    dag_id = _checked_id(name)
    chosen = _chosen(template, known)
    if missing := chosen.missing(default_registry().names()):
        fail(f"the template {chosen.name} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    words = Words(
        dag_id,
        start_date=start_date or datetime.now(UTC).date().isoformat(),
        description=description,
        schedule=schedule,
        timezone=timezone,
        owner=owner,
    )
    fresh = [above for above in (folder, *folder.parents) if not above.exists()]
    try:
        pipeline = write_pipeline(chosen, words, folder=folder)
    except ScaffoldError as error:
        fail(str(error))
    if not _is_sound(pipeline):
        remove_pipeline(pipeline, fresh)
        fail("nothing was written: correct what the lines above name, by an option of this command")
    _write_schema(pipeline)
    _tell(pipeline, as_json=as_json)


def _list(known: dict[str, Template], *, as_json: bool) -> None:
    from windlass.dagfactory.registry import default_registry

    registered = default_registry().names()
    if as_json:
        data = [
            {"name": each.name, "summary": each.summary, "missing": each.missing(registered)}
            for each in known.values()
        ]
        typer.echo(json.dumps(data, indent=2))
        return
    width = max(map(len, known))
    for each in known.values():
        missing = each.missing(registered)
        note = f" (needs {' and '.join(missing)})" if missing else ""
        typer.echo(f"{each.name:{width}}  {each.summary}{note}")


def _checked_id(name: str | None) -> str:
    from windlass.dagfactory.scaffold import proposed_id

    if name is None:
        if not sys.stdin.isatty():
            misuse("name the DAG: windlass-dags new sales_daily_load_v1")
        name = typer.prompt("DAG id, {domain}_{pipeline}_{version}", default="sales_daily_load_v1", err=True)
    proposed = proposed_id(name)
    if name != proposed:
        misuse(f'"{name}" is not of the form {{domain}}_{{pipeline}}_{{version}}: try {proposed}')
    return name


def _chosen(template: str | None, known: dict[str, Template]) -> Template:
    if template is None and sys.stdin.isatty():
        _list_to_stderr(known)
        template = typer.prompt("Template", default=_DEFAULT, err=True)
    template = template or _DEFAULT
    if template not in known:
        from windlass.dagfactory.diagnostics import did_you_mean

        hint = did_you_mean(template, list(known)) or f"there are {', '.join(known)}"
        misuse(f'there is no template "{template}": {hint}')
    return known[template]


def _list_to_stderr(known: dict[str, Template]) -> None:
    with redirect_stdout(sys.stderr):
        _list(known, as_json=False)


def _write_schema(pipeline: Pipeline) -> None:
    if pipeline.schema.exists():
        return
    from windlass.dagfactory.catalog import catalog
    from windlass.dagfactory.schema import config_schema

    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        made = config_schema(catalog(), closed=True)
    write(json.dumps(made, indent=2, ensure_ascii=False), pipeline.schema)


def _is_sound(pipeline: Pipeline) -> bool:
    from windlass.dagfactory.diagnostics import render_text
    from windlass.dagfactory.validation import validate_configs

    with redirect_stdout(sys.stderr):
        diagnostics = validate_configs(find_configs([pipeline.config]).configs)[1]
    if diagnostics:
        typer.echo(render_text(diagnostics, colour=sys.stderr.isatty()), err=True)
    return not diagnostics


def _tell(pipeline: Pipeline, *, as_json: bool) -> None:
    folder = pipeline.folder.as_posix()
    following = [
        f"windlass-dags validate {folder}",
        f"windlass-dags graph {folder} --out {pipeline.folder.name}.svg",
    ]
    if as_json:
        data = {
            "dag_id": pipeline.folder.name,
            "folder": folder,
            "files": list(pipeline.files),
            "schema": pipeline.schema.as_posix(),
            "next": following,
        }
        typer.echo(json.dumps(data, indent=2))
        return
    typer.echo(f"{folder}: {', '.join(pipeline.files)}")
    typer.echo("Next:")
    for command in following:
        typer.echo(f"  {command}")

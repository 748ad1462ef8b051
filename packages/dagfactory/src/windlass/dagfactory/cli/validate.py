"""`windlass-dags validate`: every mistake in all configs, for people, programs and code hosts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windlass.dagfactory.cli.common import count, find_configs, misuse, one_of

if TYPE_CHECKING:
    from windlass.dagfactory.analysis import Analysis
    from windlass.dagfactory.diagnostics import Diagnostic

__all__ = ["Format", "print_diagnostics", "validate"]


class Format(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Configs, files of defaults, or folders that are searched for both.", metavar="PATH"
        ),
    ],
    output: Annotated[
        Format,
        typer.Option(
            "--format", parser=one_of(Format), metavar="[text|json|sarif]", help="How mistakes are printed."
        ),
    ] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder from which on down folders' defaults count; by default the current one, "
            "or for what is not below it the PATH."
        ),
    ] = None,
) -> None:
    """Find every mistake in all configs and folders' defaults, without running anything.

    Example: windlass-dags validate dags --format sarif > dags.sarif
    """
    from windlass.dagfactory.cli.defaults import check_alone
    from windlass.dagfactory.validation import validate_configs

    output = Format.JSON if as_json else output
    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        found = find_configs(paths, root=root)
        analyses, diagnostics = validate_configs(found.configs)
        shared = {layer.path for analysis in analyses for layer in analysis.resolved.layers[:-1]}
        alone = [file for file in found.defaults if file.path not in shared]
        diagnostics = list(dict.fromkeys([*found.diagnostics, *diagnostics, *check_alone(alone)]))
    if not (found.configs or found.defaults or diagnostics):
        misuse(f"no config below {', '.join(map(str, paths))}: configs are called dag.json or NAME.dag.json")
    print_diagnostics(diagnostics, output)
    summary = _summary(analyses, len(shared) + len(alone), diagnostics)
    typer.echo(summary, err=output is not Format.TEXT or bool(diagnostics))
    raise typer.Exit(1 if any(diagnostic.severity == "error" for diagnostic in diagnostics) else 0)


def print_diagnostics(diagnostics: Sequence[Diagnostic], output: Format) -> None:
    """Print diagnostics on stdout."""
    if output is Format.JSON:
        typer.echo(json.dumps([diagnostic.as_dict() for diagnostic in diagnostics], indent=2))
    elif output is Format.SARIF:
        from windlass.dagfactory.diagnostics.sarif import to_sarif

        typer.echo(json.dumps(to_sarif(diagnostics), indent=2))
    elif diagnostics:
        from windlass.dagfactory.diagnostics import render_text

        typer.echo(render_text(diagnostics, colour=sys.stdout.isatty()))


def _summary(analyses: Sequence[Analysis], defaults: int, diagnostics: Sequence[Diagnostic]) -> str:
    tasks = sum(_tasks(analysis.document.data) for analysis in analyses)
    shared = f", {count(defaults, 'file')} of defaults" if defaults else ""
    counted = f"{count(len(analyses), 'config')}{shared}, {count(tasks, 'task')}"
    if not diagnostics:
        return f"{counted}: fine"
    broken = len({diagnostic.file for diagnostic in diagnostics})
    return f"{counted}: {count(len(diagnostics), 'mistake')} in {count(broken, 'file')}"


def _tasks(data: object) -> int:
    """Count the tasks of a DAG or of a group, and those in its groups; groups do not count."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    entries = tasks.values() if isinstance(tasks, dict) else ()
    return sum(_tasks(entry) if isinstance(entry, dict) and "tasks" in entry else 1 for entry in entries)

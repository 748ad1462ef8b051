"""The command `windlass-dags`: validate configs and write stubs, without Airflow where configs need none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from windlass.dagfactory.analysis import Analysis
from windlass.dagfactory.diagnostics import Diagnostic, render_text
from windlass.dagfactory.discovery import ConfigFile, Unreadable, discover
from windlass.dagfactory.errors import StubsError
from windlass.dagfactory.validation import validate_configs

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Airflow DAGs from JSON configs. Exit codes: 0 fine, 1 findings or failure, 2 misuse.",
)

_MISUSE = 2


class Format(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@app.callback()
def root() -> None:
    """Airflow DAGs from JSON configs. Exit codes: 0 fine, 1 findings or failure, 2 misuse."""


@app.command()
def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Config files, or folders that are searched for them.", metavar="PATH…"),
    ],
    output: Annotated[Format, typer.Option("--format", help="How mistakes are printed.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Find every mistake in all configs, without running anything.

    Example: windlass-dags validate dags --format sarif > dags.sarif
    """
    output = Format.JSON if as_json else output
    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        files, diagnostics = _find(paths)
        analyses, found = validate_configs(files)
        diagnostics.extend(found)
    if not files and not diagnostics:
        _misuse(f"no config below {', '.join(map(str, paths))}: configs are called dag.json or NAME.dag.json")
    _print(diagnostics, output)
    typer.echo(_summary(analyses, diagnostics), err=output is not Format.TEXT or bool(diagnostics))
    raise typer.Exit(1 if any(diagnostic.severity == "error" for diagnostic in diagnostics) else 0)


@app.command()
def stubs(
    configs: Annotated[Path, typer.Argument(help="The folder of configs.", metavar="CONFIGS")],
    out: Annotated[Path, typer.Option("--out", help="The folder of stubs: (part of) Airflow's DAGs folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
) -> None:
    """Write the Python files by which Airflow finds configs where no ConfigDagBundle is: one for each config.

    Stubs name their configs relative to themselves, so both can be committed together. Run it again after
    adding, renaming or removing configs; edits need no run, unless Airflow should notice them at once.

    Example: windlass-dags stubs configs --out dags/generated
    """
    from windlass.dagfactory.stubs import StubFolder

    if not configs.is_dir():
        _misuse(f"{configs} is no folder")
    try:
        result = StubFolder(configs, out, relative=True, empty_grace=0).sync()
    except StubsError as error:
        typer.echo(f"windlass-dags: {error}", err=True)
        raise typer.Exit(1) from error
    for problem in result.problems:
        typer.echo(f"windlass-dags: {problem.name}: {problem.reason}", err=True)
    if as_json:
        done = {"configs": result.configs, "written": result.written, "removed": result.removed}
        typer.echo(json.dumps(done))
    else:
        typer.echo(
            f"{_count(result.configs, 'config')}: "
            f"{len(result.written)} written, {len(result.removed)} removed"
        )
    raise typer.Exit(1 if result.problems else 0)


def _find(paths: Sequence[Path]) -> tuple[list[ConfigFile], list[Diagnostic]]:
    files: dict[str, ConfigFile] = {}
    diagnostics: list[Diagnostic] = []
    for path in paths:
        if path.is_dir():
            try:
                found = discover(path)
            except OSError as error:
                diagnostics.append(Unreadable(".", error.strerror or str(error)).diagnostic(path))
                continue
            diagnostics.extend(problem.diagnostic(path) for problem in found.unreadable)
            for file in found.configs:
                files.setdefault(file.path, ConfigFile((path / file.name).as_posix(), file.path))
        elif path.exists() or path.is_symlink():
            file = ConfigFile.at(path)
            files.setdefault(file.path, file)
        else:
            _misuse(f"there is no {path}")
    return list(files.values()), diagnostics


def _print(diagnostics: Sequence[Diagnostic], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps([diagnostic.as_dict() for diagnostic in diagnostics], indent=2))
    elif output is Format.SARIF:
        from windlass.dagfactory.diagnostics.sarif import to_sarif

        typer.echo(json.dumps(to_sarif(diagnostics), indent=2))
    elif diagnostics:
        typer.echo(render_text(diagnostics, colour=sys.stdout.isatty()))


def _summary(analyses: Sequence[Analysis], diagnostics: Sequence[Diagnostic]) -> str:
    tasks = sum(_tasks(analysis) for analysis in analyses)
    counted = f"{_count(len(analyses), 'config')}, {_count(tasks, 'task')}"
    if not diagnostics:
        return f"{counted}: fine"
    broken = len({diagnostic.file for diagnostic in diagnostics})
    return f"{counted}: {_count(len(diagnostics), 'mistake')} in {_count(broken, 'file')}"


def _tasks(analysis: Analysis) -> int:
    tasks = analysis.document.data.get("tasks") if isinstance(analysis.document.data, dict) else None
    return len(tasks) if isinstance(tasks, dict) else 0


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _misuse(message: str) -> NoReturn:
    typer.echo(f"windlass-dags: {message}", err=True)
    raise typer.Exit(_MISUSE)


def main() -> None:
    """Run the command line."""
    app()

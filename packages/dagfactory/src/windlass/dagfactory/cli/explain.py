"""`windlass-dags explain`: where every value that holds for a DAG comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windlass.dagfactory.cli.common import FAILURE, count, fail, find_configs, misuse, progress

if TYPE_CHECKING:
    from windlass.dagfactory.explain import Origin

__all__ = ["explain"]

_VALUE_WIDTH = 48


def explain(
    config: Annotated[Path, typer.Argument(help="A config, or the folder of one.", metavar="CONFIG")],
    path: Annotated[
        str | None,
        typer.Argument(help="Only what is at this JSON path and below, such as tasks.load.", metavar="PATH"),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder from which on down folders' defaults count; by default the current one, "
            "or for what is not below it the config's own."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of values and origins.")] = False,
) -> None:
    """Tell where each value comes from: the config, a folder's defaults, a variable, or Windlass itself.

    The defaults that reach a task are shown in the task. A config with mistakes is explained as far as it can
    be understood, and the exit code is 1.

    Example: windlass-dags explain dags/sales_daily_load_v1 tasks.load.retry
    """
    from windlass.dagfactory.analysis import analyse
    from windlass.dagfactory.cli.paths import meant
    from windlass.dagfactory.diagnostics import render_text
    from windlass.dagfactory.explain import explain as explain_config
    from windlass.dagfactory.explain import matching

    files = find_configs([config], root=root).configs
    if len(files) != 1:
        misuse(f"{config} holds {count(len(files), 'config')}: name one")
    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        analysis = analyse(files[0])
    diagnostics = analysis.diagnostics()
    if not isinstance(analysis.document.data, dict):
        typer.echo(render_text(diagnostics, colour=sys.stderr.isatty()), err=True)
        fail("nothing can be explained")
    everything = explain_config(analysis)
    origins = everything if path is None else matching(everything, path)
    if not origins:
        near = meant(str(path), [origin.path for origin in everything])
        misuse(f"nothing in {config} is at {path}; {near}")
    typer.echo(json.dumps([origin.as_dict() for origin in origins], indent=2) if as_json else _table(origins))
    if diagnostics:
        progress(f"{count(len(diagnostics), 'mistake')}: run windlass-dags validate {config}")
    raise typer.Exit(FAILURE if diagnostics else 0)


def _table(origins: Sequence[Origin]) -> str:
    rows = [(origin.path, _shown(origin.value), _from(origin)) for origin in origins]
    first, second = (max(len(row[index]) for row in rows) for index in (0, 1))
    return "\n".join(f"{path:<{first}}  {value:<{second}}  {origin}" for path, value, origin in rows)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text = "".join(char if char.isprintable() else "�" for char in text)
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 1]}…"


def _from(origin: Origin) -> str:
    if origin.file is None:
        return "default of windlass"
    parts = [f"{origin.file}:{origin.line}:{origin.column}"]
    if origin.source is not None:
        parts.append(origin.source)
    parts += [f"${{{name}}}" for name in origin.variables]
    return " ".join(parts)

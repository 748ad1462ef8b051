"""`windlass-dags graph`: a picture of a DAG from its config."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from windlass.dagfactory.cli.common import FAILURE, count, fail, find_configs, misuse, one_of, write

__all__ = ["Picture", "graph"]


_OTHERS = frozenset({".gif", ".jpeg", ".jpg", ".md", ".mmd", ".pdf", ".png", ".webp"})


class Picture(StrEnum):
    """How a graph is written."""

    SVG = "svg"
    MERMAID = "mermaid"


def graph(
    config: Annotated[Path, typer.Argument(help="A config, or the folder of one.", metavar="CONFIG")],
    picture: Annotated[
        Picture,
        typer.Option("--format", parser=one_of(Picture), metavar="[svg|mermaid]", help="What to draw."),
    ] = Picture.SVG,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; stdout by default.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print nodes and edges as one JSON object.")
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder from which on down folders' defaults count; by default the current one, or for what "
            "is not below it the config's own."
        ),
    ] = None,
) -> None:
    """Draw a DAG's tasks, groups and dependencies, without Airflow or Graphviz.

    A config with mistakes is drawn as far as it can be understood; the mistakes go to stderr, and the exit
    code is 1.

    Example: windlass-dags graph dags/sales_daily_load_v1 --out sales.svg
    """
    from windlass.dagfactory.diagnostics import render_text
    from windlass.dagfactory.graph import read_graph, to_mermaid, to_svg
    from windlass.dagfactory.validation import validate_configs

    if out is not None and out.suffix.lower() in _OTHERS and picture is Picture.SVG and not as_json:
        misuse(f"{out} would hold SVG: name an .svg file, or write --format mermaid for Mermaid")
    given = find_configs([config], root=root)
    files = given.configs
    if len(files) != 1:
        misuse(f"{config} holds {count(len(files), 'config')}: name one")
    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        [analysis], found = validate_configs(files)
    diagnostics = [*given.diagnostics, *found]
    if diagnostics:
        typer.echo(render_text(diagnostics, colour=sys.stderr.isatty()), err=True)
    if not isinstance(analysis.document.data, dict):
        fail("nothing can be drawn")
    drawn = read_graph(analysis.data)
    if as_json:
        text = json.dumps(drawn.as_dict(), indent=2)
    else:
        text = to_svg(drawn) if picture is Picture.SVG else to_mermaid(drawn)
    write(text.rstrip("\n"), out)
    raise typer.Exit(FAILURE if diagnostics else 0)

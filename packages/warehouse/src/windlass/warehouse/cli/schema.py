"""`schema`: the live catalog explained and drawn."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from windlass.warehouse.catalog.markdown import markdown
from windlass.warehouse.catalog.mermaid import mermaid
from windlass.warehouse.catalog.svg import svg
from windlass.warehouse.catalog.tables import read_schemas
from windlass.warehouse.cli.options import Dsn, Json
from windlass.warehouse.connection import connect

__all__ = ["Dsn", "Format", "Json", "schema"]


class Format(StrEnum):
    """How a schema is told."""

    MARKDOWN = "markdown"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


def schema(
    *,
    dsn: Dsn = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A page, a diagram as text or picture, or data.")
    ] = Format.MARKDOWN,
    names: Annotated[
        list[str] | None,
        typer.Option("--schema", metavar="NAME", help="Only this schema; may be repeated."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option("--picture", metavar="PATH", help="With markdown: a picture to show, not Mermaid."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain the tables of the live warehouse: columns, keys, references and comments; or draw them.

    Example: windlass-warehouse schema --format svg --schema warehouse
    """
    chosen = Format.JSON if as_json else format_
    if picture is not None and chosen is not Format.MARKDOWN:
        raise typer.BadParameter("it is for --format markdown.", param_hint="--picture")
    with connect(dsn, application_name="windlass-warehouse schema") as connection:
        found = read_schemas(connection, names=names or ())
    tables = [table for each in found for table in each.tables]
    if chosen is Format.MARKDOWN:
        text = markdown(found, picture=picture)
    elif chosen is Format.MERMAID:
        text = mermaid(tables)
    elif chosen is Format.SVG:
        text = svg(tables)
    else:
        text = json.dumps({"schemas": [asdict(each) for each in found]}) + "\n"
    typer.echo(text, nl=False)

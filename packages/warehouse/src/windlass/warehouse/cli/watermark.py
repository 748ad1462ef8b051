"""`watermark list|show|set|reset`: how far incremental loads have read, and back to an earlier point."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from windlass.warehouse.cli.options import Dsn, Json
from windlass.warehouse.connection import connect
from windlass.warehouse.incremental.ledger import (
    WatermarkEntry,
    list_watermarks,
    reset_watermark,
    set_watermark,
)

__all__ = ["watermark"]

watermark = typer.Typer(
    name="watermark",
    help="How far incremental loads have read, and back to an earlier point.",
    no_args_is_help=True,
    add_completion=False,
)

Pipeline = Annotated[
    str, typer.Option("--pipeline", metavar="NAME", help="Whose watermark: DAG_ID.TASK_ID by default.")
]
SourceName = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="Which of the pipeline's: the table by default."),
]


@watermark.command("list")
def list_(*, dsn: Dsn = None, as_json: Json = False) -> None:
    """List all watermarks.

    Example: windlass-warehouse watermark list --json
    """
    with connect(dsn) as connection:
        found = list_watermarks(connection)
    if as_json:
        typer.echo(json.dumps([_data(entry) for entry in found]))
    else:
        typer.echo(_table(found) if found else "There are no watermarks yet.")


@watermark.command()
def show(*, pipeline: Pipeline, source: SourceName = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Show a pipeline's watermarks; exit code 1 if it has none.

    Example: windlass-warehouse watermark show --pipeline orders_v1.load
    """
    with connect(dsn) as connection:
        found = list_watermarks(connection, pipeline=pipeline, source_name=source)
    if as_json:
        typer.echo(json.dumps([_data(entry) for entry in found]))
    else:
        told = f"Pipeline {pipeline!r} has no watermark; see: windlass-warehouse watermark list"
        typer.echo("\n\n".join(map(_lines, found)) or told)
    if not found:
        raise typer.Exit(1)


@watermark.command("set")
def set_(
    *,
    pipeline: Pipeline,
    to: Annotated[str, typer.Option("--to", metavar="POSITION", help="Where the next load begins.")],
    source: SourceName = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Set a watermark: the next load reads from there on. Rows read again are not doubled.

    Example: windlass-warehouse watermark set --pipeline orders_v1.load --to 2026-01-31T00:00:00Z
    """
    with connect(dsn) as connection:
        entry = set_watermark(connection, pipeline=pipeline, source_name=source, value=to)
    typer.echo(json.dumps(_data(entry)) if as_json else _lines(entry))


@watermark.command()
def reset(*, pipeline: Pipeline, source: SourceName = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Forget a watermark: the next load begins anew. Rows that are there are not doubled.

    Example: windlass-warehouse watermark reset --pipeline orders_v1.load
    """
    with connect(dsn) as connection:
        entry = reset_watermark(connection, pipeline=pipeline, source_name=source)
    typer.echo(json.dumps(_data(entry)) if as_json else f"Forgotten:\n{_lines(entry)}")


def _data(entry: WatermarkEntry) -> dict[str, object]:
    return {**asdict(entry), "updated_at": entry.updated_at.isoformat()}


def _lines(entry: WatermarkEntry) -> str:
    return "\n".join(f"{name:<12} {'-' if value is None else value}" for name, value in _data(entry).items())


def _table(found: Sequence[WatermarkEntry]) -> str:
    rows = [("pipeline", "source", "watermark", "held back", "updated at")]
    rows += [
        (
            entry.pipeline,
            entry.source_name,
            entry.watermark or "-",
            str(entry.held_back),
            f"{entry.updated_at:%Y-%m-%d %H:%M:%S %Z}",
        )
        for entry in found
    ]
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

"""The command `windlass-warehouse seed`."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windlass.warehouse.connection import DSN_VARIABLE, connect
from windlass.warehouse.seed import progress

if TYPE_CHECKING:
    from windlass.warehouse.seed.load import SeedReport

__all__ = ["seed"]

_SCALE_LIMIT = 10_000


def _scale(value: float) -> float:
    if not 0 < value <= _SCALE_LIMIT:  # also refuses NaN
        raise typer.BadParameter(f"{value} is not above 0 and at most {_SCALE_LIMIT}; 0.01 is 1,000 sales.")
    return value


def seed(
    *,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**63 - 1, help="The same number makes the same rows everywhere."),
    ] = 42,
    scale: Annotated[
        float,
        typer.Option(
            "--scale",
            callback=_scale,
            help="1 is 100,000 sales; a larger one begins with a smaller one's rows.",
        ),
    ] = 1.0,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="FILE", help="Where to write what is wrong with the rows, JSON lines."
        ),
    ] = None,
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", envvar=DSN_VARIABLE, metavar="DSN", help="The warehouse: a libpq DSN or URI."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty the tables first if they hold rows.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Fill a migrated warehouse with generated rows, intentional problems among them.

    Everything is loaded in one transaction: whatever goes wrong, nothing is left half done.

    Example: windlass-warehouse seed --seed 42 --scale 1 --manifest manifest.jsonl
    """
    from windlass.warehouse.seed import seed as load_seed

    with connect(dsn, application_name="windlass-warehouse seed") as connection:
        showing = nullcontext() if as_json else progress.shown()
        try:
            with showing as show:
                report = load_seed(
                    connection, seed=seed, scale=scale, manifest=manifest, replace=replace, progress=show
                )
        except KeyboardInterrupt:
            typer.echo("Interrupted: rolled back, nothing was loaded.", err=True)
            raise
    typer.echo(json.dumps(asdict(report)) if as_json else _text(report))


def _text(report: SeedReport) -> str:
    lines = [f"Seed {report.seed}, scale {report.scale:g}: loaded in {report.seconds:.1f} s."]
    lines += [f"  {table:<26}{rows:>14,} rows" for table, rows in report.rows.items()]
    lines += ["Intentional problems:"]
    lines += [f"  {kind:<26}{count:>14,}" for kind, count in report.anomalies.items()]
    lines += [
        f"Manifest: {report.manifest}" if report.manifest else "No manifest was written (--manifest FILE)."
    ]
    return "\n".join(lines)

"""The command `windlass-warehouse`: every failure is one clear message and an exit code, no traceback."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, NoReturn

import psycopg
import typer

from windlass.warehouse.cli.migrations import baseline, check, migrate, status
from windlass.warehouse.cli.schema import schema
from windlass.warehouse.cli.serve import serve
from windlass.warehouse.cli.watermark import watermark
from windlass.warehouse.errors import ConnectionFailedError, InvalidDsnError, WarehouseError
from windlass.warehouse.seed.cli import seed

__all__ = ["app", "main"]

_FAILURE, _MISUSE = 1, 2

app = typer.Typer(
    name="windlass-warehouse",
    epilog="Exit codes: 0 fine, 1 findings or a failure, 2 misuse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (migrate, status, check, baseline, schema, seed, serve):
    app.command(_command.__name__)(_command)
app.add_typer(watermark)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"windlass-warehouse {version('windlass-warehouse')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """A Postgres warehouse: its schema, its seed data, and a server to run it on."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit.

    Args:
        arguments: The command line after the program's name; by default this process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given)
    except WarehouseError as error:
        _report(error, as_json="--json" in given)
        sys.exit(_MISUSE if isinstance(error, InvalidDsnError) else _FAILURE)
    except psycopg.errors.QueryCanceled as error:
        stopped = ConnectionFailedError(
            f"PostgreSQL stopped a statement: {error.diag.message_primary}.",
            advice="Nothing was changed by it. If the role or the database has a statement_timeout, say in "
            "the DSN: options='-c statement_timeout=0'.",
        )
        _report(stopped, as_json="--json" in given)
        sys.exit(_FAILURE)
    except psycopg.OperationalError as error:
        lost = ConnectionFailedError(
            f"The connection to the warehouse broke: {error.diag.message_primary or 'the server is gone'}.",
            advice="What was not committed was rolled back. See that the server runs, and run this again.",
        )
        _report(lost, as_json="--json" in given)
        sys.exit(_FAILURE)
    sys.exit(0)


def _report(error: WarehouseError, *, as_json: bool) -> None:
    if as_json:
        failure = {"code": error.code, "message": error.message, "advice": error.advice}
        typer.echo(json.dumps({"error": failure}))
    else:
        typer.secho(f"{error.code} {error.message}", fg=typer.colors.RED, err=True)
        if error.advice:
            typer.echo(error.advice, err=True)

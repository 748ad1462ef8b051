"""`serve`: the embedded server in the foreground, for as long as the command runs."""

from __future__ import annotations

import json
import shlex
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from windlass.warehouse.cli.schema import Json
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.errors import EmbeddedError

__all__ = ["serve"]

_LOOK_SECONDS = 0.5


def serve(
    *,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="FOLDER", help="Folder for the data; made if missing.")
    ] = Path(".windlass/postgres"),
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="TCP port; 0 is last time's or any free one.")
    ] = 0,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Address to listen on; * is all of them.")
    ] = "127.0.0.1",
    database: Annotated[
        str, typer.Option("--database", metavar="NAME", help="Database to create if it is missing.")
    ] = "warehouse",
    as_json: Json = False,
) -> None:
    """Run an embedded PostgreSQL server until Ctrl-C or SIGTERM.

    Prints the DSN once connections are accepted; the password stays in a file that only you can read.
    A server that already runs in the folder is reported and left alone.

    Example: windlass-warehouse serve --data-dir ~/warehouse --port 5433
    """
    end = threading.Event()
    previous = {number: signal.signal(number, _setter(end)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server = EmbeddedPostgres(data_dir, port=port, listen=listen)
        with server:
            server.create_database(database)
            _announce(server, database, as_json=as_json)
            if server.started_here:
                _wait(server, end)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _setter(end: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        end.set()

    return handle


def _announce(server: EmbeddedPostgres, database: str, *, as_json: bool) -> None:
    dsn = server.dsn(database, with_password=False)
    if as_json:
        found = {"dsn": dsn, "port": server.port, "pid": server.pid, "data_dir": str(server.data_dir)}
        typer.echo(json.dumps(found | {"started": server.started_here}))
        return
    typer.echo(f"WINDLASS_WAREHOUSE_DSN={shlex.quote(dsn)}")
    if server.started_here:
        typer.echo("Ready. Ctrl-C stops the server; its data stays.", err=True)
    else:
        typer.echo(f"It runs already (pid {server.pid}); nothing was started.", err=True)


def _wait(server: EmbeddedPostgres, end: threading.Event) -> None:
    while not end.wait(_LOOK_SECONDS):
        if not server.status().running and not end.is_set():
            raise EmbeddedError(
                f"The server in {server.data_dir} ended by itself.",
                advice=f"Its log is {server.status().log}; starting it again recovers what was committed.",
            )

"""`serve`: the embedded server in the foreground, for as long as the command runs."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Self

import typer

from windlass.warehouse.cli.options import Json
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
    """Run an embedded PostgreSQL server until Ctrl-C, SIGTERM, or (without nohup) the end of its terminal.

    Prints the DSN once connections are accepted; the password stays in a file that only you can read.
    A server that already runs in the folder is reported and left alone.

    Example: windlass-warehouse serve --data-dir ~/warehouse --port 5433
    """
    with _EndSignals() as end, EmbeddedPostgres(data_dir, port=port, listen=listen) as server:
        server.create_database(database)
        _announce(server, database, as_json=as_json)
        if server.started_here:
            _wait(server, end)


class _EndSignals:
    """The signals that end the command; inside the context they only wake who waits.

    Through a pipe, because a handler must take no lock: it runs in the thread that waits, and when that holds
    the lock of a `threading.Event`, its `set` never returns.
    """

    def __enter__(self) -> Self:
        self._wake, self._bell = os.pipe()
        self._arrived = False
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
            numbers.append(signal.SIGHUP)
        self._previous = {number: signal.signal(number, self._ring) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._bell)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if not self._arrived:
            self._arrived = True
            os.write(self._bell, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, and tell whether one has arrived, now or before."""
        select.select([self._wake], [], [], seconds)
        return self._arrived


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


def _wait(server: EmbeddedPostgres, end: _EndSignals) -> None:
    while not end.wait(_LOOK_SECONDS):
        # Someone may have stopped the server and told us to end at the same time.
        if not server.status().running and not end.wait(0):
            raise EmbeddedError(
                f"The server in {server.data_dir} ended by itself.",
                advice=f"Its log is {server.status().log}; starting it again recovers what was committed.",
            )

"""Options that several commands share, so that they are called and mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from windlass.warehouse.connection import DSN_VARIABLE
from windlass.warehouse.migrations import MigrationFolder

__all__ = ["Dsn", "Folders", "Json", "LockTimeout", "LockWait", "Only", "ScratchDsn", "To"]


def _folder(text: str) -> MigrationFolder:
    # What a shell makes of an unset variable; it would be the current folder.
    if not text.strip() or text.endswith("="):
        raise typer.BadParameter(f"{text!r} names no folder.")
    folder = MigrationFolder.parse(text)
    if not folder.path.is_dir():
        raise typer.BadParameter(f"{folder.path} is not a folder.")
    return folder


Dsn = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        envvar=DSN_VARIABLE,
        metavar="DSN",
        help="The warehouse: a libpq DSN or URI; its password better in PGPASSFILE or PGPASSWORD.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Folders = Annotated[
    list[MigrationFolder] | None,
    typer.Option(
        "--folder",
        metavar="[NAME=]FOLDER",
        parser=_folder,
        help="A folder of your own migrations, after ours; may be repeated. "
        "NAME is how the ledger calls it, by default as the folder.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="GROUP",
        help="Only this group (ours: ops, source, staging, warehouse); may be repeated.",
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="VERSION|NAME", help="The last migration, e.g. 3 or 0003_staging or sales/2."
    ),
]
LockWait = Annotated[
    float, typer.Option("--lock-wait", min=0, help="Seconds to wait for another migration to end.")
]
LockTimeout = Annotated[
    float, typer.Option("--lock-timeout", min=0, help="Seconds a statement waits for a table in use.")
]
ScratchDsn = Annotated[
    str | None,
    typer.Option(
        "--scratch-dsn",
        envvar="WINDLASS_SCRATCH_DSN",
        metavar="DSN",
        help="A server to make the scratch database on, if the role may not create databases here.",
    ),
]

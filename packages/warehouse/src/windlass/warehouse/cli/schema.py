"""`migrate` and `status`: the schema from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from windlass.warehouse import migrations
from windlass.warehouse.connection import DSN_VARIABLE
from windlass.warehouse.migrations import MigrationState, MigrationStatus

__all__ = ["Dsn", "Json", "migrate", "status"]

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


def migrate(
    *,
    dsn: Dsn = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="GROUP", help="Only this group (ops, source, staging, warehouse)."),
    ] = None,
    lock_wait: Annotated[
        float, typer.Option("--lock-wait", min=0, help="Seconds to wait for another migration to end.")
    ] = 30.0,
    lock_timeout: Annotated[
        float, typer.Option("--lock-timeout", min=0, help="Seconds a statement waits for a table in use.")
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Bring the warehouse's schema up to date.

    Each migration is one transaction. Doing it again does nothing; two at once wait for each other.

    Example: windlass-warehouse migrate --dsn "host=127.0.0.1 dbname=warehouse user=etl"
    """
    applied = migrations.migrate(dsn, only=only or (), lock_wait=lock_wait, lock_timeout=lock_timeout)
    if as_json:
        typer.echo(json.dumps({"applied": [_data(migration) for migration in applied]}))
        return
    for migration in applied:
        typer.echo(f"{migration.name:<24} applied in {migration.duration_ms:.0f} ms")
    if not applied:
        typer.echo("Nothing to do: the schema is up to date.")


def status(*, dsn: Dsn = None, as_json: Json = False) -> None:
    """Tell which migrations the warehouse has; exit code 1 unless it has them all, unchanged.

    Example: windlass-warehouse status --json
    """
    found = migrations.status(dsn)
    up_to_date = all(migration.state is MigrationState.APPLIED for migration in found)
    if as_json:
        migration_data = [_data(migration) for migration in found]
        typer.echo(json.dumps({"up_to_date": up_to_date, "migrations": migration_data}))
    else:
        typer.echo(_table(found))
    if not up_to_date:
        raise typer.Exit(1)


def _data(migration: MigrationStatus) -> dict[str, object]:
    return {
        "name": migration.name,
        "group": migration.group,
        "state": migration.state.value,
        "applied_at": migration.applied_at.isoformat() if migration.applied_at else None,
        "duration_ms": None if migration.duration_ms is None else round(migration.duration_ms, 1),
    }


_NEXT_STEPS = {
    MigrationState.PENDING: "Apply what is pending: windlass-warehouse migrate",
    MigrationState.EDITED: "An applied migration's file was changed: restore it and add a new one instead.",
    MigrationState.UNKNOWN: "The warehouse is newer than this package: upgrade windlass-warehouse.",
}


def _table(found: Sequence[MigrationStatus]) -> str:
    lines = [f"{'migration':<24} {'state':<9} applied at"]
    for migration in found:
        when = f"{migration.applied_at:%Y-%m-%d %H:%M:%S %Z}" if migration.applied_at else ""
        lines.append(f"{migration.name:<24} {migration.state:<9} {when}".rstrip())
    states = {migration.state for migration in found}
    lines += [step for state, step in _NEXT_STEPS.items() if state in states]
    return "\n".join(lines)

"""`migrate`, `status`, `check` and `baseline`: migrations from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from windlass.warehouse import migrations
from windlass.warehouse.catalog import Difference
from windlass.warehouse.cli.interrupts import clearing_up
from windlass.warehouse.cli.options import Dsn, Folders, Json, LockTimeout, LockWait, Only, ScratchDsn, To
from windlass.warehouse.migrations import (
    DriftReport,
    Migration,
    MigrationProgress,
    MigrationState,
    MigrationStatus,
)
from windlass.warehouse.migrations.files import OURS

__all__ = ["baseline", "check", "migrate", "status"]


def migrate(
    *,
    dsn: Dsn = None,
    to: To = None,
    only: Only = None,
    folder: Folders = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the SQL that would be run; take no lock and change nothing."),
    ] = False,
    lock_wait: LockWait = 30.0,
    lock_timeout: LockTimeout = 5.0,
    as_json: Json = False,
) -> None:
    """Bring the warehouse's schema up to date.

    Each migration is one transaction. Doing it again does nothing; two at once wait for each other.

    Example: windlass-warehouse migrate --folder sales=db/migrations --dry-run
    """
    folders, groups = folder or (), only or ()
    if dry_run:
        _show_due(migrations.pending(dsn, folders=folders, only=groups, to=to), as_json=as_json)
        return
    with clearing_up("what was applied before stays; windlass-warehouse status tells how it stands."):
        applied = migrations.migrate(
            dsn,
            folders=folders,
            only=groups,
            to=to,
            lock_wait=lock_wait,
            lock_timeout=lock_timeout,
            progress=None if as_json else _show_progress,
        )
    if as_json:
        typer.echo(json.dumps({"applied": [_data(migration) for migration in applied]}))
        return
    for migration in applied:
        typer.echo(f"{migration.title:<24} applied in {migration.duration_ms:.0f} ms")
    if not applied:
        typer.echo("Nothing to do: the schema is up to date.")


def status(*, dsn: Dsn = None, folder: Folders = None, as_json: Json = False) -> None:
    """Tell which migrations the warehouse has; exit code 1 unless it has them all, unchanged.

    Example: windlass-warehouse status --json
    """
    found = migrations.status(dsn, folders=folder or ())
    fine = (MigrationState.APPLIED, MigrationState.UNCHECKED)
    up_to_date = all(migration.state in fine for migration in found)
    if as_json:
        migration_data = [_data(migration) for migration in found]
        typer.echo(json.dumps({"up_to_date": up_to_date, "migrations": migration_data}))
    else:
        typer.echo(_table(found))
    if not up_to_date:
        raise typer.Exit(1)


def check(
    *,
    dsn: Dsn = None,
    folder: Folders = None,
    scratch_dsn: ScratchDsn = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Extra objects are findings too, not only told.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare the live catalog with what the applied migrations imply; exit code 1 if it differs.

    They are applied to a scratch database for that, which is dropped afterwards. Extra objects are told.

    Example: windlass-warehouse check --folder sales=db/migrations
    """
    with clearing_up("nothing was changed."):
        report = migrations.check(dsn, folders=folder or (), scratch_dsn=scratch_dsn)
    findings = report.differences if strict else report.drift
    if as_json:
        typer.echo(json.dumps(_report_data(report, is_clean=not findings)))
    else:
        for warning in report.warnings:
            typer.secho(warning, fg=typer.colors.YELLOW, err=True)
        typer.echo(_report_text(report))
    if findings:
        raise typer.Exit(1)


def baseline(
    *,
    dsn: Dsn = None,
    to: To = None,
    only: Only = None,
    folder: Folders = None,
    force: Annotated[
        bool, typer.Option("--force", help="Note them although the database lacks what they make.")
    ] = False,
    scratch_dsn: ScratchDsn = None,
    lock_wait: LockWait = 30.0,
    lock_timeout: LockTimeout = 5.0,
    as_json: Json = False,
) -> None:
    """Note migrations as applied without running them, in a database that was restored or made by hand.

    First the database is compared with what they make, as check does. With --folder yours are noted, else
    ours.

    Example: windlass-warehouse baseline --to 0004
    """
    with clearing_up("nothing was noted."):
        noted = migrations.baseline(
            dsn,
            folders=folder or (),
            only=only or (),
            to=to,
            force=force,
            scratch_dsn=scratch_dsn,
            lock_wait=lock_wait,
            lock_timeout=lock_timeout,
        )
    if as_json:
        typer.echo(json.dumps({"noted": [_data(migration) for migration in noted]}))
        return
    for migration in noted:
        typer.echo(f"{migration.title:<24} noted as applied")


def _show_progress(progress: MigrationProgress) -> None:
    typer.echo(f"[{progress.number}/{progress.total}] {progress.title}", err=True)


def _show_due(due: Sequence[Migration], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"pending": [_due_data(migration) for migration in due]}))
        return
    for migration in due:
        alone = "" if migration.transactional else ", without a transaction"
        typer.echo(f"-- {migration.title}{alone} (sha256 {migration.checksum})")
        typer.echo(migration.sql)
    if not due:
        typer.echo("Nothing to do: the schema is up to date.", err=True)


def _due_data(migration: Migration) -> dict[str, object]:
    return {
        "collection": migration.collection,
        "version": migration.version,
        "name": migration.name,
        "group": migration.group,
        "checksum": migration.checksum,
        "transaction": migration.transactional,
    }


def _data(migration: MigrationStatus) -> dict[str, object]:
    return {
        "collection": migration.collection,
        "name": migration.name,
        "group": migration.group,
        "state": migration.state.value,
        "baselined": migration.baselined,
        "applied_at": migration.applied_at.isoformat() if migration.applied_at else None,
        "duration_ms": None if migration.duration_ms is None else round(migration.duration_ms, 1),
    }


_NEXT_STEPS = {
    MigrationState.PENDING: "Apply what is pending: windlass-warehouse migrate",
    MigrationState.UNFINISHED: "Unfinished: windlass-warehouse migrate goes on, or says what to clear up.",
    MigrationState.EDITED: "An applied migration's file was changed: restore it and add a new one instead.",
    MigrationState.UNKNOWN: "The warehouse is newer than this package or folder: upgrade it.",
    MigrationState.UNCHECKED: "Unchecked: applied from folders that --folder did not name.",
}


def _table(found: Sequence[MigrationStatus]) -> str:
    width = max(24, *(len(migration.title) for migration in found))
    lines = [f"{'migration':<{width}} {'state':<10} applied at"]
    for migration in found:
        when = f"{migration.applied_at:%Y-%m-%d %H:%M:%S %Z}" if migration.applied_at else ""
        how = " (baseline)" if migration.baselined else ""
        lines.append(f"{migration.title:<{width}} {migration.state:<10} {when}{how}".rstrip())
    states = {migration.state for migration in found}
    steps = dict(_NEXT_STEPS)
    if any(each.state is MigrationState.PENDING and each.collection != OURS for each in found):
        steps[MigrationState.PENDING] += ", with the same --folder"
    lines += [step for state, step in steps.items() if state in states]
    return "\n".join(lines)


def _report_text(report: DriftReport) -> str:
    lines = [str(difference) for difference in report.differences]
    count = f"{len(report.applied)} migration{'s' if len(report.applied) != 1 else ''}"
    if not report.applied:
        lines.append("No migration is noted as applied, so nothing is expected.")
    elif report.differences:
        lines.append(
            f"Compared with what {count} make: {len(report.drift)} missing or changed, "
            f"{len(report.extra)} extra."
        )
    else:
        lines.append(f"The catalog is what {count} make.")
    if report.pending:
        lines.append(f"Pending, so not expected: {', '.join(report.pending)}.")
    if report.unchecked:
        lines.append(f"Unchecked, because no --folder names them: {', '.join(report.unchecked)}.")
    return "\n".join(lines)


def _report_data(report: DriftReport, *, is_clean: bool) -> dict[str, object]:
    return {
        "clean": is_clean,
        "differences": [_difference_data(difference) for difference in report.differences],
        "applied": report.applied,
        "pending": report.pending,
        "unchecked": report.unchecked,
        "warnings": report.warnings,
    }


def _difference_data(difference: Difference) -> dict[str, object]:
    return {
        "finding": difference.finding.value,
        "kind": difference.kind.value,
        "name": difference.name,
        "changes": [
            {"property": each.name, "expected": each.expected, "found": each.found}
            for each in difference.changes
        ],
    }

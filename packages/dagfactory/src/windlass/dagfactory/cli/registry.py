"""`windlass-dags registry`: which operators and notifiers configs may name, and what each takes."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from windlass.dagfactory.cli.common import FAILURE, misuse, progress

if TYPE_CHECKING:
    from windlass.dagfactory.catalog import Entry
    from windlass.dagfactory.schema.describe import Property

__all__ = ["registry"]


def registry(
    name: Annotated[
        str | None, typer.Argument(help="One of them, with its parameters; all by default.", metavar="NAME")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a list of objects, or one object for NAME.")
    ] = False,
) -> None:
    """List the operators and notifiers that are installed, or tell of one what it takes under args.

    One that cannot be imported is shown with the reason and hides no other; the exit code is 1 then. NAME may
    be the import path of an operator class too: what its constructor takes is shown.

    Example: windlass-dags registry airflow.bash
    """
    from windlass.dagfactory.catalog import catalog, class_entry
    from windlass.dagfactory.checks.renamed import former_path
    from windlass.dagfactory.registry import is_class_path

    former = former_path(name or "", ())
    if former is not None:
        misuse(f"{former.message}: {former.suggestion}")

    with redirect_stdout(sys.stderr):  # operator modules may print when they are imported
        entries = [class_entry(name)] if name is not None and is_class_path(name) else catalog()
    if name is not None:
        entries = _named(name, entries)
    if as_json:
        data = [entry.as_dict() for entry in entries]
        typer.echo(json.dumps(data[0] if name is not None and len(data) == 1 else data, indent=2))
    elif name is not None:
        typer.echo("\n\n".join(_page(entry) for entry in entries))
    else:
        typer.echo(_table(entries))
    raise typer.Exit(FAILURE if any(entry.problem for entry in entries) else 0)


def _named(name: str, entries: list[Entry]) -> list[Entry]:
    found = [entry for entry in entries if entry.name == name]
    if not found:
        from windlass.dagfactory.checks.renamed import known_otherwise
        from windlass.dagfactory.diagnostics import did_you_mean
        from windlass.dagfactory.registry import default_registry

        near = did_you_mean(name, sorted({entry.name for entry in entries}))
        near = near or known_otherwise(name, default_registry())
        misuse(f'nothing is registered as "{name}": {near or "windlass-dags registry lists what is"}')
    return found


def _table(entries: list[Entry]) -> str:
    width = max((len(entry.name) for entry in entries), default=0)
    lines: list[str] = []
    for kind in ("operator", "notifier"):
        those = [entry for entry in entries if entry.kind == kind]
        if not those:
            continue
        lines += ["", f"{kind}s"] if lines else [f"{kind}s"]
        for entry in those:
            text = f"cannot be used: {_shortly(entry.problem)}" if entry.problem else entry.summary
            lines.append(f"  {entry.name:{width}}  {text}")
    if not lines:
        progress("nothing is registered: install a package that offers operators")
    return "\n".join(lines)


def _page(entry: Entry) -> str:
    from textwrap import wrap

    lines = [f"{entry.name}  ({entry.kind})", f"  {entry.summary}"] if entry.summary else [entry.name]
    lines += [f"  package  {entry.package}"] if entry.package else []
    if entry.problem:
        return "\n".join([*lines, f"  cannot be used: {entry.problem}"])
    lines += [f"  class    {entry.target}", "", "args"]
    for parameter in entry.parameters:
        lines.append(f"  {parameter.name}  {parameter.kind}; {_duty(parameter)}")
        lines += [f"      {line}" for line in wrap(parameter.description, 100)]
    if not entry.parameters:
        lines.append("  none")
    return "\n".join(lines)


def _duty(parameter: Property) -> str:
    if parameter.required:
        return "required"
    return "optional" if parameter.default is None else f"default {parameter.default}"


def _shortly(text: str | None) -> str:
    return (text or "").splitlines()[0]

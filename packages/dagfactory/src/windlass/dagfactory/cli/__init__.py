"""The command `windlass-dags`: one module a command, each of which imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from windlass.dagfactory.cli import explain, graph, new, registry, schema, stubs, validate

__all__ = ["app", "main"]

app = typer.Typer(
    name="windlass-dags",
    epilog="Exit codes: 0 fine, 1 findings or failure, 2 misuse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph: a terminal is as wide as it is, and typer keeps most line breaks."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


for _command in (
    new.new,
    validate.validate,
    stubs.stubs,
    registry.registry,
    schema.schema,
    graph.graph,
    explain.explain,
):
    app.command(_command.__name__, help=_paragraphs(_command.__doc__ or ""))(_command)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"windlass-dags {version('windlass-dagfactory')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Airflow DAGs from JSON configs."""


def main() -> None:
    """Run the command line."""
    app()

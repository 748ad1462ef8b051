"""The command ``uv run deployments/local``: the local stack without Docker."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from windlass.deployments.errors import DeploymentError
from windlass.deployments.settings import ENV_PREFIX, Settings
from windlass.warehouse.errors import WarehouseError

__all__ = ["app", "main"]

_HELP = {"help_option_names": ["-h", "--help"]}
_EPILOG = (
    "Exit codes: 0 fine, 1 the run failed or did not find what it should, 2 misuse, 130 Ctrl-C. "
    "Settings also come from WINDLASS_... variables and .env; .env.example lists them. Example: "
)

app = typer.Typer(
    name="deployments/local",
    help="Runs Postgres and Airflow on this machine, without Docker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)

StateDir = Annotated[
    Path | None, typer.Option(help="Folder for all that the stack writes. [default: .windlass/local]")
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object as the last line of standard output; all else goes to standard error.",
    ),
]


@app.callback()
def local() -> None:
    """Runs Postgres and Airflow on this machine, without Docker."""


@app.command(context_settings=_HELP, epilog=_EPILOG + "uv run deployments/local demo --keep")
def demo(  # noqa: PLR0917 - the options of a command
    config: Annotated[
        Path | None,
        typer.Option(
            help="Folder with your own config (dag.json or NAME.dag.json) to run instead of the example."
        ),
    ] = None,
    dag_id: Annotated[
        str | None, typer.Option(help="Which DAG to run, where --config holds several.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Airflow with its UI and Postgres running.")
    ] = False,
    state_dir: StateDir = None,
    api_port: Annotated[
        int | None, typer.Option(help="Airflow's port. [default: a free one; with --keep 8080, if free]")
    ] = None,
    postgres_port: Annotated[int | None, typer.Option(help="Postgres' port. [default: a free one]")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the generated data. [default: 42]")] = None,
    scale: Annotated[float | None, typer.Option(help="1 is 100,000 sales. [default: 1]")] = None,
    as_json: AsJson = False,
) -> None:
    """From nothing to a finished, checked ETL run: Postgres, seeded data, Airflow, one DAG run.

    A second run is quicker and doubles nothing. Ctrl-C stops all of it.
    """
    settings = _settings(
        state_dir=state_dir, api_port=api_port, postgres_port=postgres_port, seed=seed, scale=scale
    )
    raise typer.Exit(
        _guarded(lambda: _demo(settings, config, dag_id, keep=keep, as_json=as_json), as_json=as_json)
    )


@app.command(context_settings=_HELP, epilog=_EPILOG + "uv run deployments/local down")
def down(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Stop whatever of the stack still runs. The data stays for the next run."""
    settings = _settings(state_dir=state_dir)
    raise typer.Exit(_guarded(lambda: _down(settings, as_json=as_json), as_json=as_json))


def _demo(settings: Settings, config: Path | None, dag_id: str | None, *, keep: bool, as_json: bool) -> int:
    # Imported here so that --help and misuse answer at once.
    from windlass.deployments.local.demo import Demo
    from windlass.deployments.local.farewell import say_end
    from windlass.deployments.local.layout import Layout
    from windlass.deployments.local.progress import Progress
    from windlass.deployments.local.target import find_target

    # A config that names classes has Airflow imported to check them; it must not make a home in the user's.
    layout = Layout(settings.state_dir.resolve())
    layout.prepare()
    os.environ["AIRFLOW_HOME"] = str(layout.airflow_home)
    run = Demo(settings, layout, find_target(config, dag_id), keep, Progress())
    report = run.run()
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    report.print(console)
    say_end(console, report, run.kept, settings, config=config)
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    return 0 if report.succeeded else 1


def _down(settings: Settings, *, as_json: bool) -> int:
    from windlass.deployments.local.down import stop_all

    stopped = stop_all(settings.state_dir.resolve())
    names = [name for name, was_up in asdict(stopped).items() if was_up]
    if as_json:
        sys.stdout.write(json.dumps({"stopped": names}) + "\n")
    else:
        sys.stdout.write(f"Stopped {' and '.join(names)}.\n" if names else "Nothing was running.\n")
    return 0


def _settings(**flags: Any) -> Settings:
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else "settings"
            origin = f"--{name.replace('_', '-')}" if name in given else f"{ENV_PREFIX}{name.upper()}"
            sys.stderr.write(f"{origin}: {problem['msg']} (given: {problem['input']!r})\n")
        raise typer.Exit(2) from None


def _guarded(action: Callable[[], int], *, as_json: bool) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    # libpq reads these: what they say is meant for another server than ours.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    try:
        return action()
    except (DeploymentError, WarehouseError) as error:
        _tell(error, as_json=as_json)
        return error.exit_code if isinstance(error, DeploymentError) else 1
    except OSError as error:
        _tell(_unusable(error), as_json=as_json)
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; no process is left. The next run goes on from here.\n")
        return 130


def _stop(*_: object) -> NoReturn:
    """Stop in order; an impatient second Ctrl-C must not cut that short."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _one_moment)
    raise KeyboardInterrupt


def _one_moment(*_: object) -> None:
    os.write(2, b"Stopping; one moment.\n")


def _unusable(error: OSError) -> DeploymentError:
    where = f"{error.filename}: " if error.filename else ""
    return DeploymentError(
        f"{where}{error.strerror or error}.",
        "Check that the state folder can be written and its disk has room, or give another: --state-dir.",
    )


def _tell(error: DeploymentError | WarehouseError, *, as_json: bool) -> None:
    sys.stderr.write(f"{error}\n")
    if as_json:
        sys.stdout.write(
            json.dumps({"state": "error", "message": error.message, "advice": error.advice}) + "\n"
        )


def main() -> None:
    """Entry point of ``uv run deployments/local``."""
    app()


if os.name == "nt":  # pragma: no cover
    raise SystemExit("The local stack needs Linux, macOS or WSL: Airflow does not run on Windows itself.")

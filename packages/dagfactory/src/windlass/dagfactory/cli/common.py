"""What commands share: how they end, how they count, and how they find configs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

from windlass.dagfactory.diagnostics import Diagnostic, did_you_mean
from windlass.dagfactory.discovery import DEFAULTS_NAMES, ConfigFile, Unreadable, absolute, discover

__all__ = [
    "FAILURE",
    "MISUSE",
    "Found",
    "count",
    "fail",
    "find_configs",
    "misuse",
    "one_of",
    "progress",
    "write",
]

FAILURE, MISUSE = 1, 2
Word = TypeVar("Word", bound=StrEnum)


def one_of(kind: type[Word]) -> Callable[[Any], Word]:
    """Make the reader of an option that takes one of a few words.

    Args:
        kind: The words.
    """

    def read(value: Any) -> Word:
        try:
            return kind(value)
        except ValueError as error:
            words = [word.value for word in kind]
            near, told = did_you_mean(str(value), words), f"there are {', '.join(words)}"
            message = f"there is no {value!r}; {near or told}"
            raise typer.BadParameter(message) from error

    return read


def progress(message: str) -> None:
    """Tell a person something; programs read stdout, so it goes to stderr."""
    typer.echo(f"windlass-dags: {message}", err=True)


def fail(message: str) -> NoReturn:
    """End because the work failed."""
    progress(message)
    raise typer.Exit(FAILURE)


def misuse(message: str) -> NoReturn:
    """End because the command line asks for what cannot be."""
    progress(message)
    raise typer.Exit(MISUSE)


def write(text: str, out: Path | None) -> None:
    """Write what a command makes to a file, in folders made for it, telling so, or on stdout."""
    if out is None:
        typer.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")
    progress(f"{out} written")


def count(number: int, noun: str) -> str:
    """Write a number with its noun: `1 config`, `2 configs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass
class Found:
    """What paths lead to.

    Attributes:
        configs: Configs, each once.
        defaults: Files of folders' defaults, each once.
        diagnostics: What could not be read on the way.
    """

    configs: list[ConfigFile] = field(default_factory=list)
    defaults: list[ConfigFile] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def find_configs(paths: Sequence[Path], *, root: Path | None = None) -> Found:
    """Find the configs that paths name, the defaults beside them, and what could not be read on the way.

    Args:
        paths: Files, or folders that are searched; one that is not there ends the command as misuse.
        root: Folder from which on down folders' defaults count; by default the current one for what is below
            it, else the folder that is named or holds the file that is.
    """
    configs: dict[str, ConfigFile] = {}
    defaults: dict[str, ConfigFile] = {}
    diagnostics: list[Diagnostic] = []
    for path in paths:
        top = _root(path, root)
        if path.is_dir():
            try:
                found = discover(path)
            except OSError as error:
                diagnostics.append(Unreadable(".", error.strerror or str(error)).diagnostic(path))
                continue
            diagnostics.extend(problem.diagnostic(path) for problem in found.unreadable)
            for file in found.configs:
                configs.setdefault(file.path, ConfigFile((path / file.name).as_posix(), file.path, top))
            for name in found.defaults:
                shared = ConfigFile.at(path / name, root=top)
                defaults.setdefault(shared.path, shared)
        elif path.exists() or path.is_symlink():
            file = ConfigFile.at(path, root=top)
            (defaults if path.name in DEFAULTS_NAMES else configs).setdefault(file.path, file)
        else:
            misuse(f"there is no {path}{_near(path)}")
    return Found(list(configs.values()), list(defaults.values()), diagnostics)


def _near(path: Path) -> str:
    """Suggest what is there in place of a path that is not."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    near = did_you_mean(path.name, names)
    return f"; {near}" if near else ""


def _root(path: Path, root: Path | None) -> str:
    own = Path(absolute(path))
    if root is None:
        here = Path.cwd()
        return str(here if own.is_relative_to(here) else own if own.is_dir() else own.parent)
    if not root.is_dir():
        misuse(f"{root} is no folder")
    top = absolute(root)
    if not own.is_relative_to(top):
        misuse(f"{path} is not below the root {root}")
    return top

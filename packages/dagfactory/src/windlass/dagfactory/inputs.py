"""What a DAG is made of: its config, folders' defaults, variables and files; as a digest and quick stamps."""

# A Path for each file would cost more than the rest of a refresh.
# ruff: noqa: PTH110, PTH112, PTH113, PTH119, PTH120

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windlass.dagfactory.checks.rendered import included_files, read_template
from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.document import Problem, parse_document, read_bytes, suffix_of
from windlass.dagfactory.layers import ChainReader, resolve
from windlass.dagfactory.layers.digests import variable_digest, variables_unchanged
from windlass.dagfactory.layers.variables import declared_names
from windlass.dagfactory.stamps import Stamp, is_as_stamped, take_content, take_stamp

__all__ = ["Inputs", "files_of_sound", "named_files", "take_inputs", "unchanged"]

_NAME_MAX = 255
_MAY_NAME_FILES = ("doc_md", "defaults", "notify", "compensate")
_MAY_NAME_FILES_OF_TASKS = ("args", "expand", "expand_kwargs", "notify", "compensate")


@dataclass(frozen=True)
class Inputs:
    """What a config's DAG is made of.

    Attributes:
        digest: Changes exactly when the bytes of the config, of a folder's defaults that count, or of a file
            that they name do, or the value of a variable.
        watch: Stamps by path relative to the config's folder; None where only a new look tells. Without
            folders' defaults, which many configs share.
        variables: Digests of the values of declared variables.
    """

    digest: str
    watch: Mapping[str, Stamp | None]
    variables: Mapping[str, str] = field(default_factory=dict)


def take_inputs(file: ConfigFile, *, folders: ChainReader | None = None) -> Inputs:
    """Read a config and what else its DAG is made of, and remember stamps.

    A file's stamp is taken before its bytes are read: a change in between is seen at the next comparison.
    Where a name could be a file but is none, its folder is watched, so that its appearance is seen.

    Args:
        file: Which config.
        folders: Reads folders' defaults; one for many configs reads each once.
    """
    folder = os.path.dirname(file.path)
    now = time.time_ns()
    own = os.path.basename(file.path)
    watch: dict[str, Stamp | None] = {own: take_stamp(file.path, now)}
    data = read_bytes(file.path)
    digest = hashlib.sha256()
    digest.update(repr(data).encode() if isinstance(data, Problem) else data)
    document = parse_document(data, suffix=suffix_of(file.path))
    resolved = resolve(file, document, (folders or ChainReader()).chain(file))
    variables: dict[str, str] = {}
    for layer in resolved.layers[:-1]:
        content = layer.name, layer.document.text, layer.document.problems, layer.findings
        digest.update(repr(content).encode("utf-8", "surrogateescape"))
    for layer in resolved.layers:
        for name in declared_names(layer.document.data):
            variables[name] = variable_digest(os.environ.get(name))
    digest.update(repr(sorted(variables.items())).encode() if variables else b"")
    for name in named_files(resolved.data, Path(folder)):
        _add(folder, name, watch, digest, now)
    return Inputs(digest.hexdigest(), watch, variables)


def unchanged(
    file: ConfigFile, watch: Mapping[str, Stamp | None], variables: Mapping[str, str] | None = None
) -> bool:
    """Tell without reading them whether a config, its files and its variables are as they were.

    Args:
        file: Which config.
        watch: Stamps of its files.
        variables: Digests of the values of its variables.
    """
    folder = os.path.dirname(file.path)
    for name, stamp in watch.items():
        if stamp is None or not is_as_stamped(f"{folder}/{name}", stamp):
            return False
    return not variables or variables_unchanged(variables)


def named_files(data: Mapping[str, Any], folder: Path) -> list[str]:
    """List the strings of a config that could name files beside it, and what templates take in.

    Args:
        data: The config.
        folder: Its folder.

    Returns:
        Names relative to the folder, each once, sorted, whether or not there are such files.
    """
    names, templates = _names_and_templates(data, folder)
    return sorted(names.union(*(included_files(folder, template) for template in templates)))


def files_of_sound(data: Mapping[str, Any], folder: Path) -> list[str]:
    """List the files on which a config depends in which nothing is wrong.

    Args:
        data: The config.
        folder: Its folder.

    Returns:
        What `named_files` lists, if it is there or taken in by a template: that may do without, or with
        another, and is to be looked at once it is there. Other names that are no file are mere text.
    """
    names, templates = _names_and_templates(data, folder)
    found = {name for name in names if os.path.exists(folder / name)}  # a Path's can raise
    return sorted(found.union(*(included_files(folder, template) for template in templates)))


def _names_and_templates(data: Mapping[str, Any], folder: Path) -> tuple[set[str], list[str]]:
    texts = list(_strings(data))
    names = {os.path.normpath(text) for text in texts if _could_be_file(text)}
    templates = [text for text in texts if "{%" in text]
    templates += [text for name in names if "{%" in (text := read_template(folder / name) or "")]
    return names, templates


def _strings(data: Mapping[str, Any]) -> Iterator[str]:
    """List the strings of a config that Airflow could take for a file or a template."""
    pending: list[Any] = [data.get(key) for key in _MAY_NAME_FILES]
    entries: list[Any] = [data.get("tasks")]
    while entries:
        inside = entries.pop()
        for entry in inside.values() if isinstance(inside, dict) else ():
            if isinstance(entry, dict):
                entries.append(entry.get("tasks"))
                pending.extend(entry.get(key) for key in _MAY_NAME_FILES_OF_TASKS)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str):
            yield value


def _could_be_file(text: str) -> bool:
    if not 0 < len(text) <= _NAME_MAX or "\n" in text or "\0" in text or "{{" in text or text.startswith("/"):
        return False
    return os.path.normpath(text).split("/", 1)[0] not in ("..", ".") and text.isprintable()


def _add(folder: str, name: str, watch: dict[str, Stamp | None], digest: hashlib._Hash, now: int) -> None:
    path = f"{folder}/{name}"
    stamp = take_stamp(path, now)
    if os.path.isfile(path):
        watch[name] = stamp
        digest.update(f"\0{name}\0".encode())
        digest.update(take_content(path))
        return
    above = os.path.dirname(name)
    while above and not os.path.isdir(f"{folder}/{above}"):
        above = os.path.dirname(above)
    watch[above or "."] = take_stamp(f"{folder}/{above or '.'}", now)

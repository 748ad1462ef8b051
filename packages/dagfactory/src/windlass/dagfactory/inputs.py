"""What a DAG is made of, its config and the files it names: as a digest, and as stamps quick to compare."""

# A Path for each file would cost more than the rest of a refresh.
# ruff: noqa: PTH112, PTH113, PTH116, PTH119, PTH120, PTH123

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.document import Problem, parse_document, read_bytes, suffix_of

__all__ = ["Inputs", "Stamp", "take_inputs", "unchanged"]

Stamp = tuple[int, int, int, int]
"""Modification time, change time, size and inode of a file."""

_RACY = 2_000_000_000
_LARGE = 16 * 1024 * 1024
_NAME_MAX = 255


@dataclass(frozen=True)
class Inputs:
    """What a config's DAG is made of.

    Attributes:
        digest: Changes exactly when the bytes of the config or of a file it names do.
        watch: Stamps by path relative to the config's folder; None where only a new look tells.
    """

    digest: str
    watch: Mapping[str, Stamp | None]


def take_inputs(file: ConfigFile) -> Inputs:
    """Read a config and the files it names, and remember their stamps.

    A file's stamp is taken before its bytes are read: a change in between is seen at the next comparison.
    Where a name could be a file but is none, its folder is watched, so that its appearance is seen.
    """
    folder = os.path.dirname(file.path)
    now = time.time_ns()
    own = os.path.basename(file.path)
    watch: dict[str, Stamp | None] = {own: _stamp(file.path, now)}
    data = read_bytes(file.path)
    digest = hashlib.sha256()
    digest.update(repr(data).encode() if isinstance(data, Problem) else data)
    for name in sorted(set(_names(_parse(data, file)))):
        _add(folder, name, watch, digest, now)
    return Inputs(digest.hexdigest(), watch)


def unchanged(file: ConfigFile, watch: Mapping[str, Stamp | None]) -> bool:
    """Tell by stamps alone whether a config and its files are as they were."""
    folder = os.path.dirname(file.path)
    for name, stamp in watch.items():
        if stamp is None:
            return False
        try:
            found = os.stat(f"{folder}/{name}")
        except OSError:
            return False
        if (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino) != stamp:
            return False
    return True


def _stamp(path: str, now: int) -> Stamp | None:
    """Take a file's stamp, unless it is so young that a further change could leave the stamp as it is."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if now - max(found.st_mtime_ns, found.st_ctime_ns) < _RACY:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _parse(data: bytes | Problem, file: ConfigFile) -> Any:
    return parse_document(data, suffix=suffix_of(file.path)).data


def _names(data: Any) -> Iterator[str]:
    """List the strings of a config that could name files beside it."""
    if not isinstance(data, dict):
        return
    tasks = data.get("tasks")
    pending: list[Any] = [data.get("doc_md")]
    pending.extend(
        task.get("args")
        for task in (tasks.values() if isinstance(tasks, dict) else ())
        if isinstance(task, dict)
    )
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str) and _could_be_file(value):
            yield os.path.normpath(value)


def _could_be_file(text: str) -> bool:
    if not 0 < len(text) <= _NAME_MAX or "\n" in text or "\0" in text or "{{" in text or text.startswith("/"):
        return False
    return os.path.normpath(text).split("/", 1)[0] not in ("..", ".") and text.isprintable()


def _add(folder: str, name: str, watch: dict[str, Stamp | None], digest: hashlib._Hash, now: int) -> None:
    path = f"{folder}/{name}"
    stamp = _stamp(path, now)
    if os.path.isfile(path):
        watch[name] = stamp
        digest.update(f"\0{name}\0".encode())
        digest.update(_content(path))
        return
    above = os.path.dirname(name)
    while above and not os.path.isdir(f"{folder}/{above}"):
        above = os.path.dirname(above)
    watch[above or "."] = _stamp(f"{folder}/{above or '.'}", now)


def _content(path: str) -> bytes:
    """Digest a file's bytes; of a large one, which is data rather than code, the size and time."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            if found.st_size > _LARGE:
                return f"{found.st_size} {found.st_mtime_ns}".encode()
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return f"unreadable: {error.errno}".encode()

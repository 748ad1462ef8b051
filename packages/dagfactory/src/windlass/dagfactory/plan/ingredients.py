"""What a plan was made of, as one digest: as long as it is the same, the plan need not be made again.

Looking it up reads the config, folders' defaults and named files, and parses none of them.
"""

# A Path for each file would cost more than the rest.
# ruff: noqa: PTH116, PTH118, PTH120

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from windlass.dagfactory.discovery import DEFAULTS_NAMES
from windlass.dagfactory.stamps import RACY, take_content

if TYPE_CHECKING:
    from windlass.dagfactory.discovery import ConfigFile

__all__ = ["Code", "Ingredients", "all_old", "code_of", "is_as_it_was", "take_digest"]

_INSTALLED = ("site-packages", "dist-packages")
_IMPORTED = time.time_ns()

FileStamp = tuple[str, int, int]
"""Path, modification time and size of a file, or of a folder with 0 for its size."""


class Ingredients(NamedTuple):
    """What besides its config and folders' defaults a plan was made of.

    Attributes:
        also_in: Other configs that claim the same DAG id.
        variables: Names of environment variables.
        files: Names, relative to the config's folder, of files that are or could be there.
    """

    also_in: tuple[str, ...]
    variables: tuple[str, ...]
    files: tuple[str, ...]


class Code(NamedTuple):
    """The code by which a plan was made.

    Attributes:
        python: Python's tag for bytecode, and the folder of this package.
        stamps: Folders into which packages are installed, and source files elsewhere.
    """

    python: tuple[str, str]
    stamps: tuple[FileStamp, ...]


def take_digest(file: ConfigFile, content: bytes, ingredients: Ingredients) -> bytes:
    """Digest all that a plan is made of, from the bytes of files, not their times.

    Args:
        file: Which config.
        content: Digest of its bytes, see `windlass.dagfactory.stamps.take_content`.
        ingredients: What else.
    """
    parts = [file.name, file.dag_name, *ingredients.also_in]
    digest = hashlib.sha256(os.fsencode("\0".join(parts)))
    digest.update(b"\0" + content)
    for path in _defaults_paths(file):
        if os.path.lexists(path):
            digest.update(os.fsencode(f"\0{path[len(file.root) :]}\0"))
            digest.update(take_content(path) + _leads_out(file.root, path[len(file.root) :]))
    for name in ingredients.variables:
        digest.update(f"\0{name}={os.environ.get(name)!r}".encode("utf-8", "surrogateescape"))
    folder = os.path.dirname(file.path)
    for name in ingredients.files:
        digest.update(os.fsencode(f"\0{name}\0"))
        digest.update(take_content(os.path.join(folder, name)) + _leads_out(folder, name))
    return digest.digest()


def all_old(file: ConfigFile, ingredients: Ingredients, begin: int) -> bool:
    """Tell whether all files but the config itself are older than a moment, by what clocks and stamps allow.

    Args:
        file: Which config.
        ingredients: What else.
        begin: The moment before any of it was read, in nanoseconds since the epoch.
    """
    folder = os.path.dirname(file.path)
    for path in (*_defaults_paths(file), *(os.path.join(folder, name) for name in ingredients.files)):
        for look in (os.lstat, os.stat):  # a link's own age counts too
            try:
                found = look(path)
            except (OSError, ValueError):
                continue
            if max(found.st_mtime_ns, found.st_ctime_ns) > begin - RACY:
                return False
    return True


def code_of(packages: Iterable[str]) -> Code | None:
    """Stamp the code that runs in this process, or None if some of it was changed since it was imported.

    Args:
        packages: Names of packages, this one's too. What is installed needs no look at each file: installing
            anything changes the folder into which it is put. For code that is run from its source, as in a
            checkout, every imported file counts.
    """
    prefixes = tuple(f"{package}." for package in packages)
    installed = list(_installed())
    inside = tuple(f"{folder}/" for folder, _, _ in installed)
    names = [name for name in sys.modules if f"{name}.".startswith(prefixes)]
    paths = {getattr(sys.modules[name], "__file__", None) for name in names}
    elsewhere = sorted(path for path in paths if path and not path.startswith(inside))
    stamps = (*installed, *filter(None, map(_stamp, elsewhere)))
    if len(stamps) < len(installed) + len(elsewhere) or any(_changed_since(path) for path, _, _ in stamps):
        return None
    return Code(_python(), stamps)


def is_as_it_was(code: Code) -> bool:
    """Tell whether the code is that by which a plan was made."""
    count = len(installed := tuple(_installed()))
    return (
        code.python == _python()
        and code.stamps[:count] == installed
        and all(_stamp(stamp[0]) == stamp for stamp in code.stamps[count:])
    )


def _python() -> tuple[str, str]:
    return sys.implementation.cache_tag or "", os.path.dirname(__file__)


def _installed() -> Iterator[FileStamp]:
    for folder in sys.path:
        if folder.endswith(_INSTALLED):
            try:
                yield folder, os.stat(folder).st_mtime_ns, 0
            except OSError:
                continue


def _changed_since(path: str) -> bool:
    """Tell whether code was changed after this process imported it; who copies it may set its time back."""
    try:
        found = os.stat(path)
    except OSError:
        return True
    return max(found.st_mtime_ns, found.st_ctime_ns) > _IMPORTED


def _stamp(path: str) -> FileStamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return path, found.st_mtime_ns, found.st_size


def _leads_out(folder: str, name: str) -> bytes:
    """Tell whether links lead from a name in a folder out of it, which is a mistake whatever is there."""
    path = folder.rstrip("/")
    for part in name.split("/"):
        path = f"{path}/{part}" if part else path
        try:
            if not stat.S_ISLNK(os.lstat(path).st_mode):
                continue
        except (OSError, ValueError):
            return b""
        real = os.path.realpath(os.path.join(folder, name.lstrip("/")))
        return b"" if real.startswith(f"{os.path.realpath(folder).rstrip('/')}/") else b"leads out"
    return b""


def _defaults_paths(file: ConfigFile) -> Iterator[str]:
    """List where folders' defaults could be, from the config's folder up to its root."""
    folder = os.path.dirname(file.path)
    while True:
        for name in DEFAULTS_NAMES:
            yield f"{folder}/{name}"
        if folder == file.root or not folder.startswith(f"{file.root.rstrip('/')}/"):
            return
        folder = os.path.dirname(folder)

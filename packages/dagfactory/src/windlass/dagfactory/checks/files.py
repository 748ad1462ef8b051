"""Are the files that a config names beside it: in its folder once links are followed, regular, readable."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean

__all__ = ["check_file"]


def check_file(folder: Path, name: str, path: JsonPath) -> Iterator[Finding]:
    """Check a file that a config names.

    Args:
        folder: The config's folder.
        name: The file as the config names it, relative to the folder, with slashes.
        path: Where the config names it.
    """
    if _is_plainly_there(os.fspath(folder), name):
        return
    if not name or "\0" in name:
        yield Finding(Code.FILE_NOT_FOUND, path, "no file is named")
        return
    if PurePosixPath(name).is_absolute() or "\\" in name:
        yield Finding(
            Code.PATH_ESCAPE, path, f'"{name}" is no relative path', "name it relative to the config, with /"
        )
        return
    target = Path(os.path.normpath(folder / name))
    try:
        real = Path(os.path.realpath(target, strict=True))
    except OSError as error:
        yield _missing(folder, target, name, path, error)
        return
    if not real.is_relative_to(os.path.realpath(folder)):
        yield Finding(Code.PATH_ESCAPE, path, f'"{name}" leads out of the config\'s folder')
    elif not real.is_file() or not os.access(real, os.R_OK):
        yield Finding(Code.NOT_A_FILE, path, f'"{name}" is not a file that can be read')


def _is_plainly_there(folder: str, name: str) -> bool:
    """Tell whether there is nothing to look into, as nearly always: no link and no step up on the way.

    Following links to the end asks for each folder from the root down, at a third of what a check costs.
    """
    path, kind = folder, stat.S_IFDIR
    for part in name.split("/"):
        if part in ("", ".", "..") or "\\" in part or "\0" in part or kind != stat.S_IFDIR:
            return False
        path = f"{path}/{part}"
        try:
            kind = stat.S_IFMT(os.lstat(path).st_mode)
        except OSError:
            return False
    return kind == stat.S_IFREG and os.access(path, os.R_OK)


def _missing(folder: Path, target: Path, name: str, path: JsonPath, error: OSError) -> Finding:
    if not target.is_relative_to(os.path.normpath(folder)):
        return Finding(Code.PATH_ESCAPE, path, f'"{name}" leads out of the config\'s folder')
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return Finding(Code.NOT_A_FILE, path, f'"{name}" cannot be read: {error.strerror}')
    beside = [entry.name for entry in target.parent.iterdir()] if target.parent.is_dir() else []
    return Finding(
        Code.FILE_NOT_FOUND,
        path,
        f'there is no file "{name}" in the config\'s folder',
        did_you_mean(target.name, beside),
    )

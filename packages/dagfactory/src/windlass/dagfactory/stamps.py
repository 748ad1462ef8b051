"""When a file was last changed, as far as that can be told without reading it."""

# A Path for each file would cost more than the rest of a refresh.
# ruff: noqa: PTH116

from __future__ import annotations

import os

__all__ = ["Stamp", "is_as_stamped", "take_stamp"]

Stamp = tuple[int, int, int, int]
"""Modification time, change time, size and inode of a file."""

_RACY = 2_000_000_000


def take_stamp(path: str, now: int) -> Stamp | None:
    """Take a file's stamp, unless it is so young that a further change could leave the stamp as it is.

    Args:
        path: The file.
        now: Nanoseconds since the epoch, taken before the file is read.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if now - max(found.st_mtime_ns, found.st_ctime_ns) < _RACY:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def is_as_stamped(path: str, stamp: Stamp) -> bool:
    """Tell by its stamp whether a file is as it was."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino) == stamp

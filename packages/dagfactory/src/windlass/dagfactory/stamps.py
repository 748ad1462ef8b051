"""When a file was last changed, as far as that can be told without reading it; and what is in it."""

# A Path for each file would cost more than the rest of a refresh.
# ruff: noqa: PTH116

from __future__ import annotations

import hashlib
import os
import stat

__all__ = ["RACY", "Stamp", "is_as_stamped", "take_content", "take_stamp"]

Stamp = tuple[int, int, int, int]
"""Modification time, change time, size and inode of a file."""

RACY = 2_000_000_000
"""Nanoseconds within which two changes of a file can leave one stamp."""
_LARGE = 16 * 1024 * 1024


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
    if now - max(found.st_mtime_ns, found.st_ctime_ns) < RACY:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def is_as_stamped(path: str, stamp: Stamp) -> bool:
    """Tell by its stamp whether a file is as it was."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino) == stamp


def take_content(path: str) -> bytes:
    """Digest a file's bytes; of a large one, which is data rather than code, the size and time.

    What is no regular file, or cannot be read, has a digest too: that it is so.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return f"unreadable: {getattr(error, 'errno', 0)}".encode()
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return f"no regular file: {stat.S_IFMT(found.st_mode)}".encode()
        if found.st_size > _LARGE:
            return f"{found.st_size} {found.st_mtime_ns}".encode()
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return hashlib.sha256(file.read()).digest()
    except OSError as error:
        return f"unreadable: {error.errno}".encode()
    finally:
        os.close(descriptor)

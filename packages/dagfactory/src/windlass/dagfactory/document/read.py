"""A config file's bytes, bounded, and never waited for: what is no regular file is a mistake, not a hang."""

from __future__ import annotations

import os
import stat

from windlass.dagfactory.diagnostics import Code
from windlass.dagfactory.document.limits import MAX_BYTES
from windlass.dagfactory.document.scan import Problem

__all__ = ["read_bytes"]

_LEAST = 4096


def read_bytes(path: str | os.PathLike[str]) -> bytes | Problem:
    """Read a config file, bounded, without waiting on what is no regular file.

    Returns:
        The bytes, at most one more than `MAX_BYTES`, or the problem that kept them from being read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(error.strerror or type(error).__name__)
    except ValueError as error:
        return _unreadable(str(error))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return _unreadable("not a regular file")
        return _read_all(descriptor, found.st_size)
    except OSError as error:
        return _unreadable(error.strerror or type(error).__name__)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    """Read to the end, or one byte too many; a file may be longer by now than its size was."""
    chunks: list[bytes] = []
    left = MAX_BYTES + 1
    room = size + 1  # as much memory as it takes, and not that of the longest file for each
    while left > 0 and (chunk := os.read(descriptor, min(left, max(room, _LEAST)))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _unreadable(reason: str) -> Problem:
    return Problem(Code.UNREADABLE, (0, 1), (), f"the file cannot be read: {reason}")

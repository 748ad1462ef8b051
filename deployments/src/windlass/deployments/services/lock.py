"""Keeps two commands from working on one state folder at the same time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.deployments.errors import StateInUseError

__all__ = ["exclusive"]


@contextmanager
def exclusive(state_dir: Path) -> Iterator[None]:
    """Hold `state_dir` for as long as the block runs; the kernel lets go of it if the process dies.

    Raises:
        StateInUseError: Another live process holds it.
    """
    # CLOEXEC keeps the lock out of the services, which outlive the command with --keep.
    handle = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            raise StateInUseError(state_dir, int(holder) if holder.isdigit() else None) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(handle)

"""Finds processes that a stage has left running: a leaked server fails somebody else later."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

__all__ = ["running", "settle"]

MARK = "CI_WORK"  # every process of a stage inherits it, daemons too
PATIENCE = 5.0  # seconds for what is already on its way out


def running(mark: str) -> dict[int, str]:
    """Return the command lines, by process id, of all other processes that carry the mark's value."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if wanted in environment:
            found[int(folder.name)] = command.strip()
    return found


def settle(mark: str, patience: float) -> dict[int, str]:
    """Wait until none is left or the patience is; return what is left."""
    deadline = time.monotonic() + patience
    while (left := running(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def main() -> None:
    """End what is left of the folder named on the command line, and fail when there was anything."""
    left = settle(sys.argv[1], PATIENCE)
    for pid, command in left.items():
        print(f"left running: {pid} {command}", file=sys.stderr)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    sys.exit(bool(left))


if __name__ == "__main__":
    main()

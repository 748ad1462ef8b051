"""Finds processes that a stage has left running: a leaked server fails somebody else later."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

__all__ = ["running", "settle"]

PATIENCE = 15.0  # seconds for what is already on its way out


def running(folder: str) -> dict[int, str]:
    """Return, by process id, the command lines of all others whose environment names the gate's folder.

    What a stage starts inherits it in some variable: a daemon that keeps only a few has PATH or TMPDIR.
    """
    named = re.compile(rb"[=:]" + re.escape(os.fsencode(folder)) + rb"[/:\0]")
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if named.search(environment):
            found[int(process.name)] = command.strip()
    return found


def settle(folder: str, patience: float) -> dict[int, str]:
    """Wait until none is left or the patience is; return what is left."""
    deadline = time.monotonic() + patience
    while (left := running(folder)) and time.monotonic() < deadline:
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

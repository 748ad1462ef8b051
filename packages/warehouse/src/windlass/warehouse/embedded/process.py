"""What the operating system knows of a server: whether the process in `postmaster.pid` is ours, and what it left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Postmaster", "is_alive", "orphans", "read_postmaster", "remove_leftovers", "wait_until"]

_PROC = Path("/proc")
_PID_FILE_LINES = 7
_STATUS_LINE = 7


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says (src/include/utils/pidfile.h).

    Attributes:
        pid: Process id.
        port: TCP port.
        socket_dir: Folder of the Unix socket.
        listen: First address listened on.
        ready: Whether connections are accepted.
    """

    pid: int
    port: int
    socket_dir: Path
    listen: str
    ready: bool


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read `postmaster.pid` if a server of this cluster is alive; a stale file counts as none."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    # The server writes the file line by line while it starts.
    if len(lines) < _PID_FILE_LINES or not is_alive(int(lines[0]), cluster):
        return None
    ready = len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
    return Postmaster(int(lines[0]), int(lines[3]), Path(lines[4]), lines[5], ready)


def is_alive(pid: int, cluster: Path) -> bool:
    """Whether a process exists, is no zombie, and is the postmaster of this cluster.

    A pid alone proves nothing: after a crash or a restart of a container another process may have it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's: only root starts servers for others, and root is not refused.
        return False
    if not _PROC.is_dir():
        return True
    # A zombie's command line is empty. The link /proc/PID/cwd would need CAP_SYS_PTRACE in a container.
    return os.fsencode(cluster) in _command_line(pid).split(b"\0")


def _command_line(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def orphans(cluster_name: str) -> list[int]:
    """Find server processes of a cluster by the `cluster_name` in their titles."""
    if not _PROC.is_dir():
        return []
    title = b"postgres: " + cluster_name.encode() + b": "
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _command_line(pid).startswith(title)]


def remove_leftovers(cluster: Path, cluster_name: str, *, timeout: float) -> None:
    """Clear what a killed postmaster left, so that the next one can start. The caller holds the start lock.

    Backends outlive their postmaster until they look up from their query, and hold its shared memory; they are
    killed, since what they do can no longer be committed. A `postmaster.pid` whose number now belongs to
    another process would be believed by the server; it is removed. A merely stale one the server handles.
    """
    for pid in orphans(cluster_name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not orphans(cluster_name), timeout=timeout)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool], *, timeout: float, interval: float = 0.005) -> bool:
    """Poll a condition until it holds or the time is over; tells whether it held."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True

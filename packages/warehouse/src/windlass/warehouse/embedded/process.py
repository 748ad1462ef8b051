"""What the operating system knows of a server: whether `postmaster.pid` tells the truth, and what is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Postmaster", "is_alive", "living_pid", "read_postmaster", "remove_leftovers", "wait_until"]

_PROC = Path("/proc")
_LISTEN_LINE, _STATUS_LINE = 5, 7
# Position among the numbers after the state in /proc/PID/stat, and PF_KTHREAD (include/linux/sched.h).
_FLAGS, _KERNEL_THREAD = 5, 0x00200000
_EXECVE_SECONDS = 0.2


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says (src/include/utils/pidfile.h) of a server that accepts connections.

    Attributes:
        pid: Process id.
        port: TCP port.
        socket_dir: Folder of the Unix socket.
        listen: First address listened on.
    """

    pid: int
    port: int
    socket_dir: Path
    listen: str


def living_pid(home: Path) -> int | None:
    """Process id of a cluster's server, be it starting, ready or stopping; None when there is none."""
    lines = _pid_file(home)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    return pid if is_alive(pid, home) else None


def read_postmaster(home: Path) -> Postmaster | None:
    """Tell about a cluster's server if it accepts connections; a stale `postmaster.pid` counts as none."""
    lines = _pid_file(home)
    # The server adds line after line while it starts, and replaces the last as it goes.
    if (
        len(lines) <= _STATUS_LINE
        or lines[_STATUS_LINE].strip() != "ready"
        or not is_alive(int(lines[0]), home)
    ):
        return None
    return Postmaster(int(lines[0]), int(lines[3]), Path(lines[4]), lines[_LISTEN_LINE])


def _pid_file(home: Path) -> list[str]:
    try:
        return (home / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def is_alive(pid: int, home: Path) -> bool:
    """Whether a process exists, is no zombie, and is this cluster's postmaster.

    A pid alone proves nothing: after a crash, or in a restarted container, another process may have it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's: a server for someone else is started by root alone, whom nothing is refused.
        return False
    # The link /proc/PID/cwd would need CAP_SYS_PTRACE in a container.
    if not _PROC.is_dir():
        return True
    line = _command_line(pid)
    return _serves(line, home) if line else _may_become_a_program(pid)


def _serves(command_line: bytes, home: Path) -> bool:
    return b"/postgres\0-D\0" + os.fsencode(home) + b"\0" in command_line


def _command_line(pid: int) -> bytes:
    line = _read(pid, "cmdline")
    return line if line.strip(b"\0") else b""


def _may_become_a_program(pid: int) -> bool:
    """Whether a process without a command line is in the midst of execve, not dead or the kernel's."""
    # proc_pid_stat(5); the name in parentheses may hold anything, a parenthesis too.
    state, *numbers = _read(pid, "stat").rpartition(b")")[2].split() or [b"X"]
    return state not in (b"Z", b"X", b"x") and not int(numbers[_FLAGS]) & _KERNEL_THREAD


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _remains(home: Path, cluster_name: str) -> list[int]:
    if not _PROC.is_dir():
        return []
    title = b"postgres: " + cluster_name.encode() + b": "
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [
        pid for pid in pids if (line := _settled_command_line(pid)).startswith(title) or _serves(line, home)
    ]


def _settled_command_line(pid: int) -> bytes:
    # In the instant of execve a server has none; overlooked now, it would run on unknown to anyone.
    wait_until(lambda: bool(_command_line(pid)) or not _may_become_a_program(pid), timeout=_EXECVE_SECONDS)
    return _command_line(pid)


def remove_leftovers(home: Path, cluster_name: str, *, timeout: float) -> None:
    """Clear what a killed server or starter left. The caller holds the lock, and no server is ready.

    Backends outlive their postmaster until they look up from their query, and hold its shared memory; nothing
    they do can be committed any more, so they are killed. The same goes for a server that had not yet written
    its `postmaster.pid` when its starter was killed. A pid file whose number is now another process's would
    be believed by the next server, so it goes too.

    Args:
        home: The cluster.
        cluster_name: Its `cluster_name`, which its processes carry in their titles.
        timeout: Seconds to wait for the killed to be gone.
    """

    def none_left() -> bool:
        remains = _remains(home, cluster_name)
        for pid in remains:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not remains

    wait_until(none_left, timeout=timeout)
    (home / "postmaster.pid").unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool], *, timeout: float, interval: float = 0.005) -> bool:
    """Poll a condition until it holds or the time is over.

    Args:
        condition: What to wait for.
        timeout: Seconds to wait at most.
        interval: Seconds between two looks.

    Returns:
        Whether it held.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True

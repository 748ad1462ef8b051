"""The server as a process: launched detached, watched until ready, shut down without losing a commit."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from windlass.warehouse.embedded.binaries import Binaries, run
from windlass.warehouse.embedded.cluster import Cluster
from windlass.warehouse.embedded.configuration import write_configuration
from windlass.warehouse.embedded.ports import free_port, refuse_taken_port
from windlass.warehouse.embedded.process import (
    is_alive,
    living_pid,
    read_postmaster,
    remove_leftovers,
    wait_until,
)
from windlass.warehouse.errors import EmbeddedError, PortTakenError, StartFailedError

__all__ = ["await_ready", "launch", "shut_down"]

_FREE_PORT_TRIES = 5

# The shell ends at once, so that init adopts the server: no zombie when it ends, no Ctrl-C from our terminal.
_DETACH = '"$@" >&2 & echo $!'


def launch(
    cluster: Cluster, binaries: Binaries, *, port: int, listen: str, durable: bool, timeout: float
) -> None:
    """Start a cluster's server and wait until it accepts connections.

    Args:
        cluster: Whose server; it exists, and none runs.
        binaries: With what.
        port: TCP port; 0 for the one of last time or any free one.
        listen: Addresses, as `listen_addresses`.
        durable: Whether commits survive a crash of the machine.
        timeout: Seconds to wait until it is ready; recovery after a crash counts.

    Raises:
        PortTakenError: The port is another process's.
        StartFailedError: It ended, or was not ready in time.
    """
    for tries_left in reversed(range(_FREE_PORT_TRIES)):
        chosen = port or _remembered_or_free_port(cluster, listen)
        refuse_taken_port(listen, chosen)
        write_configuration(cluster, port=chosen, listen=listen, durable=durable)
        try:
            _run_server(cluster, binaries, port=chosen, listen=listen, timeout=timeout)
        except PortTakenError:
            # Between finding a port free and listening there, someone else took it.
            if port or not tries_left:
                raise
        else:
            cluster.port_file.write_text(str(chosen))
            return


def _remembered_or_free_port(cluster: Cluster, listen: str) -> int:
    try:
        remembered = int(cluster.port_file.read_text())
        refuse_taken_port(listen, remembered)
    except (FileNotFoundError, ValueError, PortTakenError):
        return free_port()
    return remembered


def _run_server(cluster: Cluster, binaries: Binaries, *, port: int, listen: str, timeout: float) -> None:
    command: list[str | Path] = [
        "/bin/sh",
        "-c",
        _DETACH,
        "sh",
        binaries.path("postgres"),
        "-D",
        cluster.home,
    ]
    with cluster.log.open("ab") as log:
        log_begin = log.tell()
        finished = run(command, cluster.account, stderr=log.fileno())
    if not await_ready(cluster, int(finished.stdout), timeout=timeout):
        # Another try must not meet a server of this one, be it its last process or one that only seemed gone.
        remove_leftovers(cluster.home, cluster.name, timeout=timeout)
        said = _log_since(cluster.log, log_begin)
        if "Address already in use" in said:
            raise PortTakenError(port, listen=listen)
        raise StartFailedError(
            f"The server in {cluster.state_dir} ended while starting: {said}",
            advice=f"Its log is {cluster.log}.",
        )


def await_ready(cluster: Cluster, pid: int, *, timeout: float) -> bool:
    """Wait until a server accepts connections, or is gone.

    Args:
        cluster: Whose server.
        pid: Its process.
        timeout: Seconds to wait.

    Returns:
        True when it is ready, False when it is gone.

    Raises:
        StartFailedError: It was neither in time.
    """

    def ready() -> bool:
        return read_postmaster(cluster.home) is not None

    if not wait_until(lambda: ready() or not is_alive(pid, cluster.home), timeout=timeout):
        raise StartFailedError(
            f"The server in {cluster.state_dir} (pid {pid}) is not ready after {timeout:g} s.",
            advice=f"Its log {cluster.log} tells what it does; give it more time (`timeout`).",
        )
    return ready()


def _log_since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        lines = file.read().decode(errors="replace").splitlines()
    return " / ".join(lines[-5:]) or "it wrote nothing to its log"


def shut_down(cluster: Cluster, *, timeout: float) -> bool:
    """Stop a cluster's server.

    Args:
        cluster: Whose server.
        timeout: Seconds to wait for it to write all it holds in memory.

    Returns:
        Whether one was running.

    Raises:
        EmbeddedError: It did not end.
    """
    pid = living_pid(cluster.home)
    if pid is None:
        return False
    # Fast shutdown first; the immediate one loses no commit either, but leaves recovery to the next start.
    for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(lambda: not is_alive(pid, cluster.home), timeout=patience):
            return True
    raise EmbeddedError(
        f"The server in {cluster.state_dir} (pid {pid}) does not end.", advice=f"Its log is {cluster.log}."
    )

"""Chooses the ports that a deployment listens on."""

from __future__ import annotations

import socket

from windlass.deployments.errors import PortTakenError

__all__ = ["choose_port", "is_free"]


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` of `host` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(asked: int | None, preferred: int, *, option: str, host: str = "127.0.0.1") -> int:
    """The port to listen on: the one asked for, else the preferred one, else any free one.

    Args:
        asked: The user's choice, if there is one.
        preferred: Taken if free; 0 for none.
        option: How the user asks for another, for the message.
        host: Address to listen on.

    Raises:
        PortTakenError: A port was asked for by number and is not free.
    """
    if asked is not None:
        if not is_free(asked, host):
            raise PortTakenError(asked, option)
        return asked
    if preferred and is_free(preferred, host):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])

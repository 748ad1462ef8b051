"""Chooses the ports that a deployment listens on."""

from __future__ import annotations

import errno
import socket

from windlass.deployments.errors import MisuseError, PortTakenError

__all__ = ["choose_port"]


def choose_port(asked: int | None, preferred: int, *, option: str, host: str = "127.0.0.1") -> int:
    """The port to listen on: the one asked for, else the preferred one, else any free one.

    Args:
        asked: The user's choice, if there is one.
        preferred: Taken if free; 0 for none.
        option: How the user asks for another, for the message.
        host: Address to listen on.

    Raises:
        PortTakenError: A port was asked for by number and is not free.
        MisuseError: This machine has no such address, or the user may not listen on the port.
    """
    if asked is not None:
        return _bind(asked, host, option)
    try:
        return _bind(preferred, host, option)
    except PortTakenError:
        return _bind(0, host, option)


def _bind(port: int, host: str, option: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise MisuseError(
                f"You may not listen on port {port}.", f"Give a port from 1024 on with {option}."
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTakenError(port, option) from None
            raise MisuseError(
                f"Nothing can listen on {host!r}: {error.strerror or error}.",
                "Set WINDLASS_HOST to an address of this machine, or leave it out for 127.0.0.1.",
            ) from None
        return int(probe.getsockname()[1])

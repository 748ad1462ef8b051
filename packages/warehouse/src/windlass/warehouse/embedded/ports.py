"""TCP ports: free ones, taken ones, and addresses that are none of this machine's."""

from __future__ import annotations

import errno
import socket
from typing import Any

from windlass.warehouse.errors import EmbeddedError, PortTakenError

__all__ = ["LOOPBACK", "address_to_reach", "free_port", "refuse_taken_port"]

LOOPBACK = "127.0.0.1"

# Listening there means everywhere, and nothing can connect to everywhere.
_WILDCARDS = {"": LOOPBACK, "*": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - a table of names


def address_to_reach(listen: str) -> str:
    """The address to connect to for a server listening on `listen`, from the same machine."""
    return _WILDCARDS.get(listen, listen)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def refuse_taken_port(listen: str, port: int) -> None:
    """Check that a server could listen.

    The server itself goes on when one of several addresses is taken, and then answers on the others alone.

    Args:
        listen: Addresses or host names, comma-separated, `*` for all.
        port: TCP port.

    Raises:
        PortTakenError: Another process listens there.
        EmbeddedError: The address is not one of this machine's.
    """
    for name in listen.split(","):
        host = name.strip()
        try:
            found = socket.getaddrinfo(
                None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except socket.gaierror as error:
            raise EmbeddedError(
                f"'{host}' is not an address to listen on.", advice="Give an IP address of this machine."
            ) from error
        for family, kind, protocol, _, target in found:
            _try_bind(family, kind, protocol, target)


def _try_bind(family: int, kind: int, protocol: int, target: Any) -> None:
    host, port = target[:2]
    try:
        probe = socket.socket(family, kind, protocol)
    except OSError:
        # The resolver offers IPv6 where the kernel has none; the server passes over it too.
        return
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(target)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTakenError(port, listen=host) from error
            raise EmbeddedError(
                f"Cannot listen on {host}, port {port}: {error.strerror}.",
                advice="Give an IP address of this machine, and a port above 1023 unless you are root.",
            ) from error

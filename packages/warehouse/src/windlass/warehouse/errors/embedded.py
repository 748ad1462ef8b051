"""Failures of the embedded server."""

from __future__ import annotations

from windlass.warehouse.errors.base import WarehouseError

__all__ = [
    "EmbeddedError",
    "NotRunningError",
    "PortTakenError",
    "StartFailedError",
]


class EmbeddedError(WarehouseError):
    """The embedded server cannot be run."""

    code = "WWH300"


class PortTakenError(EmbeddedError):
    """Another process listens on the port.

    Attributes:
        port: The port that is taken.
    """

    code = "WWH301"

    def __init__(self, port: int, *, listen: str) -> None:
        super().__init__(
            f"Port {port} on {listen} is taken by another process.",
            advice="Choose another one with --port, or 0 for any free one.",
        )
        self.port = port


class StartFailedError(EmbeddedError):
    """The embedded server ended while starting, or was not ready in time."""

    code = "WWH302"


class NotRunningError(EmbeddedError):
    """The embedded server is needed and does not run."""

    code = "WWH303"

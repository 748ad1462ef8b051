"""A PostgreSQL server from a wheel, so that a machine with Python and nothing else has a warehouse."""

from __future__ import annotations

from windlass.warehouse.embedded.binaries import Binaries, find_binaries
from windlass.warehouse.embedded.server import EmbeddedPostgres, ServerStatus

__all__ = ["Binaries", "EmbeddedPostgres", "ServerStatus", "find_binaries"]

"""How much of a document is read at all: bounds, so that a hostile file costs no more than its own error."""

from __future__ import annotations

__all__ = ["MAX_BYTES", "MAX_DEPTH"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64

"""How much of a document is read at all: bounds, so that a hostile file costs no more than its own error."""

from __future__ import annotations

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_PROBLEMS"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_PROBLEMS = 100
"""A file with more malformed places is no config; its owner is not helped by a list of them."""

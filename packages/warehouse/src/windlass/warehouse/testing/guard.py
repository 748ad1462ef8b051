"""Waits for the last process of a test run to end, by whatever death, and then stops its server."""

from __future__ import annotations

import sys
from pathlib import Path

from windlass.warehouse.testing.server import release

__all__: list[str] = []

if __name__ == "__main__":
    release(Path(sys.argv[1]), wait=True)

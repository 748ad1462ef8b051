"""Make the harness importable the way `uv run benchmarks` does: from the folder of the benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent

sys.path.insert(0, str(BENCHMARKS))


@pytest.fixture
def benchmarks() -> Path:
    """The folder that `python benchmarks` runs."""
    return BENCHMARKS

"""Peers live in environments of their own, so that what they need cannot change what we run with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["peer_environment"]


def peer_environment(folder: Path, *requirements: str) -> Path:
    """Make a virtual environment with a peer in it.

    Args:
        folder: Where; it must not exist yet.
        requirements: What to install, e.g. `dlt==1.31.0`.

    Returns:
        The folder of its programs: `python` is in it.
    """
    programs = folder / "bin"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    install = ["uv", "pip", "install", "--quiet", "--python", str(programs / "python"), *requirements]
    subprocess.run(install, check=True)
    return programs

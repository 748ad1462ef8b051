"""Reads the test command from the README, so that the gate runs what users are told to run."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["code_lines", "test_command"]


def code_lines(text: str) -> list[str]:
    """Return the lines inside fenced or indented code blocks, without comments and surrounding space."""
    lines, fenced = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(re.sub(r"\s+#.*", "", line).strip().removeprefix("$ "))
    return lines


def test_command(text: str) -> str:
    """Return the one command that installs uv and runs all the tests."""
    found = [line for line in code_lines(text) if re.fullmatch(r"pip install uv && .*\buv run pytest", line)]
    if len(found) != 1:
        raise SystemExit(f"README.md must state `pip install uv && uv run pytest` once, in code, not {found}")
    return found[0]


if __name__ == "__main__":
    print(test_command(Path("README.md").read_text("utf-8")))

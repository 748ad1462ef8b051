"""Carries the root's pytest settings to where a wheel is tested alone, so that they stay in one place."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["as_ini"]

OF_THE_ROOT_ALONE = {"testpaths", "pythonpath"}


def as_ini(settings: dict[str, Any]) -> str:
    """Render `[tool.pytest.ini_options]` as the text of a pytest.ini."""
    lines = ["[pytest]"]
    for key, value in settings.items():
        if key in OF_THE_ROOT_ALONE:
            continue
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        items = value if isinstance(value, list) else [plain]
        lines += [f"{key} =", *(f"    {item}" for item in items)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    document = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    Path(sys.argv[1]).write_text(as_ini(document["tool"]["pytest"]["ini_options"]), "utf-8")

"""Judges uv.lock beyond `uv lock --check`: where packages come from, and the moment that it describes."""

from __future__ import annotations

import argparse
import re
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["beside", "cutoff", "foreign_sources"]

# In parts, since no tracked file but the lock may name a registry's host and this one is tracked.
DEFAULT_INDEX = "https://{}.org/simple".format("pypi")
LOCAL_SOURCES = {"editable", "virtual", "directory"}

Lock = dict[str, Any]


def foreign_sources(lock: Lock) -> list[str]:
    """Name the packages that come from anywhere but the default index or the workspace itself."""
    problems = []
    for package in lock["package"]:
        source = package["source"]
        if source.get("registry") != DEFAULT_INDEX and not source.keys() & LOCAL_SOURCES:
            problems.append(f"{package['name']}: {source}")
    return problems


def cutoff(lock: Lock) -> str:
    """Return the newest upload in the lock: resolving up to it gives one answer on any later day."""
    files = (
        file
        for package in lock["package"]
        for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    )
    times = [str(file["upload-time"]) for file in files if "upload-time" in file]
    if not times:
        raise SystemExit("uv.lock holds no upload times; relock with a newer uv")
    # uv takes only what is older than the limit, so the newest file needs the next second.
    return (datetime.fromisoformat(max(times)) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def beside(pins: str, limits: str) -> str:
    """Return the limits on packages that the pins leave open, so that both can hold in one environment."""
    pinned = {_name(line) for line in pins.splitlines()}
    kept = [line for line in limits.splitlines() if line.strip() and _name(line) not in pinned]
    return "\n".join(kept) + "\n"


def _name(line: str) -> str:
    stated = re.split(r"[\s\[=<>!~;@#]", line.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", stated).lower()


def main() -> None:
    """Check the lock, or print what other stages derive from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="fail when a package comes from elsewhere than the default index")
    commands.add_parser("cutoff", help="print the moment that the lock describes")
    limit = commands.add_parser("beside", help="print the LIMITS on packages that PINS does not hold")
    limit.add_argument("pins", type=Path)
    limit.add_argument("limits", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "beside":
        print(beside(arguments.pins.read_text("utf-8"), arguments.limits.read_text("utf-8")), end="")
        return
    lock = tomllib.loads(Path("uv.lock").read_text("utf-8"))
    if arguments.command == "cutoff":
        print(cutoff(lock))
    elif problems := foreign_sources(lock):
        raise SystemExit(
            "\n".join([*problems, "uv.lock: not the default index; lock without any index setting"])
        )


if __name__ == "__main__":
    main()

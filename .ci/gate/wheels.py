"""Looks into the built files: what users get is the wheel, not the source tree."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from gate.workspace import Member, members

__all__ = ["problems", "requirement"]


def find(dist: Path, name: str) -> Path:
    """Return the one wheel of a distribution."""
    found = sorted(dist.glob(f"{name.replace('-', '_')}-*.whl"))
    if len(found) != 1:
        raise SystemExit(f"{dist} must hold one wheel of {name}, but holds {[path.name for path in found]}")
    return found[0]


def requirement(wheel: Path, *, bare: bool = False) -> str:
    """Return the requirement that installs this very file, with all its extras unless bare."""
    metadata = _metadata(wheel)
    extras = [] if bare else sorted(metadata.get_all("Provides-Extra") or [])
    suffix = f"[{','.join(extras)}]" if extras else ""
    return f"{metadata['Name']}{suffix} @ {wheel.resolve().as_uri()}"


def problems(wheel: Path, member: Member) -> Iterator[str]:
    """Yield what is wrong with a wheel's content."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = member.module.replace(".", "/")
    own = (f"{package}/", f"{wheel.name.split('-')[0]}-")
    strangers = sorted(name for name in names if not name.startswith(own))
    if strangers:
        yield f"{wheel.name}: holds files outside {package}/: {', '.join(strangers[:5])}"
    if f"{package}/py.typed" not in names:
        yield f"{wheel.name}: no {package}/py.typed, so type checkers ignore its types"
    metadata = _metadata(wheel)
    if metadata["License-Expression"] != "Apache-2.0":
        yield f"{wheel.name}: its metadata does not state the licence Apache-2.0"
    if not str(metadata.get_payload() or metadata["Description"] or "").strip():
        yield f"{wheel.name}: no description; `readme` is missing or empty"


def _metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return Parser().parsestr(archive.read(name).decode("utf-8"))


def main() -> None:
    """Check the wheels, or print the requirements that install them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["check", "requirements"])
    parser.add_argument("dist", type=Path)
    parser.add_argument("names", nargs="*", help="distributions; all without one")
    parser.add_argument("--bare", action="store_true", help="without extras")
    arguments = parser.parse_args()
    chosen = [m for m in members(Path.cwd()) if not arguments.names or m.name in arguments.names]
    if arguments.command == "requirements":
        print("\n".join(requirement(find(arguments.dist, m.name), bare=arguments.bare) for m in chosen))
        return
    found = [problem for m in chosen for problem in problems(find(arguments.dist, m.name), m)]
    sdists = len(list(arguments.dist.glob("*.tar.gz")))
    if sdists != len(chosen):
        found.append(f"{arguments.dist}: {sdists} source distributions for {len(chosen)} packages")
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()

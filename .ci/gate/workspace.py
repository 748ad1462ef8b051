"""What the workspace holds, read from the tree, so that a new package is gated without naming it anywhere."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Member", "members", "pythons", "sources"]


@dataclass(frozen=True)
class Member:
    """One distribution of the workspace."""

    name: str
    folder: Path
    module: str


def members(root: Path) -> list[Member]:
    """Return the members that the root's pyproject names, in its order."""
    patterns = _pyproject(root)["tool"]["uv"]["workspace"]["members"]
    folders = [folder for pattern in patterns for folder in sorted(root.glob(pattern))]
    return [
        Member(_pyproject(folder)["project"]["name"], folder.relative_to(root), _module(folder / "src"))
        for folder in folders
        if (folder / "pyproject.toml").is_file()
    ]


def sources(root: Path) -> list[Path]:
    """Return the folders that the type checker reads: everything but tests and examples."""
    found = [member.folder / "src" for member in members(root)] + [Path("benchmarks"), Path(".ci/gate")]
    return [folder for folder in found if any((root / folder).rglob("*.py"))]


def pythons(root: Path) -> list[str]:
    """Return the supported minor versions, which all members must state alike."""
    stated = {_pyproject(root / member.folder)["project"]["requires-python"] for member in members(root)}
    if len(stated) != 1:
        raise SystemExit(f"the members' requires-python differ: {sorted(stated)}; make them one")
    lowest, ceiling = (int(part.rpartition(".")[2]) for part in stated.pop().split(","))
    return [f"3.{minor}" for minor in range(lowest, ceiling)]


def _pyproject(folder: Path) -> dict:  # type: ignore[type-arg]  # a TOML document has no closer type
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def _module(src: Path) -> str:
    """Go down through the namespace folders, which have no `__init__.py`, to the package itself."""
    folder = src
    while not (folder / "__init__.py").is_file():
        children = [child for child in folder.iterdir() if child.is_dir() and child.name != "__pycache__"]
        if len(children) != 1:
            raise SystemExit(f"{folder} must lead to one package, but holds {sorted(map(str, children))}")
        folder = children[0]
    return ".".join(folder.relative_to(src).parts)


def main() -> None:
    """Print one view of the workspace, a line for each item."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("view", choices=["members", "modules", "sources", "pythons"])
    view, root = parser.parse_args().view, Path.cwd()
    lines = {
        "members": lambda: [f"{m.name} {m.folder} {m.module}" for m in members(root)],
        "modules": lambda: [m.module for m in members(root)],
        "sources": lambda: [str(folder) for folder in sources(root)],
        "pythons": lambda: pythons(root),
    }[view]()
    print("\n".join(lines))


if __name__ == "__main__":
    main()

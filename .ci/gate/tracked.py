"""Finds what no tracked file may hold: one machine's paths, registry hosts, what hides the namespace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

__all__ = ["line_problems", "name_problems"]

# Folders of people and of work places; what containers fix themselves is the same everywhere.
PERSONAL_PATH = re.compile(r"(?:(?<![\w./~$}\-])|(?<=file://))/(?:home|Users|root|work|workspaces?)/[\w.\-]+")
FIXED_BY_IMAGES = ("/home/airflow",)

# By their words, so that this file passes its own check.
REGISTRY_HOST = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io|com)\b"
    r"|\b(?:proxy|sum)\.golang\.org\b|\brepo1?\.maven\.[\w.]*org\b|\b(?:deb|archive)\.(?:debian|ubuntu)\.\w+\b",
    re.IGNORECASE,
)
LOCK = "uv.lock"  # made by uv, and its hosts are judged by `gate.lockfile`
NAMESPACES = {("windlass", "__init__.py"), ("windlass", "operators", "__init__.py")}


def name_problems(name: str, *, executable: bool, shebang: bool) -> Iterator[str]:
    """Yield what is wrong with a tracked file's name and mode."""
    parts = PurePosixPath(name).parts
    if parts[-2:] in NAMESPACES or parts[-3:] in NAMESPACES:
        yield f"{name}: hides every other package of the namespace; delete it"
    if executable and not shebang:
        yield f"{name}: executable, but has no #! line"


def line_problems(name: str, text: str) -> Iterator[str]:
    """Yield what is wrong with a tracked file's lines."""
    for number, line in enumerate(text.splitlines(), 1):
        for path in PERSONAL_PATH.findall(line):
            if not path.startswith(FIXED_BY_IMAGES):
                yield f"{name}:{number}: {path} exists on one machine only"
        if name != LOCK and (host := REGISTRY_HOST.search(line)):
            yield f"{name}:{number}: {host.group()} is a registry's host; leave the index to the user"


def tracked(read: Callable[[str], bytes]) -> Iterator[str]:
    """Yield the problems of all tracked files."""
    listed = subprocess.run(["git", "ls-files", "-sz"], check=True, capture_output=True, text=True).stdout
    for entry in filter(None, listed.split("\0")):
        mode, name = entry.split(" ", 1)[0], entry.split("\t", 1)[1]
        if mode == "120000":  # a symbolic link has no lines of its own
            continue
        content = read(name)
        yield from name_problems(name, executable=mode == "100755", shebang=content.startswith(b"#!"))
        if b"\0" not in content:
            yield from line_problems(name, content.decode("utf-8", "replace"))


def main() -> None:
    """Check the work tree's tracked files."""
    if problems := list(tracked(lambda name: Path(name).read_bytes())):
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()

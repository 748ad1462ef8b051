"""Finds links in Markdown files that lead nowhere, and a README that has outgrown its length."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

__all__ = ["anchors", "broken_links", "links"]

README_LINES = 150
INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?", re.MULTILINE)
HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']")
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield each link's line and target; code is no link."""
    prose = _without_code(text)
    for pattern in (INLINE, REFERENCE, HTML):
        for match in pattern.finditer(prose):
            yield prose.count("\n", 0, match.start(1)) + 1, match.group(1)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, made as forges make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", _without_code(text, spans=False), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number, unique = 0, slug
        while unique in found:
            number, unique = number + 1, f"{slug}-{number + 1}"
        found.add(unique)
    return found


def broken_links(page: Path, root: Path) -> list[str]:
    """Name the links of one page whose file or heading does not exist, or which leave the repository."""
    problems = []
    for line, target in links(page.read_text("utf-8")):
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page.resolve()
        if not file.is_relative_to(root.resolve()):
            problem = "leads out of the repository"
        elif not file.exists():
            problem = "does not exist"
        elif anchor and file.suffix == ".md" and anchor not in _anchors_of(file):
            problem = "has no such heading"
        else:
            continue
        problems.append(f"{page.relative_to(root)}:{line}: {target} {problem}")
    return problems


@cache
def _anchors_of(file: Path) -> set[str]:
    return anchors(file.read_text("utf-8"))


def _without_code(text: str, *, spans: bool = True) -> str:
    """Blank code out, line by line, so that line numbers stay."""
    kept, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark.group(1)
        elif mark and line.strip() == fence:
            fence = ""
        elif not fence:
            kept.append(re.sub(r"(`+).+?\1", "", line) if spans else line)
            continue
        kept.append("")
    return "\n".join(kept)


def main() -> None:
    """Check every tracked page."""
    root = Path.cwd()
    command = ["git", "ls-files", "-z", "*.md"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pages = [root / name for name in listed.split("\0") if name]
    problems = [problem for page in pages for problem in broken_links(page, root)]
    readme = root / "README.md"
    if not readme.is_file():
        problems.append("README.md: there is none")
    elif (lines := len(readme.read_text("utf-8").splitlines())) > README_LINES:
        problems.append(f"README.md: {lines} lines, more than {README_LINES}; move detail into docs/")
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"ok: {len(pages)} pages")


if __name__ == "__main__":
    main()

"""The page of error codes: what each means, a config that has the mistake, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

from windlass.dagfactory.diagnostics import CODES, CodeInfo
from windlass.dagfactory.reference.markdown import cell, code, table

__all__ = ["errors_page"]

_INTRO = """# Error codes

Every mistake that `windlass-dags validate` and Airflow's import errors report, by its code. A code never
changes its meaning. The examples are configs with that mistake, and what is said about them.
"""
_CHAPTERS = {
    "0": "The document",
    "1": "Keys and values",
    "2": "Names, schedules and dependencies",
    "3": "Operators",
    "4": "Files",
    "5": "Secrets",
    "6": "What Airflow refuses",
    "7": "Variables and templates",
    "8": "Notifiers",
}
_MOST_LINES, _WIDEST = 30, 110


def errors_page(broken: Path) -> str:
    """Write the page.

    Args:
        broken: A folder for each code, with a config that has the mistake, and `expected.json` with what is
            reported of it.
    """
    infos = sorted(CODES.values(), key=lambda info: info.code.value)
    rows = [(f"[{i.code.value}](#{i.code.value.lower()})", i.severity, cell(i.title)) for i in infos]
    lines = [_INTRO, table(("code", "severity", "mistake"), rows), ""]
    chapter = ""
    for info in infos:
        if (found := info.code.value[3]) != chapter:
            chapter = found
            lines += [f"## {_CHAPTERS[chapter]}", ""]
        lines.append(_section(info, broken / info.code.value))
    return "\n".join(lines)


def _section(info: CodeInfo, folder: Path) -> str:
    lines = [f"### {info.code.value}", "", f"**{info.title}.** {info.advice}", ""]
    expected = folder / "expected.json"
    if expected.is_file():
        reported = json.loads(expected.read_text(encoding="utf-8"))
        first = next(entry for entry in reported if entry["code"] == info.code.value)
        lines += _example(folder / first["file"], first["file"]) if info.quotes_source else []
        place = f"{first['file']}:{first['line']}:{first['column']}"
        lines += [f"{code(place)}: {cell(first['message'])}", ""]
        if first["suggestion"]:
            lines += [f"Suggested: {cell(first['suggestion'])}", ""]
    return "\n".join(lines)


def _example(file: Path, name: str) -> list[str]:
    """Show a config, unless it is what no page can show: other encodings, control characters, long lines."""
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return []
    shown = text.splitlines()
    printable = all(line.isprintable() and len(line) <= _WIDEST for line in shown)
    if not shown or not printable or len(shown) > _MOST_LINES or "```" in text:
        return []
    return [f"```{'json' if name.endswith('.json') else 'yaml'}", *shown, "```", ""]

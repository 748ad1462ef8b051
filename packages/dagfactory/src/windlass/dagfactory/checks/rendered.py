"""Files beside the config that Airflow renders: scripts given by name, and what templates include and import.

They are found and read by Airflow when a task runs; what is wrong with them is found here before that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from windlass.dagfactory.checks.context import is_template, template_findings
from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.checks.secrets import check_secrets
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, Source

__all__ = ["RenderedFiles", "check_template", "included_files", "read_template"]

_TAKES_IN = re.compile(r"\{%[-+]?\s*(?:include|import|from|extends)\b([^%]*)")
_QUOTED = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_MANY = 100
_LARGE = 1024 * 1024


def included_files(folder: Path, text: str) -> set[str]:
    """Name the files that a template takes in, and those that these take in.

    Without Jinja, so that stubs may watch them: what only looks like a file's name may be among them.

    Args:
        folder: The config's folder.
        text: The template.

    Returns:
        Names relative to the folder, inside of it, whether or not there are such files.
    """
    found: set[str] = set()
    pending = [text]
    while pending and len(found) < _MANY:
        for statement in _TAKES_IN.findall(pending.pop()):
            for one, other in _QUOTED.findall(statement):
                name = _name(one or other)
                if name in found or name.split("/")[0] in ("", "..", "."):
                    continue
                found.add(name)
                content = read_template(folder / name)
                if isinstance(content, str):
                    pending.append(content)
    return found


def check_template(folder: Path, name: str, path: JsonPath) -> Iterator[Finding]:
    """Check a file that Airflow looks up through Jinja, which takes no step up on the way to it.

    Args:
        folder: The config's folder.
        name: The file as the config or a template names it.
        path: Where that is.
    """
    wrong = next(check_file(folder, name, path), None)
    if wrong is None and ".." in name.split("/"):
        straight = os.path.normpath(name)
        wrong = Finding(
            Code.FILE_NOT_FOUND, path, f'Jinja follows no ".." in "{name}"', f'write "{straight}"'
        )
    if wrong is not None:
        yield wrong


class RenderedFiles:
    """Checks the files that one value of a config leads to, each once.

    Args:
        folder: The config's folder.
        path: Where the value stands.
    """

    def __init__(self, folder: Path, path: JsonPath) -> None:
        self._folder = folder
        self._path = path
        self._seen: set[str] = set()

    def of_file(self, name: str, names: frozenset[str]) -> Iterator[Finding]:
        """Check a file that is there, and what it takes in.

        Args:
            name: The file, relative to the folder.
            names: What the context gives it.
        """
        name = os.path.normpath(name)
        if name in self._seen or len(self._seen) >= _MANY:
            return
        self._seen.add(name)
        text = read_template(self._folder / name)
        if text is None:
            yield Finding(Code.NOT_A_FILE, self._path, f'"{name}" is not UTF-8, in which Airflow reads it')
        elif is_template(text):
            source = Source(name, text)
            for finding in template_findings(text, self._path, names):
                yield _placed(finding, source)
            yield from self.of_template(text, names, source)

    def of_template(
        self, template: str, names: frozenset[str], source: Source | None = None
    ) -> Iterator[Finding]:
        """Check the files that a template takes in.

        Args:
            template: The template.
            names: What the context gives it.
            source: The file that it is, if it is one.
        """
        if not _TAKES_IN.search(template):
            return
        from windlass.dagfactory.checks.templates import assigned_names, find_references

        inner = names | assigned_names(template)
        for reference in find_references(template):
            missing = None
            for written in reference.names:
                name = _name(written)
                wrong = next(check_template(self._folder, name, self._path), None)
                if wrong is None:
                    yield from self.of_file(name, inner)
                    break
                missing = missing or wrong
            else:
                if missing is not None and not reference.optional:
                    yield _placed(replace(missing, inside=reference.inside), source)


def _name(written: str) -> str:
    """Name a file as Jinja finds it: below the folder, whether or not the name begins with a slash."""
    return "/".join(part for part in written.split("/") if part and part != ".")


def _placed(finding: Finding, source: Source | None) -> Finding:
    if source is None:
        return finding
    begin = finding.inside[0] if finding.inside else 0
    line = source.text[source.text.rfind("\n", 0, begin) + 1 :].partition("\n")[0]
    secret = next(check_secrets({"args": {"line": line}}), None) is not None
    return replace(finding, source=replace(source, shown=not secret))


def read_template(file: Path) -> str | None:
    """Read a file as Jinja does; None if it cannot be decoded, no text of what is too large to be code."""
    if not os.path.isfile(file):  # noqa: PTH113 - a Path's raises for names that are too long
        return ""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGE + 1)
        text = "" if len(content) > _LARGE else content.decode()
    except UnicodeDecodeError:
        return None
    except OSError:  # gone since it was looked for, or never there
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n")

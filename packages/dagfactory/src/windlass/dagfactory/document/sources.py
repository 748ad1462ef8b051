"""Mistakes in files beside a config, a script that Airflow renders say, at their place in that file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from windlass.dagfactory.diagnostics import Diagnostic, Finding, Source
from windlass.dagfactory.document.document import Document
from windlass.dagfactory.document.scan import Problem

__all__ = ["in_sources"]


def in_sources(findings: Iterable[Finding], config: str) -> list[Diagnostic]:
    """Locate findings in the files that they name.

    Args:
        findings: What is wrong; of those without a file nothing is told.
        config: The config's file as the user knows it.

    Returns:
        The diagnostics, file by file, each in the order of its text.
    """
    by_file: dict[str, list[tuple[Source, Problem]]] = {}
    for finding in dict.fromkeys(findings):
        if finding.source is not None:
            begin, count = finding.inside or (0, 1)
            problem = Problem(
                finding.code, (begin, begin + count), finding.path, finding.message, finding.suggestion
            )
            by_file.setdefault(finding.source.name, []).append((finding.source, problem))
    above = config.rpartition("/")[0]
    return [
        located
        for name, problems in sorted(by_file.items())
        for located in _in_file(f"{above}/{name}" if above else name, problems)
    ]


def _in_file(name: str, problems: list[tuple[Source, Problem]]) -> list[Diagnostic]:
    source = problems[0][0]
    document = Document(source.text, None, tuple(problem for _, problem in problems))
    located = document.diagnostics(name, [])
    if all(each.shown for each, _ in problems):
        return located
    return [replace(diagnostic, source_line=None) for diagnostic in located]

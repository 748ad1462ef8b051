"""Is there a script where Airflow will look for one: it takes commands that end as its name for a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.checks.use import Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath

__all__ = ["check_scripts"]

_SCRIPTS = (".sh", ".bash")
"""What `BashOperator.template_ext` has."""


def check_scripts(use: Use, name: str, folder: Path) -> list[Finding]:
    """Check a parameter of commands, wherever its values stand.

    Args:
        use: What the config says of the operator.
        name: The parameter.
        folder: The config's folder, where Airflow looks.
    """
    findings: list[Finding] = []
    for value, path in _values(use, name):
        if isinstance(value, str) and value.endswith(_SCRIPTS):
            otherwise = "name a script beside the config, or end a command with a space"
            for finding in check_file(folder, value, path):
                near = finding.suggestion if finding.code is Code.FILE_NOT_FOUND else None
                findings.append(replace(finding, suggestion=near or otherwise))
    return findings


def _values(use: Use, name: str) -> Iterator[tuple[Any, JsonPath]]:
    yield use.args.get(name), use.where(name)
    listed = use.expand.get(name)
    for index, value in enumerate(listed if isinstance(listed, list) else ()):
        yield value, (*use.path, "expand", name, index)
    for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
        yield row.get(name), (*use.path, "expand_kwargs", index, name)

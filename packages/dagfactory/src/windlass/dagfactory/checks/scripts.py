"""Is there a file where Airflow will look for one: strings that end as an operator's files are names of some.

Of class paths the class tells which parameters and ends these are; of short names only BashOperator's are
known without importing Airflow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from windlass.dagfactory.checks.context import COMPENSATION_NAMES, CONTEXT_NAMES
from windlass.dagfactory.checks.rendered import RenderedFiles, check_template
from windlass.dagfactory.checks.use import Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath

__all__ = ["BASH", "Rendered", "check_scripts", "rendered_by"]


class Rendered(NamedTuple):
    """What an operator renders.

    Attributes:
        fields: Its parameters that are templates.
        ends: How strings in them end that are taken for names of files.
    """

    fields: tuple[str, ...]
    ends: tuple[str, ...]


BASH = Rendered(("bash_command", "env", "cwd"), (".sh", ".bash"))
"""What `BashOperator` has as template_fields and template_ext."""
_OVERRIDDEN = (
    "render_template",
    "render_template_fields",
    "resolve_template_files",
    "_do_render_template_fields",
)


@cache
def rendered_by(operator: str) -> Rendered:
    """Tell what a class renders; no parameters of one that renders in its own way.

    Args:
        operator: Its path; it is imported.
    """
    from airflow.sdk import BaseOperator

    from windlass.dagfactory.signature import import_operator

    found = import_operator(operator)
    if any(getattr(found, name, None) is not getattr(BaseOperator, name, None) for name in _OVERRIDDEN):
        return Rendered((), _texts(found.template_ext))
    return Rendered(_texts(found.template_fields), _texts(found.template_ext))


def _texts(value: Any) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else value if isinstance(value, Collection) else ()
    return tuple(each for each in listed if isinstance(each, str) and each)


def check_scripts(use: Use, rendered: Rendered, folder: Path) -> list[Finding]:
    """Check the files that an operator's parameters name, wherever their values stand, and what is in them.

    Args:
        use: What the config says of the operator.
        rendered: What the operator renders.
        folder: The config's folder, where Airflow looks.
    """
    if not rendered.ends:
        return []
    names = COMPENSATION_NAMES if use.path[-1:] == ("compensate",) else CONTEXT_NAMES
    findings: list[Finding] = []
    for field in rendered.fields:
        for whole, where in _values(use, field):
            for value, path in _inside(whole, where):
                if value.endswith(rendered.ends):
                    wrong = next(check_template(folder, value, path), None)
                    if wrong is None:
                        findings += RenderedFiles(folder, path).of_file(value, names)
                    else:
                        findings.append(_explained(wrong))
    return findings


def _explained(wrong: Finding) -> Finding:
    otherwise = "name a script beside the config, or end a command with a space"
    near = wrong.suggestion if wrong.code is Code.FILE_NOT_FOUND else None
    return replace(wrong, suggestion=near or otherwise)


def _values(use: Use, name: str) -> Iterator[tuple[Any, JsonPath]]:
    yield use.args.get(name), use.where(name)
    listed = use.expand.get(name)
    for index, value in enumerate(listed if isinstance(listed, list) else ()):
        yield value, (*use.path, "expand", name, index)
    for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
        yield row.get(name), (*use.path, "expand_kwargs", index, name)


def _inside(value: Any, path: JsonPath) -> Iterator[tuple[str, JsonPath]]:
    """List the strings in a value, which are rendered one by one."""
    if isinstance(value, str):
        yield value, path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _inside(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _inside(inner, (*path, index))

"""Diagnostics for code hosts: SARIF 2.1.0, so that a pull request shows each mistake at its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from windlass.dagfactory.diagnostics.codes import CODES, Code
from windlass.dagfactory.diagnostics.model import Diagnostic

__all__ = ["to_sarif"]

_CODE = re.compile(r"(\{\{.*?\}\}|\$[\w${}]+|\{\w+\}(?:_\{\w+\})*|\w+_\w+|@\w+)")
_MEANS_SOMETHING = re.compile(r"[\\`*_<>{}\[\]#|]")
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """Make a SARIF 2.1.0 log of one run, with a rule for every code that occurs.

    Args:
        diagnostics: What was found.

    Returns:
        The log as JSON data, after the OASIS specification 2.1.0.
    """
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    driver = {
        "name": "windlass-dags",
        "semanticVersion": version("windlass-dagfactory"),
        "rules": [_rule(Code(code)) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: Code) -> dict[str, Any]:
    """Describe a code; without `helpUri`, which must be absolute: pages of these codes have no one place."""
    info = CODES[code]
    return {
        "id": info.code.value,
        "name": info.code.name.title().replace("_", ""),
        "shortDescription": {"text": info.title},
        "fullDescription": {"text": f"{info.title}. {info.advice}"},
        "help": {
            "text": info.advice,
            "markdown": f"**{_markdown(info.title)}.** {_markdown(info.advice)}",
        },
        "defaultConfiguration": {"level": info.severity},
    }


def _markdown(text: str) -> str:
    """Write a text as Markdown that reads the same, with what is to be typed as code."""
    return "".join(
        f"`{part}`" if index % 2 else _MEANS_SOMETHING.sub(r"\\\g<0>", part)
        for index, part in enumerate(_CODE.split(text))
    )


def _result(diagnostic: Diagnostic, rule_index: int) -> dict[str, Any]:
    region = {
        "startLine": diagnostic.line,
        "startColumn": diagnostic.column,
        "endColumn": diagnostic.column + diagnostic.length,
    }
    location = {
        "physicalLocation": {"artifactLocation": {"uri": quote(diagnostic.file)}, "region": region},
        "logicalLocations": [{"fullyQualifiedName": diagnostic.path}],
    }
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule_index,
        "level": diagnostic.severity,
        "message": {"text": f"{diagnostic.message}. {diagnostic.advice}"},
        "locations": [location],
    }

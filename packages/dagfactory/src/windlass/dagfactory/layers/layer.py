"""One file's share in what holds for a config: its data with variables filled in, and its own mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.dagfactory.diagnostics import Finding, JsonPath
from windlass.dagfactory.document import Document
from windlass.dagfactory.layers.variables import Substitution, declared_variables

__all__ = ["Layer", "make_layer"]


@dataclass(frozen=True)
class Layer:
    """A file that has a share in a config: a folder's defaults, or the config itself.

    Attributes:
        name: How the file is called in messages.
        path: Where it is, absolute.
        document: Its text and plain data.
        data: The data with variables replaced; empty if it cannot be understood.
        known: Variables that may stand in it, and their values.
        used: Which variables stand in which value.
        findings: What is wrong with it whatever config it has a share in.
    """

    name: str
    path: str
    document: Document
    data: dict[str, Any]
    known: Mapping[str, str | None]
    used: Mapping[JsonPath, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the file itself."""
        return not self.findings and not self.document.problems


def make_layer(
    name: str, path: str, document: Document, outer: Mapping[str, str | None], *, lenient: bool
) -> Layer:
    """Replace the variables in a file's data.

    Args:
        name: How the file is called in messages.
        path: Where it is.
        document: What it holds.
        outer: Variables that the folders around declare.
        lenient: Whether some of those could not be read.
    """
    data = document.data if isinstance(document.data, dict) else {}
    declared, findings = declared_variables(data) if "variables" in data else ({}, [])
    known = {**outer, **declared} if declared else outer
    if "$" not in document.text and "\\" not in document.text:
        return Layer(name, path, document, data, known, findings=tuple(findings))
    substitution = Substitution(known, lenient=lenient)
    data = substitution.of(data)
    return Layer(name, path, document, data, known, substitution.used, (*findings, *substitution.findings))

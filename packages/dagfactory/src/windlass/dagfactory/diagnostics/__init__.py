"""Mistakes as data, their codes, and how they are shown: to people, to programs, to code hosts."""

from __future__ import annotations

from windlass.dagfactory.diagnostics.codes import CODES, Code, CodeInfo, Severity
from windlass.dagfactory.diagnostics.model import (
    Diagnostic,
    Finding,
    JsonPath,
    Source,
    did_you_mean,
    json_path,
    value_at,
)
from windlass.dagfactory.diagnostics.text import render_text

__all__ = [
    "CODES",
    "Code",
    "CodeInfo",
    "Diagnostic",
    "Finding",
    "JsonPath",
    "Severity",
    "Source",
    "did_you_mean",
    "json_path",
    "render_text",
    "value_at",
]

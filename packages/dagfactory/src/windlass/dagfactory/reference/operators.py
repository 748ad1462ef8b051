"""The page of operators and notifiers: what may stand under `args`, from what is installed."""

from __future__ import annotations

from collections.abc import Sequence

from windlass.dagfactory.catalog import Entry
from windlass.dagfactory.reference.markdown import anchor, cell, code, table

__all__ = ["operators_page"]

_INTRO = """# Operators and notifiers

What configs may name, with what stands under `args`. `windlass-dags registry` shows the same of what is
installed with you. Any other operator class goes by its import path, `package.module.Class`, its
constructor's parameters under `args`.
"""


def operators_page(entries: Sequence[Entry]) -> str:
    """Write the page.

    Args:
        entries: What it tells of; those with a problem are left out.
    """
    usable = [entry for entry in entries if not entry.problem]
    head = ("name", "for", "what it does")
    rows = [
        (f"[{code(entry.name)}](#{anchor(entry.name)})", _place(entry), cell(entry.summary))
        for entry in usable
    ]
    return "\n".join([_INTRO, table(head, rows), "", *(_section(entry) for entry in usable)])


def _place(entry: Entry) -> str:
    return "`operator`" if entry.kind == "operator" else "`notifier`"


def _section(entry: Entry) -> str:
    package = f" of {entry.package.partition(' ')[0]}" if entry.package else ""
    lines = [f"## {entry.name}", "", entry.summary, "", f"Class {code(entry.target)}{package}.", ""]
    rows = [
        (
            code(parameter.name),
            cell(parameter.kind),
            "required" if parameter.required else code(parameter.default) if parameter.default else "",
            cell(parameter.description),
        )
        for parameter in entry.parameters
    ]
    lines.append(
        table(("parameter", "type", "default", "what it does"), rows) if rows else "It takes nothing."
    )
    return "\n".join([*lines, ""])

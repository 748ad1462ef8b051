"""The reference of schemas as a Markdown page: each table's columns, keys, rules and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from windlass.warehouse.catalog.mermaid import column_keys, mermaid, short_type
from windlass.warehouse.catalog.tables import Column, Reference, Schema, Table

__all__ = ["markdown"]


def markdown(schemas: Sequence[Schema], *, picture: str | None = None) -> str:
    """Write a reference page.

    Args:
        schemas: What it is about.
        picture: Path of a picture to show instead of Mermaid diagrams, as seen from the page.

    Returns:
        A Markdown page.
    """
    lines = [
        "# Warehouse schema",
        "",
        "Drawn from the catalog of a migrated database by `windlass-warehouse schema`: change a comment in a",
        "migration, not here.",
        "",
        "| schema | tables | what is in it |",
        "|---|---|---|",
    ]
    for schema in schemas:
        tables = ", ".join(f"[{table.name}](#{_anchor(table.title)})" for table in schema.tables)
        lines.append(f"| [{schema.name}](#{_anchor(schema.name)}) | {tables} | {_cell(schema.comment)} |")
    if picture is not None:
        lines += ["", f"![Tables with their columns, and lines from foreign keys to primary keys]({picture})"]
    referring = _referring(schemas)
    for schema in schemas:
        lines += ["", f"## {schema.name}"]
        if schema.comment:
            lines += ["", _cell(schema.comment)]
        if picture is None and any(table.references for table in schema.tables):
            lines += ["", "```mermaid", mermaid(schema.tables).rstrip(), "```"]
        for table in schema.tables:
            lines += ["", *_table(table, referring.get(table.title, []))]
    return "\n".join(lines) + "\n"


def _referring(schemas: Sequence[Schema]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table in (table for schema in schemas for table in schema.tables):
        for reference in table.references:
            found.setdefault(reference.target, []).append(table.title)
    return found


def _table(table: Table, referring: Sequence[str]) -> Iterator[str]:
    yield f"### {table.title}"
    yield ""
    if table.comment:
        yield _cell(table.comment)
        yield ""
    yield "| column | type | key | null | default | meaning |"
    yield "|---|---|---|---|---|---|"
    for column in table.columns:
        keys = ", ".join(column_keys(table, column.name))
        cells = (
            _code(column.name),
            _code(short_type(column.type)),
            keys,
            "yes" if column.nullable else "",
            _default(column),
            _cell(column.comment),
        )
        yield "| " + " | ".join(cells) + " |"
    rules = [*_rules(table)]
    if referring:
        rules.append(f"Referred to by {', '.join(_link(title) for title in dict.fromkeys(referring))}.")
    if rules:
        yield ""
        yield from (f"- {rule}" for rule in rules)


def _rules(table: Table) -> Iterator[str]:
    if len(table.primary_key) > 1:
        yield f"Primary key: {_code(', '.join(table.primary_key))}."
    for columns in table.unique:
        if len(columns) > 1:
            yield f"Unique: {_code(', '.join(columns))}."
    for reference in table.references:
        yield _reference(reference)
    for check in table.checks:
        yield f"{_code(check)}"


def _reference(reference: Reference) -> str:
    columns, targets = _code(", ".join(reference.columns)), _code(", ".join(reference.target_columns))
    return f"{columns} refers to {targets} of {_link(reference.target)}."


def _default(column: Column) -> str:
    if column.is_identity:
        return "numbered"
    if column.generated:
        return f"always {_code(column.generated)}"
    return _code(column.default) if column.default else ""


def _link(title: str) -> str:
    return f"[{title}](#{_anchor(title)})"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _cell(text: str | None) -> str:
    return re.sub(r"([`*<|\[\]])", r"\\\1", " ".join((text or "").split()))


def _code(text: str) -> str:
    plain = " ".join(text.split()).replace("|", "\\|")
    return f"`` {plain} ``" if "`" in plain else f"`{plain}`"

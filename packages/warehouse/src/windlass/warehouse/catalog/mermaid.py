"""An entity diagram as Mermaid text, which forges and documentation sites draw by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from windlass.warehouse.catalog.tables import Column, Reference, Table

__all__ = ["mermaid", "short_type"]

_SHORT = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "character varying": "varchar",
    "character": "char",
    "double precision": "float8",
}
_LONG_TYPE = re.compile("|".join(sorted(map(re.escape, _SHORT), key=len, reverse=True)))


def short_type(name: str) -> str:
    """Write a type by its short name, e.g. `timestamptz`."""
    return _LONG_TYPE.sub(lambda match: _SHORT[match.group()], name)


def mermaid(tables: Sequence[Table]) -> str:
    """Draw tables and the references between them.

    Args:
        tables: The tables; references to others are left out.

    Returns:
        A Mermaid `erDiagram`.
    """
    shown = {table.title for table in tables}
    lines = ["erDiagram"]
    for table in tables:
        lines += [f"    {_quoted(table.title)} {{", *_attributes(table), "    }"]
    for table in tables:
        for reference in table.references:
            if reference.target in shown:
                lines.append(f"    {_relation(table, reference)}")
    return "\n".join(lines) + "\n"


def _attributes(table: Table) -> Iterator[str]:
    for column in table.columns:
        keys = ", ".join(column_keys(table, column.name))
        parts = [_word(_plain_type(column)), _word(column.name), keys]
        if column.comment:
            parts.append(_quoted(column.comment))
        yield "        " + " ".join(part for part in parts if part)


def column_keys(table: Table, column: str) -> list[str]:
    """The keys a column belongs to: PK, FK, and UK where it alone is unique."""
    keys = ["PK"] if column in table.primary_key else []
    keys += ["FK"] if any(column in each.columns for each in table.references) else []
    return keys + (["UK"] if (column,) in table.unique else [])


def _plain_type(column: Column) -> str:
    # Mermaid's types hold no comma: numeric(12,2) is told as numeric.
    return re.sub(r"\([^)]*,[^)]*\)", "", short_type(column.type))


def _word(text: str) -> str:
    word = re.sub(r"[^\w\-\[\]()]", "_", text)
    return word if re.match(r"[^\W\d]", word) else f"_{word}"


def _quoted(text: str) -> str:
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def _relation(table: Table, reference: Reference) -> str:
    nullable = {column.name for column in table.columns if column.nullable}
    parent = "|o" if nullable & set(reference.columns) else "||"
    is_unique = reference.columns in (table.primary_key, *table.unique)
    child = "o|" if is_unique else "o{"
    columns = _quoted(", ".join(reference.columns))
    return f"{_quoted(reference.target)} {parent}--{child} {_quoted(table.title)} : {columns}"

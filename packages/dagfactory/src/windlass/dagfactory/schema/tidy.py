"""Pydantic's schemas as editors show them best: no repeated titles, null said once, one kind of choice."""

from __future__ import annotations

from typing import Any

__all__ = ["tidy"]

_NAMED = ("properties", "$defs", "patternProperties")  # keys below are names, not keywords
_LITERAL = ("default", "examples", "enum", "const", "defaultSnippets")


def tidy(schema: Any) -> Any:
    """Rewrite a schema without changing what it accepts.

    Titles go, since hovering would show the key's own name again. Defaults of null go, since completion would
    offer them. A choice between one simple type and null becomes a list of types: its errors name the type
    instead of the choice. `oneOf` between branches that exclude each other becomes `anyOf`: editors offer the
    keys of all branches.
    """
    if isinstance(schema, list):
        return [tidy(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    tidied: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and value is None:
            continue
        if key in _NAMED:
            tidied[key] = {name: tidy(inner) for name, inner in value.items()}
        elif key in _LITERAL:
            tidied[key] = value
        elif key == "description":
            tidied[key] = _unwrapped(value)
        else:
            tidied["anyOf" if key == "oneOf" else key] = tidy(value)
    tidied.pop("discriminator", None)
    return _without_choice_of_null(tidied)


def _without_choice_of_null(schema: dict[str, Any]) -> dict[str, Any]:
    branches = schema.get("anyOf")
    if not isinstance(branches, list):
        return schema
    branches = [inner for branch in branches for inner in _flat(branch)]
    real = [branch for branch in branches if branch != {"type": "null"}]
    if len(real) == len(branches):
        return {**schema, "anyOf": branches}
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(real) == 1 and isinstance(real[0].get("type"), str):
        only = {**real[0], "type": [real[0]["type"], "null"]}
        if "enum" in only:
            only["enum"] = [*only["enum"], None]
        return {**only, **rest}
    return {**rest, "anyOf": [*real, {"type": "null"}]}


def _flat(branch: dict[str, Any]) -> list[dict[str, Any]]:
    return branch["anyOf"] if set(branch) == {"anyOf"} else [branch]


def _unwrapped(text: str) -> str:
    """Join the lines of a paragraph: editors break lines themselves."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))

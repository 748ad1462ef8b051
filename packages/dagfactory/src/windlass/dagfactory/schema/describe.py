"""A JSON schema in words: what a parameter may be, for terminals and for pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Property", "properties_of"]

_FILE = "config-file"
_INTEGERS = 2**31
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "null": "null",
}
_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
)


@dataclass(frozen=True)
class Property:
    """A key of an object, as people read about it.

    Attributes:
        name: The key.
        kind: What it may be, in words.
        required: Whether it must be there.
        default: The default as JSON, or None where leaving the key out says nothing of its own.
        description: What it does.
    """

    name: str
    kind: str
    required: bool
    default: str | None
    description: str

    def as_dict(self) -> dict[str, Any]:
        """The property as JSON output has it."""
        return {
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default": None if self.default is None else json.loads(self.default),
            "description": self.description,
        }


def properties_of(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any] | None = None,
    *,
    links: Mapping[str, str] | None = None,
) -> list[Property]:
    """List the keys of an object's schema, required ones first, otherwise in the schema's order.

    Args:
        schema: The schema of an object.
        definitions: What its `$ref`s point to; its own `$defs` by default.
        links: What to write instead of what some of the definitions allow.
    """
    known = _Known(schema.get("$defs", {}) if definitions is None else definitions, links or {})
    required = set(schema.get("required", ()))
    found = [
        _property(name, value, known, required=name in required)
        for name, value in schema.get("properties", {}).items()
    ]
    return sorted(found, key=lambda entry: not entry.required)


@dataclass(frozen=True)
class _Known:
    definitions: Mapping[str, Any]
    links: Mapping[str, str]

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self.definitions.get(_referred(schema), {})
        return schema


def _referred(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _property(name: str, schema: Mapping[str, Any], known: _Known, *, required: bool) -> Property:
    default = schema.get("default")
    written = None if default is None else json.dumps(default, ensure_ascii=False)
    text = schema.get("description") or known.resolve(schema).get("description") or ""
    return Property(name, _kind(schema, known), required, written, " ".join(text.split()))


def _kind(schema: Mapping[str, Any], known: _Known) -> str:
    """Say in words what a schema allows, null left out: it means the default."""
    kinds = list(dict.fromkeys(_kinds(schema, known)))
    if len(kinds) > 1 and "null" in kinds:
        kinds.remove("null")
    return " or ".join(kinds) or "anything"


def _kinds(schema: Mapping[str, Any], known: _Known) -> Iterator[str]:
    if "$ref" in schema and (link := known.links.get(_referred(schema))):
        yield link
        return
    schema = known.resolve(schema)
    if "const" in schema:
        yield json.dumps(schema["const"])
    elif "enum" in schema:
        yield from (json.dumps(value) for value in schema["enum"])
    elif branches := schema.get("anyOf") or schema.get("oneOf"):
        for branch in branches:
            yield from _kinds(branch, known)
    elif schema.get("format") == _FILE:
        yield "file beside the config"
    else:
        yield from (_plain(str(name), schema, known) for name in _types(schema))


def _types(schema: Mapping[str, Any]) -> list[Any]:
    given = schema.get("type", [])
    return given if isinstance(given, list) else [given]


def _plain(name: str, schema: Mapping[str, Any], known: _Known) -> str:
    word = _WORDS.get(name, name)
    if name == "array" and schema.get("items"):
        return f"list of {_kind(schema['items'], known)}"
    if name == "object" and (keys := schema.get("properties")):
        return f"object of {', '.join(keys)}"
    if name == "object" and isinstance(values := schema.get("additionalProperties"), dict) and values:
        return f"object of {_kind(values, known)}"
    if name == "string" and "patternErrorMessage" in schema:
        return "date" if "date" in schema["patternErrorMessage"] else "duration"
    if name in ("integer", "number"):
        # The range of the database's integers is nobody's news.
        told = {key: schema[key] for key, _ in _BOUNDS if abs(schema.get(key, _INTEGERS)) < _INTEGERS}
        bounds = [text.format(told[key]) for key, text in _BOUNDS if key in told]
        return " ".join([word, *bounds])
    return word

"""Do arguments of classes fit the types that their constructors are annotated with, where that is certain.

Annotations promise little: operators convert what they are given, and render it first. Only what no reading
of an annotation allows is refused; of every name that is not known here, nothing is.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean

__all__ = ["annotation_findings"]

_Fits = Callable[[Any], bool]
_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}
_WRITTEN = {
    ("a string", "a number"): "write the number without quotes",
    ("a string", "true or false"): "write true or false, without quotes",
    ("a number", "a string"): "write it in quotes",
    ("true or false", "a string"): "write it in quotes",
    ("a string", "an array"): "write an array, with the string in it",
}
_MARKS = ("{{", "{%")
_TYPING = frozenset({"typing", "t", "typing_extensions"})
_LONGEST = 1000


def annotation_findings(
    annotations: Mapping[str, str],
    args: Mapping[str, Any],
    where: Callable[[str], JsonPath],
    *,
    ends: tuple[str, ...] = (),
) -> Iterator[Finding]:
    """Compare arguments with annotations.

    Args:
        annotations: Annotation by parameter, as text.
        args: Arguments by name.
        where: Where each stands.
        ends: How texts end that are read from a file of that name.
    """
    for name, value in args.items():
        told = _read(annotations.get(name, ""))
        if told is None or _may_become_anything(value, ends):
            continue
        fits, kinds = told
        if not fits(value):
            given = _KINDS.get(type(value), type(value).__name__)
            message = f'"{name}": the operator takes {" or ".join(kinds) or "nothing"}, not {given}'
            yield Finding(Code.INVALID_PARAMETER, where(name), message, _suggestion(value, given, kinds))


def _may_become_anything(value: Any, ends: tuple[str, ...]) -> bool:
    """Tell whether only a run shows what a value is: a template, what is in a file, a default."""
    if not isinstance(value, str):
        return value is None
    return any(mark in value for mark in _MARKS) or (bool(ends) and value.endswith(ends))


def _suggestion(value: Any, given: str, kinds: tuple[str, ...]) -> str | None:
    words = [kind.strip('"') for kind in kinds if kind.startswith('"')]
    if isinstance(value, str) and (near := did_you_mean(value, words)):
        return near
    return next((_WRITTEN[given, kind] for kind in kinds if (given, kind) in _WRITTEN), None)


@lru_cache(maxsize=4096)
def _read(annotation: str) -> tuple[_Fits, tuple[str, ...]] | None:
    """Read an annotation: what fits it, and which kinds it names; None if any of it is not known."""
    text = annotation.removeprefix("<class '").removesuffix("'>")
    if not text or len(text) > _LONGEST:
        return None
    try:
        members = list(_members(ast.parse(text, mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, _UnknownError):
        return None
    fits = tuple(fit for fit, _ in members)
    kinds = dict.fromkeys(kind for _, kind in members if kind)
    return (lambda value: any(fit(value) for fit in fits)), tuple(kinds)


class _UnknownError(Exception):
    """An annotation names what is not known here."""


def _members(node: ast.expr) -> Iterator[tuple[_Fits, str]]:
    """List the members of a union, or the one type that it is."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _members(node.left)
        yield from _members(node.right)
    elif isinstance(node, ast.Constant) and node.value is None:
        yield _is_nothing, ""
    elif isinstance(node, ast.Subscript):
        yield from _subscribed(_name(node.value), node.slice)
    else:
        yield _plain(_name(node))


def _subscribed(name: str, inside: ast.expr) -> Iterator[tuple[_Fits, str]]:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name in ("Union", "Optional"):
        for part in parts:
            yield from _members(part)
    elif name == "Literal":
        if not all(isinstance(part, ast.Constant) for part in parts):
            raise _UnknownError
        yield from (_constant(part.value) for part in parts if isinstance(part, ast.Constant))
    elif name in ("list", "dict", "List", "Dict"):
        yield _plain(name)  # what is in it, operators convert
    else:
        raise _UnknownError


def _constant(constant: Any) -> tuple[_Fits, str]:
    return (lambda value: bool(value == constant)), json.dumps(constant, default=str)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _TYPING:
        return node.attr
    raise _UnknownError


def _plain(name: str) -> tuple[_Fits, str]:
    found = _TYPES.get(name)
    if found is None:
        raise _UnknownError
    return found


def _is_nothing(value: Any) -> bool:
    return value is None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_truth(value: Any) -> bool:
    return isinstance(value, int | float)  # 0 and 1 are as good


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("["))


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value.lstrip().startswith("{"))


_TYPES: Mapping[str, tuple[_Fits, str]] = {
    "str": (_is_text, "a string"),
    "int": (_is_number, "a number"),
    "float": (_is_number, "a number"),
    "bool": (_is_truth, "true or false"),
    "list": (_is_list, "an array"),
    "List": (_is_list, "an array"),
    "dict": (_is_dict, "an object"),
    "Dict": (_is_dict, "an object"),
    "None": (_is_nothing, ""),
    "NoneType": (_is_nothing, ""),
    # Stand for "not given"; no config can say them.
    "ArgNotSet": (_is_nothing, ""),
    "SetDuringExecution": (_is_nothing, ""),
}

"""How a nearer layer goes over a farther one: few objects key by key, all else whole; null takes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merge"]

_Shape = Mapping[str, Any]
_ANY = ""  # stands for every key: names of operators

_KEYWISE: _Shape = {
    "params": {},
    "defaults": {"retry": {}, "operators": {_ANY: {"retry": {}, "args": {}}}},
}
"""Which objects merge key by key, by where they stand."""


def merge(base: Mapping[str, Any], own: Mapping[str, Any], shape: _Shape = _KEYWISE) -> dict[str, Any]:
    """Merge a layer over what is below it.

    Args:
        base: What the layers below say.
        own: What the layer says; a null takes back what is below, and stays null where nothing is.
        shape: Which objects of the two merge key by key.

    Returns:
        New at the levels that merge; what is inside is shared with both.
    """
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        inside = shape.get(key, shape.get(_ANY))
        if inside is not None and isinstance(below, dict) and isinstance(value, dict):
            merged[key] = merge(below, value, inside)
        elif value is None and key in base:
            del merged[key]
        else:
            merged[key] = value
    return merged

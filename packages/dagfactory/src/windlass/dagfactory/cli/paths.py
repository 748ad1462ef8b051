"""Which JSON path somebody meant who named one that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from windlass.dagfactory.diagnostics import JsonPath, did_you_mean, json_path

__all__ = ["meant"]

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]")
_GROUPED = "tasks"
_LISTED = 10


def meant(path: str, known: Iterable[str]) -> str:
    """Suggest a path, or tell what is there where the path leaves what is known.

    Args:
        path: JSON path, `$.` left out or not; ids of tasks as Airflow writes them do too.
        known: JSON paths of all values.
    """
    places = {parts[:end] for parts in map(_parts, known) for end in range(1, len(parts) + 1)}
    asked = _parts(path)
    same = [place for place in places if _without_groups(place) == _without_groups(asked)]
    if same and asked:
        return f'did you mean "{json_path(min(same, key=len))}"?'
    length = max(end for end in range(max(1, len(asked))) if end == 0 or asked[:end] in places)
    inside = sorted(
        {place[length] for place in places if len(place) > length and place[:length] == asked[:length]},
        key=str,
    )
    near = did_you_mean(str(asked[length]), [str(name) for name in inside]) if asked else None
    if near is not None:
        found = next(name for name in inside if f'"{name}"' in near)
        whole = (*asked[:length], found, *asked[length + 1 :])
        return f'did you mean "{json_path(whole if whole in places else whole[: length + 1])}"?'
    shown = ", ".join(map(str, inside[:_LISTED])) + (", …" if len(inside) > _LISTED else "")
    return f"at {json_path(asked[:length])} there are {shown}"


def _parts(path: str) -> JsonPath:
    """Take a JSON path apart, as far as it is one."""
    return tuple(
        int(index) if index else quoted.replace("\\'", "'").replace("\\\\", "\\") if quoted else plain
        for plain, index, quoted in _PART.findall(path.removeprefix("$"))
    )


def _without_groups(path: JsonPath) -> JsonPath:
    return tuple(part for part in path if part != _GROUPED)

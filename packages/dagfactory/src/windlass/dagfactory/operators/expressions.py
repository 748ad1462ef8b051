"""What a rendered Jinja expression says: text, or a Python value where templates are rendered natively."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

__all__ = ["as_ids", "as_truth"]

_NOTHING = ("", "None", "none", "null")


def as_ids(rendered: Any) -> list[str] | None:
    """Read task ids: one, a list of them written as Python or JSON writes it, or None for none at all.

    Raises:
        ValueError: It is neither.
    """
    value = rendered
    if isinstance(rendered, str):
        text = rendered.strip()
        if text in _NOTHING:
            return None
        value = _literal(text) if text.startswith(("[", "(", "{")) else text
    if value is None:
        return None
    ids = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(task_id, str) for task_id in ids):
        message = f"choose gave {rendered!r}; let it give a task id, or a list of task ids"
        raise ValueError(message)
    return [task_id.strip() for task_id in ids]


def as_truth(rendered: Any) -> bool:
    """Read whether a condition holds.

    Raises:
        ValueError: It is a text that is no value, such as "no": whether that is true is anybody's guess.
    """
    if not isinstance(rendered, str):
        return bool(rendered)
    text = rendered.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text in _NOTHING:
        return False
    try:
        return bool(_literal(text))
    except ValueError as error:
        message = (
            f"condition gave {rendered!r}, which is neither true nor false; "
            'compare it, as in {{ params.region == "eu" }}'
        )
        raise ValueError(message) from error


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        message = f"{text!r} is no value"
        raise ValueError(message) from error

"""Which exceptions a list of class paths names, told without importing any of them.

A class is known by the place of its definition (`psycopg.errors.OperationalError`) and by every place that
loaded modules show it at (`psycopg.OperationalError`). The exception has been raised, so its module has been
loaded; the process that parses DAGs needs it not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

__all__ = ["matching"]


def matching(error: BaseException, paths: Iterable[str]) -> str | None:
    """Find the first path that names the exception's class or one of its bases.

    Args:
        error: What was raised.
        paths: Import paths of exception classes; a name without dots is one of Python's own.

    Returns:
        The path, or None.
    """
    bases = [base for base in type(error).__mro__ if base is not object]
    names = {f"{base.__module__}.{base.__qualname__}" for base in bases}
    for path in paths:
        module, _, name = path.rpartition(".")
        module = module or "builtins"
        if f"{module}.{name}" in names:
            return path
        if vars(sys.modules[module]).get(name) in bases if module in sys.modules else False:
            return path
    return None

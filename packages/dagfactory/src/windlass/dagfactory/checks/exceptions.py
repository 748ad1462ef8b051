"""Is there an exception of this import path, told from source text alone: nothing is imported.

Importing could cost seconds and have effects, and a module that only workers have is no mistake. So what is
not installed here, is compiled, or makes its names as it runs is left to the run; what is installed as source
and holds the name nowhere is a mistake.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from windlass.dagfactory.diagnostics import did_you_mean

__all__ = ["missing_exception"]

_DYNAMIC = re.compile(r"\bimport\s+\*|\b__getattr__\b|\bglobals\(\)|\bsetattr\(|\bexec\(")
_CLASS_NAME = re.compile(r"\b[A-Z]\w*")


@lru_cache(maxsize=4096)
def missing_exception(path: str) -> tuple[str, str | None] | None:
    """Look for a class in the source of the module that its path names.

    Args:
        path: Import path, such as `package.module.Error`, with at least one dot.

    Returns:
        What is missing and what could be meant, or None where nothing is missing or nothing can be told.
    """
    first, *rest = path.split(".")
    spec = _top(first)
    name = first
    while spec is not None and len(rest) > 1:
        try:
            inner = PathFinder.find_spec(f"{name}.{rest[0]}", _folders(spec))
        except KeyError:  # a namespace inside a package asks for that package, which is not imported
            return None
        if inner is None:
            break
        name, spec = f"{name}.{rest[0]}", inner
        del rest[0]
    source = _source(spec)
    wanted = rest[0]
    if source is None or re.search(rf"\b{wanted}\b", source) or _DYNAMIC.search(source):
        return None
    if len(rest) > 1:
        assert spec is not None
        modules = [path.stem for folder in _folders(spec) for path in Path(folder).glob("[a-z]*")]
        return f'the package "{name}" has no "{wanted}"', did_you_mean(wanted, sorted(set(modules)))
    known = sorted(set(_CLASS_NAME.findall(source)))
    return f'the module "{name}" has no "{wanted}"', did_you_mean(wanted, known)


def _top(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module that was made by hand
        return None


def _source(spec: ModuleSpec | None) -> str | None:
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        return Path(spec.origin).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _folders(spec: ModuleSpec) -> list[str]:
    return list(spec.submodule_search_locations or ())

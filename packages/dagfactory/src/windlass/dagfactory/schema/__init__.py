"""The JSON Schema of configs, for editors: what a config may say, and what each operator takes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass.dagfactory.schema.config import DIALECT, config_schema, defaults_schema

__all__ = ["DIALECT", "config_schema", "defaults_schema"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module("windlass.dagfactory.schema.config"), name)

"""Rows into tables: files by COPY, queries streamed from one database to another, rows by key."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass.warehouse.load.by_key import UpsertResult, upsert
    from windlass.warehouse.load.extract import ExtractResult, extract_load
    from windlass.warehouse.load.file import FileOptions, FileResult, load_file
    from windlass.warehouse.load.rows import CopyResult, copy_rows

__all__ = [
    "CopyResult",
    "ExtractResult",
    "FileOptions",
    "FileResult",
    "UpsertResult",
    "copy_rows",
    "extract_load",
    "load_file",
    "upsert",
]

_HOMES = {
    "CopyResult": "rows",
    "ExtractResult": "extract",
    "FileOptions": "options",
    "FileResult": "file",
    "UpsertResult": "by_key",
    "copy_rows": "rows",
    "extract_load": "extract",
    "load_file": "file",
    "upsert": "by_key",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The files beside a config, as operators get them: by absolute path, but none in the serialized DAG."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["file_fields", "locate_files"]


def locate_files(
    operator: type[BaseOperator],
    arguments: dict[str, Any],
    files: Iterable[str],
    folder: Path,
    *,
    mapped: bool = False,
) -> None:
    """Replace the names of files in an operator's arguments.

    Template fields are serialized as they stand. There the path is built from the DAG's folder when it is
    rendered; where the operator's suffixes make Airflow read the file itself, Jinja looks it up in that
    folder. Of a mapped task all arguments are serialized: all its files are built so, see `file_fields`.

    Args:
        operator: The operator's class.
        arguments: Its arguments; changed in place.
        files: Which of them may name files.
        folder: The config's folder.
        mapped: Whether the task is mapped.
    """
    for name in files:
        if name in arguments:
            arguments[name] = _located(operator, name, arguments[name], None if mapped else folder)


def file_fields(operator: type[BaseOperator], files: Iterable[str]) -> tuple[str, ...]:
    """List the template fields of a mapped task: its operator's, and the parameters that name files."""
    fields = tuple(operator.template_fields)
    return fields + tuple(sorted(set(files) - set(fields)))


def _located(operator: type[BaseOperator], name: str, value: Any, folder: Path | None) -> Any:
    if isinstance(value, list | tuple):
        return [_located(operator, name, item, folder) for item in value]
    if not isinstance(value, str):
        return value
    relative = os.path.normpath(value)
    read_by_airflow = relative.endswith(tuple(operator.template_ext))
    if name not in operator.template_fields:
        if folder is not None:
            return str(folder / relative)
        # What ends in a suffix of the operator would be read; a comment keeps it a path.
        return f"{{{{ dag.folder }}}}/{relative}{'{# #}' if read_by_airflow else ''}"
    return relative if read_by_airflow else f"{{{{ dag.folder }}}}/{relative}"

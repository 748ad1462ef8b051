"""The columns of a file matched to those of the table: by name, or as the user maps them."""

from __future__ import annotations

from pathlib import Path

from windlass.warehouse.errors import FileRejectedError
from windlass.warehouse.load.diagnosis import Diagnosis
from windlass.warehouse.load.options import FileOptions
from windlass.warehouse.load.reader import HeaderName, Layout, Reader
from windlass.warehouse.load.source import ADVICE
from windlass.warehouse.load.table import Column, PgConnection, Table

__all__ = ["match_columns"]


def match_columns(
    connection: PgConnection, path: Path, reader: Reader, target: Table, options: FileOptions
) -> Layout:
    """The table's columns in the order of the file.

    Raises:
        FileRejectedError: A column is unknown, missing, there twice, or one that the table fills itself.
    """
    diagnosis = Diagnosis(connection)
    found = reader.header(diagnosis)
    layout = tuple(_column(name, target, options, diagnosis) for name in found)
    kept = [column for column in layout if column is not None]
    if found:
        _check_repeats(found, layout, diagnosis)
        _check_missing(kept, target, options, diagnosis)
        for name in options.columns.keys() - {name for name, *_ in found}:
            diagnosis.add(1, 1, f"The file has no column {name!r}, which columns maps.")
        if not kept and not diagnosis.problems():
            diagnosis.add(1, 1, f"No column of the file goes into {target}.")
    if diagnosis.problems():
        reader.diagnose_text(diagnosis)
        raise FileRejectedError(str(path), diagnosis.problems(), advice=ADVICE)
    return layout


def _column(found: HeaderName, target: Table, options: FileOptions, diagnosis: Diagnosis) -> Column | None:
    name, line, place = found
    wanted = options.columns.get(name, name)
    if wanted is None:
        return None
    column = target.columns.get(wanted)
    if column is None:
        if name in options.columns:
            diagnosis.add(line, place, f"Column {name!r} is mapped to {wanted!r}, unknown to {target}.")
        elif options.extra_columns == "error":
            diagnosis.add(line, place, f"Column {name!r} is unknown to {target}.")
    elif not column.is_writable:
        diagnosis.add(line, place, f"{target} fills column {wanted!r} itself.")
        return None
    return column


def _check_repeats(found: list[HeaderName], layout: Layout, diagnosis: Diagnosis) -> None:
    names: set[str] = set()
    targets: dict[str, str] = {}
    for (name, line, place), column in zip(found, layout, strict=True):
        if name in names:
            diagnosis.add(line, place, f"Column {name!r} is there twice.")
        elif column is not None and column.name in targets:
            told = f"Columns {targets[column.name]!r} and {name!r} both go into {column.name!r}."
            diagnosis.add(line, place, told)
        names.add(name)
        if column is not None:
            targets.setdefault(column.name, name)


def _check_missing(kept: list[Column], target: Table, options: FileOptions, diagnosis: Diagnosis) -> None:
    brought = {column.name for column in kept}
    for column in target.columns.values():
        if column.name in brought or column.is_filled_by_table:
            continue
        if options.missing_columns == "error":
            diagnosis.add(1, 1, f"Column {column.name!r} of {target} is missing.")
        elif column.not_null:
            told = f"Column {column.name!r} of {target} is missing; it has no default and takes no null."
            diagnosis.add(1, 1, told)

"""Rows of Python values into a table by COPY: streamed, and the first bad one named by its index."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from windlass.warehouse.errors import LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import (
    Mode,
    columns_named,
    copy_statement,
    locked_table,
    remove_old_rows,
)
from windlass.warehouse.load.table import Column, PgConnection, Table
from windlass.warehouse.transform.bind import advice_for

__all__ = ["CopyResult", "Row", "copy_rows", "row_columns", "write_rows"]

Row: TypeAlias = Sequence[Any] | Mapping[str, Any]

_JSON_TYPES = ("json", "jsonb")
_ARRAY = "A"
_COPY_PLACE = re.compile(r"^COPY .*?, line (\d+)(?:, column (.*?))?(?::|$)", re.MULTILINE)

# What psycopg, json and we say about a value; a generator of rows that fails is not asked in there.
_UNFIT = (psycopg.DataError, psycopg.ProgrammingError, UnicodeError, ValueError, TypeError, RecursionError)
_NO_ROWS = (str, bytes, bytearray, set, frozenset)

_Adapt: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class CopyResult:
    """How many rows were loaded into which table."""

    table: str
    rows: int


def copy_rows(
    connection: PgConnection,
    *,
    table: str,
    rows: Iterable[Row],
    columns: Sequence[str] | None = None,
    mode: Mode = "append",
    context: RunContext = NO_TASK,
) -> CopyResult:
    """Load rows of Python values by COPY, in constant memory: the iterable is taken as it goes.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The table to load, `schema.name`.
        rows: Sequences in the order of `columns`, or mappings of column names to values. Dicts become JSON,
            lists arrays (JSON where the column is no array), bytes bytea; texts are read by the type.
        columns: The columns the rows bring; those of the first row, if it is a mapping, by default.
        mode: `append` keeps the table's rows; `replace` removes them first, in the same transaction.
        context: Who loads.

    Raises:
        TableError: There is no such table, or a column is unknown, missing or not to be written.
        LoadError: A row does not fit the table: the first is named by its index, from 0. Nothing was loaded.
    """
    found, all_rows = row_columns(rows, columns)
    with writing(connection, context):
        target = locked_table(connection, table, mode=mode)
        chosen = columns_named(target, found, source="The input", complete=True)
        if mode == "replace":
            remove_old_rows(connection, target)
        count = write_rows(connection, target, target.name.identifier, chosen, all_rows)
    return CopyResult(str(target), count)


def row_columns(rows: Iterable[Row], columns: Sequence[str] | None) -> tuple[Sequence[str], Iterator[Row]]:
    """The columns of rows, by the first of them if need be, and all the rows.

    Raises:
        LoadError: Nobody says what the columns are.
    """
    iterator = iter(rows)
    if columns is not None:
        return columns, iterator
    first = next(iterator, None)
    if not isinstance(first, Mapping):
        raise LoadError(
            "There is no row to tell the columns."
            if first is None
            else "The rows do not name their columns.",
            advice="Give columns, in the order of the values.",
        )
    return list(first), chain([first], iterator)


def write_rows(
    connection: PgConnection,
    target: Table,
    into: sql.Composable,
    columns: Sequence[Column],
    rows: Iterable[Row],
) -> int:
    """COPY rows into a table.

    Args:
        connection: Connection in a transaction.
        target: The table, for messages.
        into: Name of the table to write to: the target, or a stage with its columns.
        columns: The columns, in the order of sequences.
        rows: The rows. What they raise themselves passes through.

    Returns:
        How many there were.

    Raises:
        LoadError: A row does not fit; it is named by its index, from 0.
    """
    statement = copy_statement(target, columns, sql.SQL("format text"), into=into)
    adapters = [_adapter(column) for column in columns]
    with connection.cursor() as cursor:
        try:
            with cursor.copy(statement) as copy:
                for index, values in enumerate(_values(rows, columns)):
                    try:
                        given = _sequence(values, len(adapters))
                        copy.write_row([adapt(value) for adapt, value in zip(adapters, given, strict=True)])
                    except _UNFIT as error:
                        raise _unfit(target, index, str(error)) from error
        except psycopg.Error as error:
            raise _explained(target, error) from error
        return cursor.rowcount


def _values(rows: Iterable[Row], columns: Sequence[Column]) -> Iterator[Sequence[Any]]:
    names = [column.name for column in columns]
    for row in rows:
        if not isinstance(row, Mapping):
            yield row
        elif row.keys() == set(names):
            yield [row[name] for name in names]
        else:
            # As many values as no row has: refused with its index like any other.
            yield _Other(row, names)


def _sequence(row: Sequence[Any], count: int) -> Sequence[Any]:
    """A row's values, so many; a text is none of its characters, and a set is in no order."""
    if isinstance(row, _NO_ROWS):
        raise TypeError(f"it is a {type(row).__name__}, no sequence of values")
    values = row if isinstance(row, list | tuple) else list(row)
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} columns")
    return values


class _Other(Sequence[Any]):
    """A mapping with other keys than the columns, which tells so when it is read."""

    def __init__(self, row: Mapping[str, Any], names: Sequence[str]) -> None:
        self._missing = [name for name in names if name not in row]
        self._more = [name for name in row if name not in names]

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: Any) -> Any:
        missing = f"lacks {', '.join(map(repr, self._missing))}" if self._missing else ""
        more = f"has {', '.join(map(repr, self._more))} beside the columns" if self._more else ""
        raise ValueError(" and ".join(filter(None, (missing, more))))


def _unfit(target: Table, index: int, why: str) -> LoadError:
    told = " ".join(why.split()).rstrip(".")
    return LoadError(
        f"Row {index} (from 0) does not fit {target}: {told}. Nothing was loaded.",
        advice="Correct the row, and load all of them again.",
    )


def _explained(target: Table, error: psycopg.Error) -> LoadError:
    """The error of a COPY with the row's index instead of a line."""
    told = error.diag.message_primary or str(error)
    if error.diag.message_detail:
        told = f"{told}. {error.diag.message_detail}"
    place = _COPY_PLACE.search(error.diag.context or "")
    if place is not None and isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        column = f" (column {place[2]})" if place[2] else ""
        return _unfit(target, int(place[1]) - 1, told.rstrip(".") + column)
    return LoadError(
        f"The rows do not go into {target}: {told.strip().rstrip('.')}. Nothing was loaded.",
        advice=advice_for(error),
    )


def _adapter(column: Column) -> _Adapt:
    if column.type_name in _JSON_TYPES:
        return _as_json
    return _as_array if column.category == _ARRAY else _as_value


_dumps = partial(json.dumps, default=str)


def _as_json(value: Any) -> Any:
    return value if value is None or isinstance(value, str | Jsonb) else Jsonb(value, dumps=_dumps)


def _as_array(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _as_value(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        return Jsonb(value, dumps=_dumps)
    # psycopg writes it without its hyphens, which only a uuid column reads.
    return str(value) if isinstance(value, UUID) else value

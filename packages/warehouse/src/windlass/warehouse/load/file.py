"""Files into tables by COPY: all or nothing, the same content once, and every problem with its place."""

from __future__ import annotations

import codecs
import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import FileProblem, FileRejectedError, LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import Mode, copy_statement, lock_for_replacing, remove_old_rows
from windlass.warehouse.load.csv_file import diagnose_csv, header_places
from windlass.warehouse.load.diagnosis import Diagnosis
from windlass.warehouse.load.encoding import diagnose_encoding
from windlass.warehouse.load.jsonl_file import JsonLineError, diagnose_jsonl, first_line, json_lines, row_of
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table, doubled
from windlass.warehouse.transform.bind import advice_for

__all__ = ["FileFormat", "FileResult", "load_file"]

FileFormat: TypeAlias = Literal["csv", "jsonl"]

_SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_BLOCK = 256 * 1024
_END_OF_DATA = re.compile(rb"(?:^|[\r\n])\\\.(?:[\r\n]|$)")
# A trigger's own context comes before that of COPY.
_COPY_LINE = re.compile(r"^COPY .*?, \w+ (\d+)", re.MULTILINE)
_ADVICE = "Correct the file, or ask its sender for another one, and load it again."


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        table: The table.
        rows: Rows of the file that are in the table.
        skipped: Whether the same content had been loaded before, so that nothing was done.
        sha256: Digest of the content, in hex.
    """

    table: str
    rows: int
    skipped: bool
    sha256: str


def load_file(
    connection: PgConnection,
    *,
    file: str | PathLike[str],
    table: str,
    format: FileFormat | None = None,  # noqa: A002 - the word configs use
    mode: Mode = "append",
    context: RunContext = NO_TASK,
) -> FileResult:
    """Load a CSV file with a header, or a file of JSON lines, its columns matched to the table's by name.

    The same content is loaded once into a table: `ops.loaded_file` remembers its digest, and of two loads at
    once the second waits and does nothing. That holds while its rows may be there: an empty table has
    forgotten all its files, and so has one that was dropped and created again. Rows deleted in part are not
    missed. A replacing load never skips.
    An empty CSV value is null, a quoted empty one is an empty text.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        file: The file, UTF-8.
        table: The table to load, `schema.name`.
        format: `csv` or `jsonl`; by the file's suffix if not given.
        mode: `append` keeps the table's rows; `replace` removes them first, in the same transaction.
        context: Who loads: noted in `ops.loaded_file`.

    Raises:
        FileRejectedError: The file has problems; the first 20 are told with line and column. Nothing
        was loaded.
        TableError: There is no such table.
        LoadError: The file cannot be read, or changed while it was.
    """
    path = Path(file)
    kind = format or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(_SUFFIXES)
        raise LoadError(f"Cannot tell the format of {path}.", advice=f"Give format, or a suffix of {known}.")
    try:
        _require_regular(path)
        digest = _digest(path)
        with writing(connection, context):
            target = describe_table(connection, table)
            known_rows = _claim(connection, target, path, digest, mode=mode, context=context)
            if known_rows is not None:
                return FileResult(str(target), known_rows, skipped=True, sha256=digest)
            columns = _columns(connection, path, kind, target)
            rows = _copy(connection, path, kind, target, columns)
            if _digest(path) != digest:
                raise LoadError(f"{path} changed while it was read.", advice="Load it when it is complete.")
            connection.execute(
                "update ops.loaded_file set row_count = %s where target_table = %s and content_sha256 = %s",
                [rows, target.ledger_name, digest],
            )
            return FileResult(str(target), rows, skipped=False, sha256=digest)
    except OSError as error:
        raise LoadError(
            f"Cannot read {path}: {error.strerror or error}.", advice="Check the path and its permissions."
        ) from error
    except psycopg.Error as error:
        raise LoadError(
            f"Loading {path} into {table} failed: {error.diag.message_primary or error}. Nothing was loaded.",
            advice=advice_for(error),
        ) from error


def _require_regular(path: Path) -> None:
    """Refuse what would block the reader, or could not be read a second time."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        problem = FileProblem(1, 1, f"It is {kind}, not a regular file.")
        raise FileRejectedError(str(path), (problem,), advice="Save its content as a file, and load that.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _claim(
    connection: PgConnection, target: Table, path: Path, digest: str, *, mode: Mode, context: RunContext
) -> int | None:
    """Note the content as loaded; its row count if it was. Waits for another load of the same content."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        if mode == "replace":
            lock_for_replacing(connection, target)
            remove_old_rows(connection, target)
        else:
            # Before the ledger's row, in the order of a replacing load, so that the two cannot deadlock.
            lock = sql.SQL("lock table {} in row exclusive mode")
            cursor.execute(lock.format(target.name.identifier))
            _forget_removed(cursor, target)
        cursor.execute(
            "insert into ops.loaded_file (target_table, target_oid, content_sha256, file_name, row_count, "
            "dag_id, run_id, task_id, map_index) values (%s, %s, %s, %s, 0, %s, %s, %s, %s) "
            "on conflict do nothing",
            [
                target.ledger_name,
                target.oid,
                digest,
                path.name,
                context.dag_id,
                context.run_id,
                context.task_id,
                context.map_index,
            ],
        )
        if cursor.rowcount:
            return None
        cursor.execute(
            "select row_count from ops.loaded_file where target_table = %s and content_sha256 = %s",
            [target.ledger_name, digest],
        )
        (rows,) = cursor.fetchone() or (0,)
        return int(rows)


def _forget_removed(cursor: psycopg.Cursor[Any], target: Table) -> None:
    """Forget the files of a table that was emptied, or dropped and created again: their rows are gone.

    One statement, so that a load committed meanwhile is seen with its rows or not at all.
    """
    cursor.execute(
        sql.SQL(
            "delete from ops.loaded_file where target_table = %s "
            "and (target_oid <> %s or not exists (select from {}))"
        ).format(doubled(target.name.identifier, cursor.connection)),
        [target.ledger_name, target.oid],
    )


def _columns(connection: PgConnection, path: Path, kind: FileFormat, target: Table) -> tuple[Column, ...]:
    """The table's columns in the order of the file."""
    diagnosis = Diagnosis(connection)
    found = header_places(path) if kind == "csv" else _key_places(path, diagnosis)
    columns: dict[str, Column] = {}
    for name, line, place in found:
        column = target.columns.get(name)
        if column is None:
            diagnosis.add(line, place, f"Column {name!r} is unknown to {target}.")
        elif not column.is_writable:
            diagnosis.add(line, place, f"{target} fills column {name!r} itself.")
        elif name in columns:
            diagnosis.add(line, place, f"Column {name!r} is there twice.")
        else:
            columns[name] = column
    for column in target.columns.values():
        if column.name not in columns and not column.is_filled_by_table and found:
            diagnosis.add(1, 1, f"Column {column.name!r} of {target} is missing.")
    if path.stat().st_size == 0:
        diagnosis.add(1, 1, "The file is empty.")
    elif not found and kind == "csv":
        diagnosis.add(1, 1, "The first line cannot be read.")
    if diagnosis.problems():
        diagnose_encoding(path, diagnosis)
        raise FileRejectedError(str(path), diagnosis.problems(), advice=_ADVICE)
    return tuple(columns.values())


def _key_places(path: Path, diagnosis: Diagnosis) -> list[tuple[str, int, int]]:
    """The keys of the first object with its place; a problem when there is none."""
    line = first_line(path)
    if line is not None and line.value:
        return [(name, line.number, 1) for name in line.value]
    if line is not None and line.error is not None:
        diagnosis.add(line.error.line, line.error.column, line.error.message)
    elif path.stat().st_size:
        number = line.number if line is not None else 1
        diagnosis.add(number, 1, "The object is empty." if line is not None else "The file has no object.")
    return []


def _copy(
    connection: PgConnection, path: Path, kind: FileFormat, target: Table, columns: tuple[Column, ...]
) -> int:
    try:
        with connection.transaction():
            copy = _copy_csv if kind == "csv" else _copy_jsonl
            return copy(connection, path, target, columns)
    except (psycopg.DataError, psycopg.IntegrityError, UnicodeError, _UnsafeFile, JsonLineError) as error:
        raise _rejected(connection, path, kind, columns, error) from error


class _UnsafeFile(Exception):  # noqa: N818 - never leaves this module
    """The file holds what COPY would read otherwise than it stands there, not before a line."""

    def __init__(self, line: int = 1) -> None:
        super().__init__("A line holds \\. alone, which PostgreSQL takes for the end.")
        self.line = line


def _copy_csv(connection: PgConnection, path: Path, target: Table, columns: tuple[Column, ...]) -> int:
    statement = copy_statement(target, columns, "format csv, header true, encoding 'UTF8'")
    with connection.cursor() as cursor, path.open("rb") as file:
        if file.read(3) == codecs.BOM_UTF8:
            raise _UnsafeFile
        file.seek(0)
        with cursor.copy(statement) as copy:
            for block in _blocks(file):
                copy.write(block)
        return cursor.rowcount


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    tail, line = b"", 1
    while block := file.read(_BLOCK):
        # PostgreSQL before 18 takes such a line for the end, and drops what follows without a word.
        found = _END_OF_DATA.search(tail + block) if b"\\." in tail + block else None
        if found:
            raise _UnsafeFile(
                max(1, line + (tail + block).count(b"\n", 0, found.start()) - tail.count(b"\n"))
            )
        tail, line = block[-4:], line + block.count(b"\n")
        yield block


def _copy_jsonl(connection: PgConnection, path: Path, target: Table, columns: tuple[Column, ...]) -> int:
    with connection.cursor() as cursor:
        with cursor.copy(copy_statement(target, columns, "format text, encoding 'UTF8'")) as copy:
            broken = None
            for line in json_lines(path):
                try:
                    row = row_of(line, columns)
                except JsonLineError as error:
                    # PostgreSQL judges the lines before it first, so that problems are told from the start.
                    broken = error
                    break
                copy.write_row(row)
        if broken is not None:
            raise broken
        return cursor.rowcount


def _rejected(
    connection: PgConnection, path: Path, kind: FileFormat, columns: tuple[Column, ...], error: Exception
) -> FileRejectedError:
    """Everything that is wrong with a file that could not be copied; at least what PostgreSQL says."""
    diagnosis = Diagnosis(connection)
    diagnose_encoding(path, diagnosis)
    diagnose = diagnose_csv if kind == "csv" else diagnose_jsonl
    diagnose(path, columns, diagnosis, start=_first_line_concerned(error))
    problems = diagnosis.problems()
    if not problems:
        problems = (_postgres_problem(error),)
    return FileRejectedError(str(path), problems, advice=_ADVICE)


def _first_line_concerned(error: Exception) -> int:
    """The line at which COPY stopped, so that the lines before it need no second look; 1 if it is unknown."""
    if isinstance(error, _UnsafeFile | JsonLineError):
        return error.line
    context = error.diag.context if isinstance(error, psycopg.Error) else None
    line = _COPY_LINE.search(context or "")
    return int(line[1]) if line else 1


def _postgres_problem(error: Exception) -> FileProblem:
    line = _first_line_concerned(error)
    if not isinstance(error, psycopg.Error):
        return FileProblem(line, 1, str(error))
    detail = f" {error.diag.message_detail}" if error.diag.message_detail else ""
    return FileProblem(line, 1, f"{error.diag.message_primary or error}.{detail}")

"""Files into tables by COPY: all or nothing, the same content once, and every problem with its place."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from windlass.warehouse.errors import FileProblem, FileRejectedError, LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import Mode, copy_statement, locked_table
from windlass.warehouse.load.csv_file import CsvReader
from windlass.warehouse.load.diagnosis import MAX_PROBLEMS, Diagnosis
from windlass.warehouse.load.header import match_columns
from windlass.warehouse.load.jsonl_file import JsonlReader
from windlass.warehouse.load.ledger import FileEntry, claim, settle
from windlass.warehouse.load.options import FileFormat, FileOptions, format_of, is_gzip
from windlass.warehouse.load.parquet_file import ParquetReader
from windlass.warehouse.load.reader import BadRecord, Digest, Layout, Reader, UnreadableError
from windlass.warehouse.load.rejects import RejectingLoad, located_line, postgres_problem
from windlass.warehouse.load.source import ADVICE, TextSource, require_regular
from windlass.warehouse.load.table import PgConnection, Table
from windlass.warehouse.publish.meddling import read_meddlers
from windlass.warehouse.transform.bind import advice_for

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["FileFormat", "FileOptions", "FileResult", "load_file"]

_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        table: The table.
        rows: Rows of the file that are in the table.
        skipped: Whether the same content had been loaded before, so that nothing was done.
        sha256: Digest of the content, in hex.
        rejected: Rows of the file that are in `ops.rejected_file_row` instead.
    """

    table: str
    rows: int
    skipped: bool
    sha256: str
    rejected: int = 0


def load_file(
    connection: PgConnection,
    *,
    file: str | PathLike[str],
    table: str,
    format: FileFormat | None = None,  # noqa: A002 - the word configs use
    mode: Mode = "append",
    options: FileOptions | None = None,
    context: RunContext = NO_TASK,
) -> FileResult:
    """Load a CSV file with a header, JSON lines or a Parquet file, its columns matched by name.

    The same content is loaded once into a table: `ops.loaded_file` remembers the digest of the file's bytes,
    and of two loads at once the second waits and does nothing. That holds while its rows may be there: an
    empty table has forgotten all its files, and so has one that was dropped and created again. Rows deleted
    in part are not missed. A replacing load never skips. The options have no part in it.
    An empty CSV value is null, a quoted empty one is an empty text, unless `options.null` says otherwise.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        file: The file; CSV and JSON lines may be compressed, `.gz`.
        table: The table to load, `schema.name`.
        format: `csv`, `jsonl` or `parquet`; by the file's suffix if not given.
        mode: `append` keeps the table's rows; `replace` removes them first, in the same transaction.
        options: How the file is to be read, and how many bad rows are borne: none by default.
        context: Who loads: noted in `ops.loaded_file`.

    Raises:
        FileRejectedError: The file has problems; the first 20 are told with line and column. Nothing
        was loaded.
        TableError: There is no such table.
        LoadError: The file cannot be read, or changed while it was.
    """
    path = Path(file)
    chosen = options or FileOptions()
    kind = format or format_of(path)
    chosen.require_fitting(kind)
    try:
        require_regular(path)
        digest = _digest(path)
        with writing(connection, context):
            entry = FileEntry(locked_table(connection, table, mode=mode), path, digest, context)
            known = claim(connection, entry, mode=mode)
            if known is not None:
                rows, rejected = known
                return FileResult(str(entry.target), rows, skipped=True, sha256=digest, rejected=rejected)
            rows, rejected = _load(connection, entry, _reader(path, kind, entry.target, chosen), chosen)
            settle(connection, entry, rows=rows, rejected=rejected)
            return FileResult(str(entry.target), rows, skipped=False, sha256=digest, rejected=rejected)
    except OSError as error:
        raise LoadError(
            f"Cannot read {path}: {error.strerror or error}.", advice="Check the path and its permissions."
        ) from error
    except psycopg.Error as error:
        raise LoadError(
            f"Loading {path} into {table} failed: {error.diag.message_primary or error}. Nothing was loaded.",
            advice=advice_for(error),
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reader(path: Path, kind: FileFormat, target: Table, options: FileOptions) -> Reader:
    source = TextSource(path, gzip=is_gzip(path), encoding=options.encoding)
    if kind == "csv":
        return CsvReader(source, options.dialect)
    if kind == "jsonl":
        return JsonlReader(
            source,
            columns=options.columns,
            ignore_extra=options.extra_columns == "ignore",
            allow_missing=options.missing_columns == "default",
            known=frozenset(target.columns),
        )
    return ParquetReader(path)


def _load(
    connection: PgConnection, entry: FileEntry, reader: Reader, options: FileOptions
) -> tuple[int, int]:
    """Load the rows: how many, and how many were rejected."""
    layout = match_columns(connection, entry.path, reader, entry.target, options)
    seen = _Seen(entry)
    if options.max_rejects:
        rows, rejected = _load_good(connection, entry, reader, layout, seen, limit=options.max_rejects)
    else:
        rows, rejected = _load_all(connection, entry, reader, layout, seen), 0
    if seen.digest() != entry.digest:
        raise LoadError(f"{entry.path} changed while it was read.", advice="Load it when it is complete.")
    _require_kept(connection, entry, reader, layout, kept=rows + rejected)
    return rows, rejected


def _require_kept(
    connection: PgConnection, entry: FileEntry, reader: Reader, layout: Layout, *, kept: int
) -> None:
    """Find out when a trigger let rows vanish, which PostgreSQL does without a word."""
    triggers = read_meddlers(connection, entry.target).on_insert
    if not triggers:
        return
    batches = reader.batches(layout, lambda _: None)
    lost = sum(len(batch.records()) + len(batch.bad) for batch in batches) - kept
    if lost:
        raise LoadError(
            f"{lost} rows of {entry.path} did not get into {entry.target}: dropped by {', '.join(triggers)}. "
            "Nothing was loaded.",
            advice="Let it raise an error instead, so that max_rejects can set such rows aside.",
        )


class _Seen:
    """Digests a file's bytes while they are read, and tells from time to time how far that is."""

    def __init__(self, entry: FileEntry, *, every: float = _PROGRESS_SECONDS) -> None:
        self._entry, self._every = entry, every
        self._hash: _Hash = hashlib.sha256()
        self._bytes = 0
        self._told = time.monotonic()

    def __call__(self, data: bytes) -> None:
        self._hash.update(data)
        self._bytes += len(data)
        now = time.monotonic()
        if now - self._told >= self._every:
            self._told = now
            self._tell()

    def _tell(self) -> None:
        # A tenth of what it takes to load a large file, and most files are loaded before it is needed.
        import structlog

        structlog.get_logger(__name__).info(
            "file_loading",
            file=self._entry.path.name,
            table=str(self._entry.target),
            bytes_read=self._bytes,
        )

    def digest(self) -> str:
        """SHA-256 of all that was read, in hex."""
        return self._hash.hexdigest()


def _load_good(
    connection: PgConnection,
    entry: FileEntry,
    reader: Reader,
    layout: Layout,
    digest: Digest,
    *,
    limit: int,
) -> tuple[int, int]:
    load = RejectingLoad(connection, entry, reader, layout, limit)
    try:
        for batch in reader.batches(layout, digest):
            load.add(batch)
    except UnreadableError as error:
        # What follows was not seen, so that nobody could tell how much it is.
        problem = FileProblem(error.line, error.column, error.message)
        raise FileRejectedError(str(entry.path), (problem,), advice=ADVICE) from error
    load.flush()
    return load.rows, load.rejected


def _load_all(
    connection: PgConnection, entry: FileEntry, reader: Reader, layout: Layout, digest: Digest
) -> int:
    try:
        with connection.transaction():
            return _copy(connection, entry, reader, layout, digest)
    except (psycopg.DataError, psycopg.IntegrityError, UnreadableError, _BadRecordError) as error:
        raise _rejected(connection, entry, reader, layout, error) from error


class _BadRecordError(Exception):
    """A record that cannot go to COPY."""

    def __init__(self, record: BadRecord) -> None:
        super().__init__(record)
        self.record = record


def _copy(connection: PgConnection, entry: FileEntry, reader: Reader, layout: Layout, digest: Digest) -> int:
    columns = [column for column in layout if column is not None]
    broken: Exception | None = None
    with connection.cursor() as cursor:
        with cursor.copy(copy_statement(entry.target, columns, reader.options())) as copy:
            copy.write(reader.guard())
            # PostgreSQL judges what comes before a record that it cannot get, so that problems are told
            # from the start.
            try:
                for batch in reader.batches(layout, digest):
                    copy.write(batch.payload)
                    if batch.bad:
                        broken = _BadRecordError(batch.bad[0])
                        break
            except UnreadableError as error:
                broken = error
        if broken is not None:
            raise broken
        return cursor.rowcount


def _rejected(
    connection: PgConnection, entry: FileEntry, reader: Reader, layout: Layout, error: Exception
) -> FileRejectedError:
    """Everything that is wrong with a file that could not be copied; at least what PostgreSQL says."""
    diagnosis = Diagnosis(connection)
    line, known = _first_concerned(entry.target, reader, layout, error)
    reader.diagnose(layout, diagnosis, start=line)
    problems = diagnosis.problems() or known
    # No examination finds what only the table's constraints know.
    if not problems or (isinstance(error, psycopg.IntegrityError) and problems[0].line != line):
        problems = (postgres_problem(error, line), *problems)[:MAX_PROBLEMS]
    return FileRejectedError(str(entry.path), problems, advice=ADVICE)


def _first_concerned(
    target: Table, reader: Reader, layout: Layout, error: Exception
) -> tuple[int, tuple[FileProblem, ...]]:
    """The line before which all is well, so that nothing there needs a second look, and what is known."""
    if isinstance(error, _BadRecordError):
        return error.record.line, error.record.problems
    if isinstance(error, UnreadableError):
        return error.line, (FileProblem(error.line, error.column, error.message),)
    return located_line(reader, layout, error, target), ()

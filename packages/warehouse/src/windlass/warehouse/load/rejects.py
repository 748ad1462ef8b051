"""Bad rows set aside, all the good ones loaded: a batch that fails is split where it failed."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from windlass.warehouse.errors import FileProblem, FileRejectedError
from windlass.warehouse.load.copying import copy_statement
from windlass.warehouse.load.diagnosis import MAX_PROBLEMS, Diagnosis
from windlass.warehouse.load.ledger import FileEntry
from windlass.warehouse.load.reader import BadRecord, Batch, Layout, Reader, Record
from windlass.warehouse.load.source import ADVICE
from windlass.warehouse.load.table import PgConnection, Table

__all__ = ["RejectingLoad", "located_line", "postgres_problem"]

_MAX_TEXT = 10_000
_SKIPS = 170_000
_SKIPPING = sql.SQL(", on_error ignore, log_verbosity verbose")
# Not greedy: names and values of the user follow, which may read like it.
_SKIPPED_LINE = re.compile(r"^skipping row .*? at line (\d+) for column ")
_FLUSH = 500
_SEGMENT = 64 * 1024
_ALL = 1_000_000


def _failed_line(error: Exception, target: Table) -> int | None:
    """The line at which COPY stopped, counted as COPY counts; None if it is unknown."""
    context = error.diag.context if isinstance(error, psycopg.Error) else None
    # A trigger's own context comes before that of COPY.
    place = rf"^COPY {re.escape(target.name.name)}, \w+ (\d+)"
    line = re.search(place, context or "", re.MULTILINE)
    return int(line[1]) if line else None


def located_line(reader: Reader, layout: Layout, error: Exception, target: Table) -> int:
    """The line of the file of the record at which a COPY of all of it stopped; 1 if it is unknown."""
    line = _failed_line(error, target)
    if line is None:
        return 1
    counted = int(bool(reader.guard()))
    for batch in reader.batches(layout, lambda _: None):
        lines = _copy_lines(batch, reader)
        if counted + lines < line:
            counted += lines
            continue
        found = _record_at(batch.records(), line - counted)
        return batch.line if found is None else batch.records()[found].line
    return 1


def _copy_lines(batch: Batch, reader: Reader) -> int:
    end = reader.line_end()
    return batch.payload.count(end[:1]) + (not batch.payload.endswith(end))


def _record_at(records: Sequence[Record], line: int) -> int | None:
    """Which record a line is in, as COPY counts lines."""
    counted = 0
    for index, record in enumerate(records):
        counted += record.copy_lines
        if counted >= line:
            return index
    return None


def postgres_problem(error: Exception, line: int) -> FileProblem:
    """What PostgreSQL says about a line."""
    if not isinstance(error, psycopg.Error):
        return FileProblem(line, 1, str(error))
    detail = f" {error.diag.message_detail}" if error.diag.message_detail else ""
    return FileProblem(line, 1, f"{error.diag.message_primary or error}.{detail}".replace("\0", "\ufffd"))


@dataclass(frozen=True, slots=True)
class _Pending:
    """A bad record before it is written: the problems known, or what PostgreSQL said."""

    record: Record
    problems: tuple[FileProblem, ...]
    said: FileProblem | None = None


@dataclass
class RejectingLoad:
    """A load that bears bad rows up to a limit.

    Attributes:
        connection: Connection to the warehouse, inside the load's transaction.
        entry: The file.
        reader: Its format.
        layout: Its columns.
        limit: How many rows may be bad.
        rows: Rows loaded so far.
        rejected: Rows rejected so far.
    """

    connection: PgConnection
    entry: FileEntry
    reader: Reader
    layout: Layout
    limit: int
    rows: int = 0
    rejected: int = 0
    _first: list[FileProblem] = field(default_factory=list)
    _pending: list[_Pending] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Load a batch's good records, and set the others aside.

        Raises:
            FileRejectedError: There are more bad ones than the limit.
        """
        for bad in batch.bad:
            self._reject(_Pending(Record(bad.line, b"", bad.text), bad.problems))
        if not batch.payload or self._copy_skipping(batch):
            return
        if self._copy(batch.payload) is not None:
            self._settle(batch.records())

    def _copy_skipping(self, batch: Batch) -> bool:
        """Let PostgreSQL 17 and newer skip values that do not fit, and tell which; whether that was all.

        Its notices are trusted only if rows and notices add up to the batch: they are hidden by
        client_min_messages, and in the words of lc_messages.
        """
        if self.connection.info.server_version < _SKIPS:
            return False
        skipped: list[int] = []

        def note(notice: psycopg.errors.Diagnostic) -> None:
            found = _SKIPPED_LINE.search(notice.message_primary or "")
            if found:
                skipped.append(int(found[1]) - bool(self.reader.guard()))

        self.connection.add_notice_handler(note)
        try:
            with self.connection.transaction() as attempt:
                copied = self._copy_once(batch.payload, _SKIPPING)
                if copied + len(skipped) != _copy_lines(batch, self.reader) and (
                    copied + len(skipped) != len(batch.records())
                ):
                    raise psycopg.Rollback(attempt)
                self.rows += copied
        except (psycopg.DataError, psycopg.IntegrityError):
            return False
        finally:
            self.connection.remove_notice_handler(note)
        if attempt.status is psycopg.Transaction.Status.ROLLED_BACK_EXPLICITLY:
            return False
        if skipped:
            self._refuse_lines(batch, skipped)
        return True

    def _refuse_lines(self, batch: Batch, lines: Sequence[int]) -> None:
        """Refuse the records at some lines, as COPY counts them."""
        records = batch.records()
        ends: Sequence[int] = range(1, len(records) + 1)
        if len(records) != _copy_lines(batch, self.reader):
            ends = list(accumulate(record.copy_lines for record in records))
        for line in lines:
            record = records[bisect_left(ends, line)]
            said = FileProblem(record.line, 1, "A value is not of its column's type.")
            self._reject(_Pending(record, (), said))

    def _copy(self, payload: bytes) -> psycopg.Error | None:
        try:
            with self.connection.transaction():
                copied = self._copy_once(payload, sql.SQL(""))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            return error
        self.rows += copied
        return None

    def _copy_once(self, payload: bytes, more: sql.SQL) -> int:
        columns = [column for column in self.layout if column is not None]
        options = sql.SQL("{}{}").format(self.reader.options(), more)
        with self.connection.cursor() as cursor:
            with cursor.copy(copy_statement(self.entry.target, columns, options)) as copy:
                copy.write(self.reader.guard() + payload)
            return cursor.rowcount

    def _settle(self, records: Sequence[Record]) -> None:
        """Find the bad records of a batch that failed.

        In short segments, for what follows a bad record is sent again: the shorter, the closer bad ones are.
        """
        segments = list(_segments(records))
        segments.reverse()
        reach = len(records)
        while segments:
            segment = segments.pop()
            if len(segment) > reach:
                segments.append(segment[reach:])
                segment = segment[:reach]
            payload = b"".join(record.payload for record in segment)
            error = self._copy(payload)
            if error is None:
                reach *= 4
                continue
            index = self._index(segment, error)
            if index is not None:
                reach = 2 * (index + 1)
            if len(segment) == 1:
                self._refuse(segment[0], error)
            elif index is not None and self._is_certain(payload, len(segment)):
                self._refuse(segment[index], error)
                segments += [part for part in (segment[index + 1 :], segment[:index]) if part]
            else:
                # Who it was is certain when it fails alone.
                segments += reversed(_around(segment, index))

    def _index(self, records: Sequence[Record], error: psycopg.Error) -> int | None:
        """Which record an error is about, as far as COPY's count of lines tells."""
        line = _failed_line(error, self.entry.target)
        return None if line is None else _record_at(records, line - bool(self.reader.guard()))

    def _is_certain(self, payload: bytes, records: int) -> bool:
        """Whether lines and records are the same, whoever counts them."""
        end = self.reader.line_end()
        return all(payload.count(bytes([byte])) == records * (byte in end) for byte in b"\r\n")

    def _refuse(self, record: Record, error: psycopg.Error) -> None:
        self._reject(_Pending(record, (), postgres_problem(error, record.line)))

    def _reject(self, record: _Pending) -> None:
        self.rejected += 1
        self._pending.append(record)
        if self.rejected > self.limit:
            self.flush()
            raise FileRejectedError(
                str(self.entry.path),
                tuple(self._first),
                advice=f"More than {self.limit} rows (max_rejects) are bad. {ADVICE}",
            )
        if len(self._pending) >= _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write the rejected rows that are still held, with all that is wrong with each."""
        found = self._examined()
        told = [problem for record in found for problem in record.problems]
        self._first = sorted([*self._first, *told], key=attrgetter("line", "column"))[:MAX_PROBLEMS]
        entry, context = self.entry, self.entry.context
        with self.connection.cursor() as cursor:
            cursor.executemany(
                sql.SQL(
                    "insert into ops.rejected_file_row (target_table, content_sha256, line, file_name, "
                    "problems, record, dag_id, run_id, task_id, map_index) "
                    "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                ),
                [
                    (
                        entry.target.ledger_name,
                        entry.digest,
                        record.line,
                        entry.path.name,
                        Jsonb([_as_json(problem) for problem in record.problems]),
                        _shown(record.text),
                        context.dag_id,
                        context.run_id,
                        context.task_id,
                        context.map_index,
                    )
                    for record in found
                ],
            )
        self._pending.clear()

    def _examined(self) -> list[BadRecord]:
        """The records held, each with its problems: those known, those found now, or what PostgreSQL said."""
        pending = sorted(self._pending, key=lambda item: item.record.line)
        diagnosis = Diagnosis(self.connection, limit=_ALL)
        for item in pending:
            if not item.problems:
                self.reader.examine(item.record, self.layout, diagnosis)
        lines = [item.record.line for item in pending]
        problems: dict[int, list[FileProblem]] = {}
        for problem in diagnosis.problems():
            # A problem may be on a later line of its record.
            problems.setdefault(bisect_right(lines, problem.line) - 1, []).append(problem)
        found: list[BadRecord] = []
        for number, item in enumerate(pending):
            told = item.problems or tuple(problems.get(number, ()))
            if not told:
                assert item.said is not None
                told = (item.said,)
            found.append(BadRecord(item.record.line, item.record.text, told))
        return found


def _segments(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    start = size = 0
    for index, record in enumerate(records, 1):
        size += len(record.payload)
        if size >= _SEGMENT:
            yield records[start:index]
            start, size = index, 0
    if start < len(records):
        yield records[start:]


def _around(records: Sequence[Record], index: int | None) -> list[Sequence[Record]]:
    """The parts to try next: before, at and after a record; both halves when it is unknown which."""
    if index is None or len(records) == 1:
        half = len(records) // 2
        parts = [records[:half], records[half:]]
    else:
        parts = [records[:index], records[index : index + 1], records[index + 1 :]]
    return [part for part in parts if part]


def _as_json(problem: FileProblem) -> dict[str, object]:
    message = problem.message.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return {"line": problem.line, "column": problem.column, "message": message}


def _shown(text: bytes) -> str:
    """A record as PostgreSQL can keep it, its line end aside; the beginning of a very long one."""
    shown = text[: _MAX_TEXT * 4].decode("utf-8", "replace").replace("\0", "\ufffd")
    return shown.removesuffix("\n").removesuffix("\r")[:_MAX_TEXT]

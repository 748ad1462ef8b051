"""Parquet files, batch by batch: columns by name, a row's number in place of a line."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from windlass.warehouse.errors import FileProblem, FileRejectedError, MissingExtraError
from windlass.warehouse.load.csv_file import copy_options, split_records
from windlass.warehouse.load.csv_record import Splitter
from windlass.warehouse.load.diagnosis import MAX_PROBLEMS, MAX_VALUES, Diagnosis, Value
from windlass.warehouse.load.options import Dialect
from windlass.warehouse.load.reader import Batch, Digest, HeaderName, Layout, Record
from windlass.warehouse.load.source import ADVICE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ParquetReader"]

_ROWS = 4096
_BUFFER = 1024 * 1024
_DIALECT = Dialect()


@dataclass(frozen=True)
class ParquetReader:
    """A Parquet file. Its rows go to COPY as CSV, which pyarrow writes faster than Python could pack them."""

    path: Path

    @cached_property
    def _file(self) -> Any:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("Reading Parquet files", extra="parquet") from error
        try:
            return pq.ParquetFile(self.path, buffer_size=_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> FileRejectedError:
        told = " ".join(str(error).split()).rstrip(".")
        problem = FileProblem(1, 1, f"It is no Parquet file, or a broken one: {told}.")
        return FileRejectedError(str(self.path), (problem,), advice=ADVICE)

    def header(self, diagnosis: Diagnosis) -> list[HeaderName]:
        """The names of its columns, each with its number in place of a line's column."""
        if self.path.stat().st_size == 0:
            diagnosis.add(1, 1, "The file is empty.")
            return []
        return [(field.name, 1, number) for number, field in enumerate(self._file.schema_arrow, 1)]

    def options(self) -> sql.Composable:
        """CSV with a header."""
        return copy_options(_DIALECT)

    def guard(self) -> bytes:
        """A header of our own, as for CSV files."""
        return b"header\n"

    def line_end(self) -> bytes:
        """That of pyarrow's CSV."""
        return b"\n"

    def batches(self, layout: Layout, digest: Digest) -> Iterator[Batch]:
        """Its rows. The file is read here and there, so its digest is taken afterwards."""
        import pyarrow as pa

        _require_flat(self.path, self._file.schema_arrow, layout)
        row = 1
        try:
            for batch in self._pieces(layout):
                payload = _as_csv(batch)
                yield _batch(payload, row)
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from error
        _digest_whole(self.path, digest)

    def _pieces(self, layout: Layout) -> Iterator[Any]:
        kept = [number for number, column in enumerate(layout) if column is not None]
        names = [self._file.schema_arrow[number].name for number in kept]
        for batch in self._file.iter_batches(batch_size=_ROWS, columns=names):
            # Asked for "a" it gives "a.b" as well.
            yield batch.select(names)

    def diagnose_text(self, diagnosis: Diagnosis) -> None:
        """Nothing: a Parquet file states what it holds."""

    def examine(self, record: Record, layout: Layout, diagnosis: Diagnosis) -> None:
        """Find what is wrong with one row."""
        if b"\0" in record.text:
            diagnosis.add(record.line, 1, "A NUL byte, which PostgreSQL text cannot hold; remove it.")
        split = Splitter(_DIALECT).split(
            record.payload.decode("utf-8", "replace"), record.line, is_last=False
        )
        kept = [(number, column) for number, column in enumerate(layout, 1) if column is not None]
        for (number, column), item in zip(kept, split.fields, strict=False):
            diagnosis.check(Value(record.line, number, column, item.text))

    def diagnose(self, layout: Layout, diagnosis: Diagnosis, *, start: int) -> None:
        """Find what is wrong with the rows from one on; how much is examined is bounded."""
        row, examined = 1, 0
        for batch in self._pieces(layout):
            if row + batch.num_rows > start:
                for record in _split(_as_csv(batch), row):
                    if record.line >= start:
                        self.examine(record, layout, diagnosis)
                examined += batch.num_rows
            row += batch.num_rows
            if diagnosis.is_full or examined > MAX_VALUES // len(layout):
                return


def _batch(payload: bytes, row: int) -> Batch:
    return Batch(row, payload, lambda: _split(payload, row))


def _split(payload: bytes, row: int) -> Sequence[Record]:
    records = split_records(payload, 1, quote=b'"', line_end=b"\n")
    return [replace(record, line=row + number) for number, record in enumerate(records)]


def _digest_whole(path: Path, digest: Digest) -> None:
    with path.open("rb") as file:
        while block := file.read(_BUFFER):
            digest(block)


def _require_flat(path: Path, schema: pa.Schema, layout: Layout) -> None:
    """Refuse columns whose values have no one way into a table's column."""
    import pyarrow.types as kinds

    refused = (kinds.is_nested, kinds.is_duration, kinds.is_interval)
    problems = [
        FileProblem(1, number, f"Column {field.name!r} is of type {field.type}, which cannot be loaded.")
        for number, (field, column) in enumerate(zip(schema, layout, strict=True), 1)
        if column is not None and any(test(_storage(field.type)) for test in refused)
    ]
    if problems:
        raise FileRejectedError(
            str(path),
            tuple(problems[:MAX_PROBLEMS]),
            advice="Leave the column out (columns: its name to null), or write it as text, e.g. JSON.",
        )


def _storage(kind: Any) -> Any:
    """The type of the values behind an extension type or a dictionary."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if isinstance(kind, pa.BaseExtensionType):
        return _storage(kind.storage_type)
    return _storage(kind.value_type) if kinds.is_dictionary(kind) else kind


def _as_csv(batch: pa.RecordBatch) -> bytes:
    import pyarrow as pa
    from pyarrow import csv

    columns = [_plain(column) for column in batch.columns]
    names = [str(number) for number in range(len(columns))]
    out = io.BytesIO()
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    csv.write_csv(pa.RecordBatch.from_arrays(columns, names=names), out, options)
    return out.getvalue()


def _plain(column: Any) -> Any:
    """A column of a type whose CSV is what PostgreSQL reads."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if isinstance(column.type, pa.BaseExtensionType):
        if column.type.extension_name == "arrow.uuid":
            return pa.array([value and value.hex() for value in column.storage.to_pylist()], pa.string())
        column = column.storage
    if kinds.is_dictionary(column.type):
        column = _plain(column.dictionary_decode())
    if kinds.is_float16(column.type):
        return column.cast(pa.float32())
    if kinds.is_binary(column.type) or kinds.is_large_binary(column.type) or _is_fixed_binary(column.type):
        hexed = [None if value is None else "\\x" + value.hex() for value in column.to_pylist()]
        return pa.array(hexed, pa.large_string())
    return column


def _is_fixed_binary(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_fixed_size_binary(kind) or kinds.is_binary_view(kind))

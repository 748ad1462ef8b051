"""How a file is to be read: what its text looks like, which columns count, how many bad rows are borne."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from windlass.warehouse.errors import LoadError
from windlass.warehouse.load.source import can_decode

__all__ = ["Dialect", "FileFormat", "FileOptions", "format_of", "is_gzip"]

FileFormat: TypeAlias = Literal["csv", "jsonl", "parquet"]

_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_GZIP = ".gz"
_LINE_ENDS = frozenset("\r\n")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How values stand in a CSV file.

    Attributes:
        delimiter: What separates them.
        quote: What may surround them; doubled inside.
        null: What an unquoted value is that means null.
    """

    delimiter: str = ","
    quote: str = '"'
    null: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How a file is to be read. None of it changes which content counts as loaded already.

    Attributes:
        columns: Columns of the file that have another name in the table; None for one that is left out.
        extra_columns: Whether a column of the file that the table does not have is an `error`, or is to be
            left out (`ignore`).
        missing_columns: Whether a column that the file does not have is an `error` unless the table fills
            it itself, or takes its `default` (null if it has none).
        delimiter: What separates the values of a CSV file, one ASCII character.
        quote: What may surround them, one ASCII character.
        null: What an unquoted CSV value is that means null.
        encoding: Encoding of a CSV or JSON-lines file, by Python's name for it.
        max_rejects: Up to so many rows may be bad, and are put into `ops.rejected_file_row` instead.

    Raises:
        LoadError: One of them makes no sense.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    extra_columns: Literal["error", "ignore"] = "error"
    missing_columns: Literal["error", "default"] = "error"
    delimiter: str = ","
    quote: str = '"'
    null: str = ""
    encoding: str = "utf-8"
    max_rejects: int = 0

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote"):
            value = getattr(self, name)
            if len(value) != 1 or not value.isascii() or value in _LINE_ENDS or value == "\0":
                raise LoadError(f"{name} is {value!r}.", advice="Give one ASCII character, no line end.")
        if self.delimiter == self.quote:
            raise LoadError(f"delimiter and quote are both {self.quote!r}.", advice="Let them differ.")
        if set(self.null) & {self.delimiter, self.quote, "\0", *_LINE_ENDS}:
            raise LoadError(
                f"null is {self.null!r}.", advice="Give a text without delimiter, quote and line end."
            )
        if self.max_rejects < 0:
            raise LoadError(f"max_rejects is {self.max_rejects}.", advice="Give 0 or more.")
        if not can_decode(self.encoding):
            raise LoadError(
                f"There is no encoding {self.encoding!r} of files.",
                advice="Give a name that Python knows, such as utf-8, latin-1, cp1252 or utf-16.",
            )

    @property
    def dialect(self) -> Dialect:
        """How values stand in a CSV file."""
        return Dialect(self.delimiter, self.quote, self.null)

    def require_fitting(self, kind: FileFormat) -> None:
        """Refuse options that another format knows, instead of leaving them aside.

        Raises:
            LoadError: One was given that says nothing about this format.
        """
        usual = Dialect()
        foreign = [
            name
            for name in ("delimiter", "quote", "null")
            if kind != "csv" and getattr(self, name) != getattr(usual, name)
        ]
        if kind == "parquet" and self.encoding != "utf-8":
            foreign.append("encoding")
        if foreign:
            raise LoadError(f"{', '.join(foreign)} has no meaning for a {kind} file.", advice="Leave it out.")


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == _GZIP


def format_of(path: Path) -> FileFormat:
    """The format of a file by its name, `.gz` aside.

    Raises:
        LoadError: The suffix is none of those known.
    """
    name = Path(path.stem) if is_gzip(path) else path
    kind = _SUFFIXES.get(name.suffix.lower())
    if kind is None:
        known = ", ".join(_SUFFIXES)
        raise LoadError(
            f"Cannot tell the format of {path}.",
            advice=f"Give format, or a suffix of {known}, with .gz after it if compressed.",
        )
    return kind

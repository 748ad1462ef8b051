"""Bytes that PostgreSQL cannot store as text: another encoding, a NUL."""

from __future__ import annotations

import codecs

from windlass.warehouse.load.diagnosis import Diagnosis
from windlass.warehouse.load.source import MAX_RECORD, TextSource, original_byte

__all__ = ["diagnose_encoding", "diagnose_line"]

_MARKS = {
    codecs.BOM_UTF16_LE: ("UTF-16", "give its encoding, utf-16"),
    codecs.BOM_UTF16_BE: ("UTF-16", "give its encoding, utf-16"),
    b"\x1f\x8b": ("compressed by gzip", "let its name end in .gz"),
}


def diagnose_encoding(source: TextSource, diagnosis: Diagnosis) -> None:
    """Find what is not text in the encoding the file should have."""
    start = source.start(2)
    for mark, (name, advice) in _MARKS.items():
        if start == mark and source.is_utf8:
            diagnosis.add(1, 1, f"The file is {name}; save it as plain UTF-8, or {advice}.")
            return
    for number, line in enumerate(source.lines(), 1):
        if len(line) > MAX_RECORD:
            return
        diagnose_line(source, number, line, diagnosis)
        if diagnosis.is_full:
            return


def diagnose_line(source: TextSource, number: int, line: bytes, diagnosis: Diagnosis) -> None:
    """Find what is not text in a line, or a record of several lines that begins with it."""
    if line.isascii() and b"\0" not in line:
        return
    nul = line.find(b"\0")
    if nul >= 0:
        diagnosis.add(
            *_place(number, line[:nul]), "A NUL byte, which PostgreSQL text cannot hold; remove it."
        )
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(number, line[: error.start])
        if source.is_utf8:
            byte = line[error.start]
            looks = f" In Windows-1252 or Latin-1 it is {bytes([byte]).decode('cp1252', 'replace')!r}."
            message = f"Byte 0x{byte:02x} is not UTF-8.{looks} Save the file as UTF-8, or give its encoding."
        else:
            byte = original_byte(line[error.start : error.start + 2])
            message = f"Byte 0x{byte:02x} is not {source.encoding}. Give the file's own encoding."
        diagnosis.add(*place, message)


def _place(number: int, before: bytes) -> tuple[int, int]:
    """The line and column after some bytes of a record that begins at a line."""
    lines = before.decode("utf-8", "replace").split("\n")
    return number + len(lines) - 1, len(lines[-1]) + 1

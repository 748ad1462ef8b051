"""Bytes that PostgreSQL cannot store as text: another encoding, a byte-order mark, a NUL."""

from __future__ import annotations

import codecs
from pathlib import Path

from windlass.warehouse.load.diagnosis import Diagnosis

__all__ = ["diagnose_encoding"]

_MARKS = {
    codecs.BOM_UTF8: "UTF-8 with a byte-order mark",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def diagnose_encoding(path: Path, diagnosis: Diagnosis) -> None:
    """Find what is not plain UTF-8 text."""
    with path.open("rb") as file:
        start = file.read(3)
        file.seek(0)
        for mark, name in _MARKS.items():
            if start.startswith(mark):
                diagnosis.add(1, 1, f"The file is {name}; save it as UTF-8 without one.")
                if mark != codecs.BOM_UTF8:
                    return
        for number, line in enumerate(file, 1):
            if not line.isascii() or b"\0" in line:
                _diagnose_line(number, line, diagnosis)
            if diagnosis.is_full:
                return


def _diagnose_line(number: int, line: bytes, diagnosis: Diagnosis) -> None:
    nul = line.find(b"\0")
    if nul >= 0:
        column = len(line[:nul].decode("utf-8", "replace")) + 1
        diagnosis.add(number, column, "A NUL byte, which PostgreSQL text cannot hold; remove it.")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode("utf-8", "replace")) + 1
        byte = line[error.start]
        looks = f" In Windows-1252 or Latin-1 it is {bytes([byte]).decode('cp1252', 'replace')!r}."
        diagnosis.add(number, column, f"Byte 0x{byte:02x} is not UTF-8.{looks} Save the file as UTF-8.")

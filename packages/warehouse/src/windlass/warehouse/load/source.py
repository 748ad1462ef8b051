"""The bytes of a file as UTF-8 text, streamed: unpacked, decoded, and digested on the way."""

from __future__ import annotations

import codecs
import io
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from windlass.warehouse.errors import FileProblem, FileRejectedError

__all__ = ["ADVICE", "MAX_RECORD", "TextSource", "can_decode", "original_byte", "require_regular"]

ADVICE = "Correct the file, or ask its sender for another one, and load it again."

MAX_RECORD = 64 * 1024 * 1024
"""How long a record may be, in bytes: so much has to be held at once."""

_BLOCK = 1024 * 1024
_GZIP_WINDOW = 31
_FREE_EXPANSION = 1024**3
_MAX_EXPANSION = 200
_ERRORS = "windlass-mark"
_CONTINUATION, _NIBBLE = 0x80, 0x0F
_FIRST_MARK, _END_OF_MARKS = "\udc80", "\udd00"


def _mark(error: UnicodeError) -> tuple[str | bytes, int]:
    """Stand bytes that cannot be decoded as what is no UTF-8 either, so that PostgreSQL stops at them too.

    Each becomes two continuation bytes with four bits of it: never the start of a character, whatever
    stands before and after, and to be read back for the message.
    """
    if isinstance(error, UnicodeEncodeError):
        # A mark; or half a surrogate pair, for encodings such as UTF-7 do not mind one.
        char = error.object[error.start]
        is_mark = _FIRST_MARK <= char < _END_OF_MARKS
        return char.encode("utf-8", "surrogateescape" if is_mark else "surrogatepass"), error.start + 1
    if not isinstance(error, UnicodeDecodeError):
        raise error
    marks = (
        chr(0xDC00 | _CONTINUATION | half)
        for byte in error.object[error.start : error.end]
        for half in (byte >> 4, byte & _NIBBLE)
    )
    return "".join(marks), error.end


codecs.register_error(_ERRORS, _mark)


def can_decode(encoding: str) -> bool:
    """Whether Python knows an encoding of text, one that can be read in blocks and past its errors."""
    try:
        "".encode(encoding)
        codecs.getincrementaldecoder(encoding)(_ERRORS).decode(b"", final=True)
    except (LookupError, ValueError):
        return False
    return True


def original_byte(marked: bytes) -> int:
    """The byte that two marks stand for, see `TextSource.blocks`."""
    return (marked[0] & _NIBBLE) << 4 | (marked[1] & _NIBBLE if len(marked) > 1 else 0)


@dataclass(frozen=True, slots=True)
class TextSource:
    """A text file.

    Attributes:
        path: Where it is.
        gzip: Whether it is compressed.
        encoding: Its encoding, by Python's name.
        free_expansion: Bytes up to which compressed data may expand as they like.
        max_expansion: By how much more than their own size they may expand beyond that.
    """

    path: Path
    gzip: bool = False
    encoding: str = "utf-8"
    free_expansion: int = _FREE_EXPANSION
    max_expansion: int = _MAX_EXPANSION

    @property
    def is_utf8(self) -> bool:
        """Whether its bytes go to PostgreSQL as they are."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")

    def blocks(self, digest: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
        """Its text in UTF-8, without a byte-order mark; bytes that cannot be decoded stand as no UTF-8.

        Args:
            digest: Called with the bytes of the file as they are read.

        Raises:
            FileRejectedError: The compressed data are broken, or expand without end.
        """
        data = _raw(self.path, digest)
        if self.gzip:
            data = self._unpacked(data)
        return _without_mark(data) if self.is_utf8 else _transcoded(data, self.encoding)

    def text(self) -> TextIO:
        """Its text for reading line by line, line ends as they are; what is no UTF-8 as U+FFFD."""
        raw = _IteratorFile(self.blocks())
        return io.TextIOWrapper(
            io.BufferedReader(raw, _BLOCK), encoding="utf-8", errors="replace", newline=""
        )

    def lines(self, digest: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
        """Its lines, each with its end; one longer than a record may be is cut, and the last."""
        file = io.BufferedReader(_IteratorFile(self.blocks(digest)), _BLOCK)
        while line := file.readline(MAX_RECORD + 1):
            yield line
            if len(line) > MAX_RECORD:
                return

    def start(self, size: int) -> bytes:
        """The first bytes of the file, unpacked and as they are."""
        found = b""
        data = _raw(self.path, None)
        for block in self._unpacked(data) if self.gzip else data:
            found += block
            if len(found) >= size:
                break
        return found[:size]

    def _unpacked(self, data: Iterable[bytes]) -> Iterator[bytes]:
        taken = given = 0
        unpack = zlib.decompressobj(_GZIP_WINDOW)
        for block in data:
            taken += len(block)
            rest, out = block, b""
            # A call that gave all it may could give more without another byte.
            while rest or len(out) == _BLOCK:
                if unpack.eof:
                    # Members may follow each other; zeros after the last are padding.
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        break
                    unpack = zlib.decompressobj(_GZIP_WINDOW)
                out = self._unpack(unpack, rest)
                given += len(out)
                self._require_bounded(taken, given)
                if out:
                    yield out
                rest = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        if taken and not unpack.eof:
            self._refuse("The compressed data end too early: the file is truncated.")

    def _require_bounded(self, taken: int, given: int) -> None:
        if given > max(self.free_expansion, taken * self.max_expansion):
            self._refuse(
                f"The compressed data expand to more than {self.max_expansion} times their size.",
                advice="If that is meant, unpack the file and load what comes out.",
            )

    def _unpack(self, unpack: Any, data: bytes) -> bytes:
        try:
            out: bytes = unpack.decompress(data, _BLOCK)
        except zlib.error as error:
            self._refuse(f"The compressed data are broken or no gzip: {error}.")
        return out

    def _refuse(self, message: str, *, advice: str = ADVICE) -> Any:
        raise FileRejectedError(str(self.path), (FileProblem(1, 1, message),), advice=advice)


def _raw(path: Path, digest: Callable[[bytes], object] | None) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            if digest is not None:
                digest(block)
            yield block


def _without_mark(data: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    for block in data:
        first += block
        if len(first) >= len(codecs.BOM_UTF8):
            break
    if first:
        yield first.removeprefix(codecs.BOM_UTF8)
    yield from data


def _transcoded(data: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)
    is_start = True
    for block in data:
        text = decoder.decode(block)
        if is_start and text:
            text, is_start = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", _ERRORS)
    yield decoder.decode(b"", final=True).encode("utf-8", _ERRORS)


class _IteratorFile(io.RawIOBase):
    """Blocks as a file, for the standard library's line reading."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def require_regular(path: Path) -> None:
    """Refuse what would block the reader, or could not be read a second time.

    Raises:
        FileRejectedError: It is no regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        problem = FileProblem(1, 1, f"It is {kind}, not a regular file.")
        raise FileRejectedError(str(path), (problem,), advice="Save its content as a file, and load that.")

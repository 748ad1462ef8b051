"""SQL texts cut into statements and parameters, with their places, so that errors can point at them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from windlass.warehouse.errors import LoadError, StatementError

__all__ = ["Placeholder", "Script", "Statement", "read_script"]

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*)
    | (?P<string>[eE]'(?:[^'\\]+|\\.|'')*'|'(?:[^']+|'')*')
    | (?P<name>"(?:[^"]+|"")*")
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<placeholder>%\([^()%]*\)s)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<semicolon>;)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"%\(([^()%]*)\)s")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_TRANSACTION_WORDS = frozenset(
    {
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint",
        "release",
        "prepare transaction",
    }
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place for a bound parameter: `%(name)s`, from `start` to `end` of the script's text."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script, from `start` to `end` of its text, without its semicolon.

    Attributes:
        start: Offset of its first token.
        end: Offset after its last token.
        placeholders: Its bound parameters, in order.
        quoted: What looks like a bound parameter and stands inside quotes, where nothing is bound.
    """

    start: int
    end: int
    placeholders: tuple[Placeholder, ...]
    quoted: tuple[Placeholder, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A SQL text.

    Attributes:
        text: The SQL.
        name: Path of its file, or what else to call it in messages.
    """

    text: str
    name: str = "<sql>"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of an offset into the text."""
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def excerpt(self, offset: int) -> str:
        """The line an offset is in, with a caret under the place."""
        line, column = self.position(offset)
        content = self.text.split("\n")[line - 1].rstrip("\r")
        start = max(0, column - 80)
        shown = content[start : start + 120].replace("\t", " ")
        return f"{line:>5} | {shown}\n      | {' ' * (column - 1 - start)}^"

    def failure(self, message: str, offset: int, *, sqlstate: str = "", advice: str = "") -> StatementError:
        """An error that points at an offset of the text."""
        line, column = self.position(offset)
        return StatementError(
            f"{message}\n{self.excerpt(offset)}",
            file=self.name,
            line=line,
            column=column,
            sqlstate=sqlstate,
            advice=advice,
        )

    def statements(self) -> tuple[Statement, ...]:
        """The statements in order; comments between them belong to none.

        Raises:
            StatementError: A quote or comment never ends, or a statement would end the transaction.
        """
        return tuple(_statements(self))

    def clause(self, words: Collection[str]) -> int | None:
        """Offset of the first of some reserved words outside parentheses, where none names a column."""
        depth, before = 0, ""
        for kind, first, last in _tokens(self):
            if kind in ("comment", "space"):
                continue
            token = self.text[first:last].lower()
            depth += {"(": 1, ")": -1}.get(token, 0)
            if kind == "word" and depth == 0 and token in words and before not in ("as", "."):
                return first
            before = token
        return None


def read_script(*, sql: str | None = None, sql_file: str | PathLike[str] | None = None) -> Script:
    """The script given as text or as a file: exactly one of them.

    Raises:
        LoadError: None or both are given, or the file cannot be read.
    """
    if (sql is None) == (sql_file is None):
        raise LoadError("Exactly one of sql and sql_file is needed.", advice="Give the other one up.")
    if sql is not None:
        return Script(sql)
    assert sql_file is not None
    path = Path(sql_file)
    try:
        return Script(path.read_text(encoding="utf-8-sig"), name=fspath(path))
    except OSError as error:
        raise LoadError(
            f"Cannot read the SQL file {path}: {error.strerror}.",
            advice="Check the path and its permissions.",
        ) from error
    except UnicodeDecodeError as error:
        raise LoadError(
            f"The SQL file {path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}.",
            advice="Save it as UTF-8.",
        ) from error


class _Blocks:
    """Follows `begin atomic ... end` of SQL-standard function bodies, whose semicolons end no statement."""

    def __init__(self) -> None:
        self.first = self.second = self.last = ""
        self.depth = 0
        self.parentheses = 0
        self.copies_by_client = False

    def see(self, word: str) -> None:
        if self.first:
            self.second = self.second or word
        self.first = self.first or word
        before, self.last = self.last, word
        if self.first == "copy" and self.parentheses == 0 and before in ("from", "to"):
            self.copies_by_client |= word in ("stdin", "stdout")
        if self.first != "create":
            return
        if self.depth == 0:
            self.depth = int((before, word) == ("begin", "atomic"))
        elif word in ("begin", "case"):
            self.depth += 1
        elif word == "end":
            self.depth -= 1


def _statements(script: Script) -> Iterator[Statement]:
    start: int | None = None
    end = 0
    blocks, bound, quoted = _Blocks(), list[Placeholder](), list[Placeholder]()
    for kind, first, last in (*_tokens(script), ("semicolon", len(script.text), len(script.text))):
        if kind == "semicolon" and (blocks.depth == 0 or first == last):
            if start is not None:
                _refuse_transaction_control(script, start, blocks)
                if blocks.copies_by_client:
                    raise _client_copy(script, start)
                yield Statement(start, end, tuple(bound), tuple(quoted))
            start, blocks, bound, quoted = None, _Blocks(), [], []
            continue
        if kind in ("comment", "space"):
            continue
        start, end = first if start is None else start, last
        if kind == "word":
            blocks.see(script.text[first:last].lower())
        elif kind == "other":
            blocks.parentheses += {"(": 1, ")": -1}.get(script.text[first:last], 0)
        elif kind == "placeholder":
            bound.append(Placeholder(script.text[first + 2 : last - 2], first, last))
        elif kind in ("string", "dollar"):
            quoted += (
                Placeholder(match[1], match.start(), match.end())
                for match in _PLACEHOLDER.finditer(script.text, first, last)
            )


def _refuse_transaction_control(script: Script, start: int, blocks: _Blocks) -> None:
    words = blocks.first
    # It ends the transaction too, for another session to commit.
    if (blocks.first, blocks.second) == ("prepare", "transaction"):
        words = "prepare transaction"
    if words in _TRANSACTION_WORDS:
        raise script.failure(
            f"{words.upper()} is refused: all statements of a file run in one transaction.",
            start,
            advice="Remove it, or make two tasks of the file.",
        )


def _client_copy(script: Script, start: int) -> StatementError:
    return script.failure(
        "COPY through the client is refused: a SQL text brings no rows and takes none.",
        start,
        advice="Load files with load_file and move rows with extract_load (warehouse.load_file and "
        "warehouse.extract_load in configs).",
    )


def _tokens(script: Script) -> Iterator[tuple[str, int, int]]:
    text, offset = script.text, 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        assert match is not None
        kind = match.lastgroup or "other"
        end = match.end()
        if kind == "other" and match.group() in "'\"":
            raise script.failure("This quote never ends.", offset, advice="Close it.")
        if kind == "comment" and match.group() == "/*":
            end = _comment_end(script, offset)
        elif kind == "dollar":
            close = text.find(match.group(), end)
            if close < 0:
                raise script.failure("This dollar quote never ends.", offset, advice="Close it.")
            end = close + len(match.group())
        yield kind, offset, end
        offset = end


def _comment_end(script: Script, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(script.text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise script.failure("This comment never ends.", start, advice="Close it with */.")

"""Mistakes as data: a finding knows the place in the document, a diagnostic the place in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from windlass.dagfactory.diagnostics.codes import CODES, Code, Severity
from windlass.dagfactory.secrets import hide

__all__ = ["Diagnostic", "Finding", "JsonPath", "Source", "did_you_mean", "json_path", "value_at"]

JsonPath = tuple[str | int, ...]

_COMPARED = 1000
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")


@dataclass(frozen=True)
class Source:
    """A file beside the config that a mistake is in.

    Attributes:
        name: The file, relative to the config's folder, with slashes.
        text: What is in it.
        shown: Whether the line may be shown; not where it holds a secret.
    """

    name: str
    text: str = field(repr=False)
    shown: bool = True


@dataclass(frozen=True)
class Finding:
    """A mistake at a place in the document, found without knowing lines: positions cost a second pass.

    Attributes:
        code: Which mistake.
        path: Keys and indices that lead to the value; empty for the document itself.
        message: What is wrong.
        suggestion: What to write instead, if that can be guessed.
        at: Whether the key or the value is to be shown.
        inside: Where in a value that is a string: the first character and how many. None: all of it.
        source: The file that `path` leads to, if the mistake is in there; `inside` is of its text then.
    """

    code: Code
    path: JsonPath
    message: str
    suggestion: str | None = None
    at: Literal["key", "value"] = "value"
    inside: tuple[int, int] | None = None
    source: Source | None = None


@dataclass(frozen=True)
class Diagnostic:
    """A mistake at a place in a file.

    Attributes:
        code: Stable code, see `CODES`.
        severity: `error` or `warning`.
        file: The file as the user knows it.
        line: Line, from 1.
        column: Column in characters, from 1.
        path: JSON path such as `$.tasks.load.args`.
        message: What is wrong.
        suggestion: What to write instead, or None.
        source_line: The line itself, or None where it must not be shown.
        length: How many characters of the line are concerned.
    """

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str | None = None
    source_line: str | None = field(default=None, compare=False, repr=False)
    length: int = field(default=1, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Leave out what looks like a secret: whatever is shown of a mistake is shown from here."""
        for name in ("path", "message", "suggestion"):
            text = getattr(self, name)
            if text is not None and (shown := hide(text)) != text:
                object.__setattr__(self, name, shown)

    @property
    def advice(self) -> str:
        """What to do: the suggestion, or what the table of codes advises."""
        return self.suggestion or CODES[Code(self.code)].advice

    def as_dict(self) -> dict[str, str | int | None]:
        """The diagnostic as the JSON output has it."""
        return {
            "code": self.code,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "suggestion": self.suggestion,
            "severity": self.severity,
        }


def json_path(path: JsonPath) -> str:
    """Write a path as JSONPath (RFC 9535): dots where they do, brackets where they must."""
    parts = ["$"]
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif _PLAIN_KEY.match(part):
            parts.append(f".{part}")
        else:
            escaped = part.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{escaped}']")
    return "".join(parts)


def value_at(data: Any, path: JsonPath) -> Any:
    """Take what stands at a path.

    Raises:
        LookupError: Nothing stands there, because of a key or an index.
        TypeError: Nothing stands there, because what is around it holds nothing.
    """
    for part in path:
        data = data[part]
    return data


def did_you_mean(word: str, known: list[str], cutoff: float = 0.6) -> str | None:
    """Suggest the known word nearest to a mistyped one, or None if nothing is near or too much is known."""
    if len(known) > _COMPARED or len(word) > _COMPARED:
        return None
    from difflib import get_close_matches

    folded = {name.lower(): name for name in reversed(known)}
    near = get_close_matches(word.lower(), list(folded), n=1, cutoff=cutoff)
    return f'did you mean "{folded[near[0]]}"?' if near else None

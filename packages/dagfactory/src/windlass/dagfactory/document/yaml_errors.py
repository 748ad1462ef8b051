"""libyaml's complaints in words that help: where the mistake is, and what is usually meant."""

from __future__ import annotations

from yaml import YAMLError
from yaml.error import MarkedYAMLError

from windlass.dagfactory.diagnostics import Code
from windlass.dagfactory.document.scan import Problem

__all__ = ["explained"]

_ALIGN = "align the keys of one object in one column, and indent what is inside deeper"
_HINTS = {
    "mapping values are not allowed in this context": (
        'put text that holds ": " in quotes, or indent the line as its neighbours'
    ),
    "did not find expected key": _ALIGN,
    "could not find expected ':'": "a key needs a colon and a space after it; put longer text in quotes",
    "did not find expected '-' indicator": "indent every item of a list alike",
    "block sequence entries are not allowed in this context": "begin the list on a line of its own",
    "found unexpected end of stream": "close the quotes",
    "found unknown escape character": "write a backslash twice, or use single quotes",
}


def explained(error: YAMLError, text: str) -> Problem:
    """Turn what libyaml raises into a problem at its place in the text."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem(Code.SYNTAX, (0, 1), (), f"no YAML: {error}")
    at = min(mark.index, len(text))
    what = error.problem or "no YAML"
    hint = _HINTS.get(what)
    if "alias" in (error.context or "") or "anchor" in (error.context or ""):
        hint = "put text that begins with * or & in quotes"  # cron, mostly
    shown = text[at : at + 1]
    if what == "found character that cannot start any token":
        if shown == "\t":
            return Problem(Code.TAB, (at, at + 1), (), "a tab where YAML wants spaces")
        what, hint = f"a value cannot begin with {shown}", "put the text in quotes"
    if error.context:
        begun = error.context_mark
        line = f" that begins on line {text.count(chr(10), 0, begun.index) + 1}" if begun else ""
        what = f"{what}, {error.context}{line}"
    ended = not text[at:].strip() and at > 0
    if ended and "block" not in (error.context or "") and error.context:
        code, what = Code.TRUNCATED, f"the file ends where there should be more: {what}"
        return Problem(code, (at, at + 1), (), what, hint)
    return Problem(Code.SYNTAX, (at, at + 1), (), what, hint)

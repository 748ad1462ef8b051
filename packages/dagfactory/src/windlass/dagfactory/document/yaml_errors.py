"""libyaml's complaints in words that help: where the mistake is, and what is usually meant."""

from __future__ import annotations

import json
import re

from yaml import YAMLError
from yaml.error import MarkedYAMLError

from windlass.dagfactory.diagnostics import Code
from windlass.dagfactory.document.scan import Problem

__all__ = ["bare_template", "explained"]

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
_TEMPLATE = re.compile(r"""[^"'#]*?(?:[:\-,\[]\s+|\[)(\{[{%#].*?)\s*$""")
_QUOTABLE = 80


def bare_template(text: str, at: int) -> Problem | None:
    """Find a template that is not in quotes in a line: YAML takes its braces for those of an object.

    Args:
        text: The document.
        at: A place in the line.
    """
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", begin)
    found = _TEMPLATE.match(text[begin : end if end >= 0 else len(text)])
    if found is None:
        return None
    template = found[1].rstrip(",]") if "[" in found[0][: found.start(1)] else found[1]
    quoted = json.dumps(template, ensure_ascii=False)
    if '"' in template:
        quoted = template if "'" in template else f"'{template}'"
    hint = f"put the template in quotes: {quoted}"
    if len(template) > _QUOTABLE or quoted == template:
        hint = "put the template in quotes, or write it on the next line after a |"
    start = begin + found.start(1)
    span = (start, start + len(template))
    return Problem(Code.SYNTAX, span, (), "a template that is not in quotes", hint)


def explained(error: YAMLError, text: str) -> Problem:
    """Turn what libyaml raises into a problem at its place in the text."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem(Code.SYNTAX, (0, 1), (), f"no YAML: {error}")
    at = min(mark.index, len(text))
    begun_at = error.context_mark.index if error.context_mark else at
    if bare := bare_template(text, at) or bare_template(text, begun_at):
        return bare
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

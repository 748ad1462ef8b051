"""How mistakes are shown, and that exceptions carry them across processes."""

from __future__ import annotations

import pickle

import pytest

from windlass.dagfactory import ConfigError, Diagnostic, StubsError, render_text
from windlass.dagfactory.diagnostics import CODES, Code, did_you_mean, json_path
from windlass.dagfactory.errors import UnknownOperatorError

pytestmark = pytest.mark.unit


def diagnostic(**changes: object) -> Diagnostic:
    values: dict[str, object] = {
        "code": "WDF201",
        "severity": "error",
        "file": "a/dag.json",
        "line": 12,
        "column": 3,
        "path": "$.schedule",
        "message": "not a schedule",
    }
    return Diagnostic(**(values | changes))  # type: ignore[arg-type]


def test_every_code_is_in_the_table_once() -> None:
    assert set(CODES) == set(Code)
    assert all(info.title and info.advice for info in CODES.values())


def test_the_caret_stands_under_wide_and_combined_characters() -> None:
    text = render_text([diagnostic(source_line='"日本": "é́x"', column=7, length=5)])
    source, caret = text.splitlines()[1:3]
    assert source == '  12 | "日本": "é́x"'
    assert caret == "     |         ^^^^"


def test_a_long_line_is_cut_around_the_mark() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    source, caret = render_text([diagnostic(source_line=line, column=501, length=4)]).splitlines()[1:3]
    assert len(source) < 180
    assert source[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert source.endswith("…")


def test_control_characters_never_reach_the_terminal() -> None:
    text = render_text(
        [diagnostic(source_line="a\x1b[31m\tb", message="x\x1b]0;y", file="f\nile", column=1, length=50)]
    )
    assert "\x1b" not in text
    assert len(text.splitlines()) == 4


def test_colour_only_on_request_and_by_severity() -> None:
    assert "\x1b" not in render_text([diagnostic()])
    assert "\x1b[31m" in render_text([diagnostic()], colour=True)
    assert "\x1b[33m" in render_text([diagnostic(severity="warning")], colour=True)


def test_paths_follow_rfc_9535() -> None:
    assert json_path(()) == "$"
    assert json_path(("tasks", "load-it", "depends_on", 0)) == "$.tasks.load-it.depends_on[0]"
    assert json_path(("it's", "a b")) == "$['it\\'s']['a b']"


def test_suggestions_are_near_or_none() -> None:
    assert did_you_mean("BASHoperator", ["BashOperator", "EmptyOperator"]) == 'did you mean "BashOperator"?'
    assert did_you_mean("zzz", ["BashOperator"]) is None


def test_exceptions_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ConfigError([diagnostic()])))
    assert error.diagnostics == (diagnostic(),)
    assert "a/dag.json:12:3: error WDF201" in str(error)
    unknown = pickle.loads(pickle.dumps(UnknownOperatorError("a.B", "not there", ["a.C"])))
    assert (unknown.name, unknown.reason, unknown.suggestions) == ("a.B", "not there", ("a.C",))
    assert pickle.loads(pickle.dumps(StubsError("x", "y"))).folder == "x"

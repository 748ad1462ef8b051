"""How mistakes are shown, and that exceptions carry them across processes."""

from __future__ import annotations

import pickle
import re

import jsonschema
import pytest

from windlass.dagfactory import ConfigError, Diagnostic, StubsError, render_text
from windlass.dagfactory.diagnostics import CODES, Code, did_you_mean, json_path
from windlass.dagfactory.diagnostics.sarif import to_sarif
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


TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string"}},
}
POSITION = {"type": "integer", "minimum": 1}
SARIF = {
    # What the OASIS standard 2.1.0 says of the objects that are written here: sections 3.13 to 3.50.
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": {"$ref": "#/$defs/driver"}},
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "driver": {
            "type": "object",
            "required": ["name", "rules"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "semanticVersion": {"type": "string"},
                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/rule"}},
            },
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]+$"},
                "shortDescription": TEXT,
                "fullDescription": TEXT,
                "help": TEXT
                | {
                    "required": ["text", "markdown"],
                    "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}},
                },
                "defaultConfiguration": {
                    "properties": {"level": {"enum": ["none", "note", "warning", "error"]}}
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": TEXT,
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "type": "object",
            "required": ["physicalLocation"],
            "properties": {
                "physicalLocation": {
                    "properties": {
                        "artifactLocation": {
                            "properties": {"uri": {"type": "string", "pattern": "^[!-~]+$"}}
                        },
                        "region": {
                            "required": ["startLine", "startColumn", "endColumn"],
                            "properties": dict.fromkeys(("startLine", "startColumn", "endColumn"), POSITION),
                        },
                    }
                },
                "logicalLocations": {"items": {"required": ["fullyQualifiedName"]}},
            },
        },
    },
}


def test_sarif_has_the_shape_of_its_standard_and_help_for_every_rule() -> None:
    log = to_sarif([diagnostic(code=code.value, file="a b/ü.json") for code in Code])
    jsonschema.validate(log, SARIF)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(code.value for code in Code)
    results = log["runs"][0]["results"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    assert to_sarif([])["runs"][0]["results"] == []


def test_sarif_shows_advice_as_markdown_that_reads_as_it_is_written() -> None:
    rules = to_sarif([diagnostic(code=code.value) for code in Code])["runs"][0]["tool"]["driver"]["rules"]
    found = {rule["id"]: rule["help"]["markdown"] for rule in rules}
    assert found["WDF003"] == "**The file is empty.** Write a JSON object with at least `dag_id` and tasks."
    assert found["WDF701"].endswith("or write `$${NAME}` for the shell's own.")
    assert "`{{ conn.ID.password }}`" in found["WDF501"]
    for rule in rules:
        bare = re.sub(r"`[^`]*`", "", rule["help"]["markdown"].replace("**", ""))
        assert not re.search(r"(?<!\\)[_*<>{}\[\]#|]", bare), rule["help"]["markdown"]
        read = rule["help"]["markdown"].replace("`", "").replace("**", "").replace("\\", "")
        assert read == rule["fullDescription"]["text"]

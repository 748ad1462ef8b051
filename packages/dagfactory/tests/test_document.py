"""Parsing config files: plain data on the good path, exact places on the bad one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.dagfactory.document import MAX_DEPTH, Document, Problem, parse_document, read_bytes
from windlass.dagfactory.document.scan import scan

pytestmark = pytest.mark.unit


def problems(text: str | bytes) -> list[tuple[str, int, int]]:
    document = parse_document(text.encode() if isinstance(text, str) else text)
    return [(p.code.value, *document.line_and_column(p.span[0])) for p in document.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,}', [("WDF007", 1, 8)]),
        ('{"a": [1, 2,\n]}', [("WDF007", 1, 12)]),
        ('{"a": 1 // x\n}', [("WDF008", 1, 9)]),
        ('# x\n{"a": 1}', [("WDF008", 1, 1)]),
        ('{"a": /* x */ 1}', [("WDF008", 1, 7)]),
        ('{"a": 1', [("WDF009", 1, 8)]),
        ('{"a": "x', [("WDF009", 1, 9)]),
        ('{"a"', [("WDF009", 1, 5)]),
        ('{"a":', [("WDF009", 1, 6)]),
        ('{"a": [1', [("WDF009", 1, 9)]),
        ('{"a": 1, "b": 2, "a": 3}', [("WDF010", 1, 18)]),
        ('{"a": {"b": 1, "b": {"c": 1, "c": 2}}}', [("WDF010", 1, 16), ("WDF010", 1, 30)]),
        ('{"a" 1}', [("WDF006", 1, 6)]),
        ('{"a": 1 "b": 2}', [("WDF006", 1, 9)]),
        ('{"a": [1 2]}', [("WDF006", 1, 10)]),
        ("{'a': 1}", [("WDF006", 1, 2)]),
        ("{a: 1}", [("WDF006", 1, 2)]),
        ("{\"a\": 'x'}", [("WDF006", 1, 7)]),
        ('{"a": True}', [("WDF006", 1, 7)]),
        ('{"a": tru}', [("WDF006", 1, 7)]),
        ('{"a": 01}', [("WDF006", 1, 7)]),
        ('{"a": .5}', [("WDF006", 1, 7)]),
        ('{"a": @}', [("WDF006", 1, 7)]),
        ('{"a": "x\ny"}', [("WDF006", 1, 7)]),
        ('{"a": "x\ty"}', [("WDF006", 1, 9)]),
        ('{"a": "\\x"}', [("WDF006", 1, 8)]),
        ('{"a": 1} x', [("WDF006", 1, 10)]),
        ('{"é": 1,\n "ü": NaN}', [("WDF013", 2, 7)]),
        ('{"a": -Infinity}', [("WDF013", 1, 7)]),
        ('{"a": 1e999}', [("WDF013", 1, 7)]),
        ('{"a": ' + "9" * 5000 + "}", [("WDF013", 1, 7)]),
        ('{"a": "\\ud800"}', [("WDF014", 1, 7)]),
        ('{"a\\u0000": 1}', [("WDF014", 1, 2)]),
        ('\ufeff{"a": 1,}', [("WDF005", 1, 1), ("WDF007", 1, 9)]),
        ("\ufeff", [("WDF003", 1, 1)]),
        (" \n ", [("WDF003", 1, 1)]),
        ("null", [("WDF012", 1, 1)]),
        ('"x"', [("WDF012", 1, 1)]),
        ("[" * 200_000, [("WDF011", 1, MAX_DEPTH + 1)]),
        (b'{"a": "\xff"}', [("WDF004", 1, 8)]),
        ('{"a": 1}'.encode("utf-16"), [("WDF004", 1, 1)]),
    ],
)
def test_a_malformed_document_is_located(text: str | bytes, expected: list[tuple[str, int, int]]) -> None:
    assert problems(text) == expected


def test_columns_count_characters_and_lines_end_with_either_break() -> None:
    assert problems('{\r\n  "größe 🚀": 1,\r\n  "größe 🚀": 2\r\n}') == [("WDF010", 3, 3)]


def test_what_a_mistake_leaves_clear_is_still_understood() -> None:
    document = parse_document(b'{"a": [1, 2,], /* x */ "b": {"c": true,}, "a": 3}')
    assert document.data == {"a": [1, 2], "b": {"c": True}}
    assert [problem.code.value for problem in document.problems] == ["WDF007", "WDF008", "WDF007", "WDF010"]


def test_sixty_four_levels_are_allowed_and_no_more() -> None:
    def nested(levels: int) -> str:
        return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"

    assert problems(nested(MAX_DEPTH)) == []
    assert problems(nested(MAX_DEPTH + 1)) == [("WDF011", 1, 5 + MAX_DEPTH)]


def test_a_paired_surrogate_escape_is_one_character() -> None:
    assert parse_document(rb'{"a": "\ud83d\ude80"}').data == {"a": "🚀"}


def test_reports_end_after_a_hundred_mistakes() -> None:
    assert len(problems("{" + '"a": NaN, ' * 5000 + '"b": 1}')) == 100


@pytest.mark.parametrize(
    ("path", "at_key", "expected"),
    [
        ((), False, (1, 1)),
        (("tasks", "load", "args", "x", 1), False, (4, 17)),
        (("tasks", "load"), True, (3, 5)),
        (("tasks", "load"), False, (3, 13)),
        (("tasks", "load", "missing"), False, (3, 5)),
        (("nowhere", "at", "all"), False, (1, 1)),
    ],
)
def test_a_path_is_found_or_the_nearest_place_around_it(
    path: tuple[str | int, ...], at_key: bool, expected: tuple[int, int]
) -> None:
    text = '{\n  "tasks": {\n    "load": {"args":\n      {"x": [1, 22]}}}}'
    assert parse_document(text.encode()).position(path, at_key=at_key) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=6), json_values, max_size=5), st.sampled_from([None, 2]))
def test_both_passes_read_the_same_from_sound_json(data: dict[str, object], indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    found = scan(text)
    assert found.complete
    if not found.problems:  # a NUL or half a surrogate pair is sound JSON, but no config
        assert found.data == data
        assert parse_document(text.encode()).data == data
        for path, (start, end) in found.values.items():
            value: object = data
            for part in path:
                value = value[part]  # type: ignore[index]
            assert json.loads(text[start:end]) == value


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    document = parse_document(data)
    assert isinstance(document.data, dict) or document.problems
    assert document.diagnostics("x", []) or not document.problems


@given(st.text(alphabet='{}[]",:0-9.eE \n\\utrufalsn/*#', max_size=40))
def test_no_near_json_raises_and_both_passes_agree_on_what_is_sound(text: str) -> None:
    document = parse_document(text.encode())
    try:
        sound = isinstance(json.loads(text), dict)
    except ValueError:
        sound = False
    if not sound:
        assert document.problems


def test_reading_reports_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, reason in (
        (tmp_path, "not a regular file"),
        (fifo, "not a regular file"),
        (tmp_path / "x", "No such"),
    ):
        found = read_bytes(path)
        assert isinstance(found, Problem)
        assert reason in found.message
    assert isinstance(read_bytes("\0"), Problem)


def test_an_unreadable_document_has_a_place_all_the_same() -> None:
    document = parse_document(read_bytes("/nonexistent"))
    [found] = document.diagnostics("x/dag.json", [])
    assert (found.file, found.line, found.column, found.source_line) == ("x/dag.json", 1, 1, None)
    assert Document("", None).span(("a",)) == (0, 1)

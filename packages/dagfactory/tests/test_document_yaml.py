"""YAML configs: the core schema of YAML 1.2, exact places, and no more than JSON can say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.dagfactory.document import MAX_DEPTH, parse_document, suffix_of

pytestmark = pytest.mark.unit


def data(text: str) -> object:
    document = parse_document(text.encode(), suffix=".yaml")
    assert document.problems == ()
    return document.data


def problems(text: str | bytes) -> list[tuple[str, int, int]]:
    document = parse_document(text.encode() if isinstance(text, str) else text, suffix=".yaml")
    return [(p.code.value, *document.line_and_column(p.span[0])) for p in document.problems]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("yes", "yes"),
        ("On", "On"),
        ("off", "off"),
        ("n", "n"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("+7", 7),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-", None),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("=", "="),
        ("0 5 * * *", "0 5 * * *"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"\\u00e9\\n"', "é\n"),
        ("|\n  a\n  b", "a\nb"),
        (">-\n  a\n  b", "a b"),
    ],
)
def test_a_scalar_is_read_by_the_core_schema(scalar: str, value: object) -> None:
    if scalar == "-":
        assert data("a:\n  -\n") == {"a": [None]}
    else:
        assert data(f"a: {scalar}") == {"a": value}


def test_keys_that_yaml_1_1_would_read_as_booleans_are_strings() -> None:
    assert data("on: 1\nyes: 2\n'3': 3\n\"null\": 4\n'<<': 5\n") == {
        "on": 1,
        "yes": 2,
        "3": 3,
        "null": 4,
        "<<": 5,
    }


def test_aliases_repeat_what_their_anchors_name() -> None:
    text = "a: &list [1, &x two]\nb: *list\nc: {d: *x}\n&k key: *k\n"
    assert data(text) == {"a": [1, "two"], "b": [1, "two"], "c": {"d": "two"}, "key": "key"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", [("WDF020", 2, 1)]),
        ("a: 1\n b: 2\n", [("WDF006", 2, 3)]),
        ("a:\n  - b\n c: 1\n", [("WDF006", 3, 2)]),
        ("a: b: c\n", [("WDF006", 1, 5)]),
        ("a: %x\n", [("WDF006", 1, 4)]),
        ("a: *nowhere\n", [("WDF006", 1, 4)]),
        ("a: \x01\nb: \x02\n", [("WDF006", 1, 4), ("WDF006", 2, 4)]),
        ("%YAML 9.9\n---\na: 1\n", [("WDF006", 1, 1)]),
        ('a: "\\ud800"\n', [("WDF006", 1, 7)]),
        ("a: [1, 2\n", [("WDF009", 2, 1)]),
        ('a: "x\n', [("WDF009", 2, 1)]),
        ("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", [("WDF010", 4, 3), ("WDF010", 5, 1)]),
        ("a: " + "[" * 1000, [("WDF011", 1, 3 + MAX_DEPTH)]),
        ("- a\n", [("WDF012", 1, 1)]),
        ("text\n", [("WDF012", 1, 1)]),
        ("---\n", [("WDF012", 1, 1)]),
        ("a: .inf\nb: -.INF\nc: .nan\nd: 1e999\n", [("WDF013", line, 4) for line in (1, 2, 3, 4)]),
        ("a: " + "9" * 5000, [("WDF013", 1, 4)]),
        ('a: "x\\0y"\n"b\\0": 1\n', [("WDF014", 1, 4), ("WDF014", 2, 1)]),
        (
            "a: !!str 1\nb: !x [1]\nc: ! y\n!!str d: 1\n",
            [("WDF015", line, 4 if line < 4 else 1) for line in (1, 2, 3, 4)],
        ),
        ("a: &a [*a]\n", [("WDF016", 1, 8)]),
        ("a: 1\n---\nb: 2\n", [("WDF017", 2, 1)]),
        ("b: {<<: {x: 1}, c: 1}\n", [("WDF018", 1, 5)]),
        ("1: a\nnull: b\n[x]: d\n{y: 1}: e\n", [("WDF019", line, 1) for line in (1, 2, 3, 4)]),
        ("\ufeffa: 1\nb: !x 2\n", [("WDF005", 1, 1), ("WDF015", 2, 4)]),
        ("# only a comment\n", [("WDF003", 1, 1)]),
        (" \n", [("WDF003", 1, 1)]),
        (b"a: \xff\n", [("WDF004", 1, 4)]),
        ("é🚀: ü\n🚀: [🚀, !t 1]\n", [("WDF015", 2, 8)]),
    ],
)
def test_a_malformed_document_is_located(text: str | bytes, expected: list[tuple[str, int, int]]) -> None:
    assert problems(text) == expected


def test_cron_without_quotes_is_told_to_get_some() -> None:
    (problem,) = parse_document(b"schedule: */5 * * * *\n", suffix=".yaml").problems
    assert "in quotes" in str(problem.suggestion)


def test_aliases_that_grow_without_end_are_refused_at_once() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{inner}'] * 9)}]"
        for name, inner in zip("bcdefghi", "abcdefgh", strict=True)
    ]
    assert problems("\n".join(lines)) == [("WDF016", 5, 36)]
    long = "a: &a " + "x" * 500_000 + "\nb: [*a, *a, *a]\n"
    assert problems(long) == [("WDF016", 2, 13)]


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    text = "a: &a " + "[" * 60 + "]" * 60 + "\nb: [[[*a]]]\nc: [[[[*a]]]]\n"
    assert problems(text) == [("WDF011", 3, 8)]


def test_what_a_mistake_leaves_clear_is_still_understood() -> None:
    document = parse_document(b"a: !t [1]\n<<: {x: 1}\n1: 2\nb: {c: yes, c: no}\n", suffix=".yml")
    assert document.data == {"a": [1], "b": {"c": "yes"}}
    assert [problem.code.value for problem in document.problems] == ["WDF015", "WDF018", "WDF019", "WDF010"]


def test_reports_end_after_a_hundred_mistakes() -> None:
    assert len(problems("".join(f"k{n}: !t 1\n" for n in range(500)))) == 100


@pytest.mark.parametrize(
    ("path", "at_key", "expected"),
    [
        ((), False, (2, 1)),
        (("tasks", "load"), True, (3, 3)),
        (("tasks", "load", "args", "x", 1), False, (5, 14)),
        (("tasks", "load", "args", "sql"), False, (6, 12)),
        (("tasks", "load", "missing"), False, (3, 3)),
        (("copy", "x", 0), False, (8, 1)),
    ],
)
def test_a_path_is_found_or_the_nearest_place_around_it(
    path: tuple[str | int, ...], at_key: bool, expected: tuple[int, int]
) -> None:
    text = (
        "# head\ntasks:\n  load:\n    args: &args\n      x: [1, 22]\n"
        "      sql: |\n        select 1\ncopy: *args\n"
    )
    assert parse_document(text.encode(), suffix=".yaml").position(path, at_key=at_key) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=6), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L"]), max_size=6), json_values, max_size=5
    )
)
def test_json_is_read_as_yaml_to_the_same_data(content: dict[str, object]) -> None:
    assert data(json.dumps(content, indent=1)) == content


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1:-[]{},&*!|>'\"#%@`? \n\t.0<~é\x85", max_size=40))
def test_no_near_yaml_raises(text: str) -> None:
    document = parse_document(text.encode(), suffix=".yaml")
    assert isinstance(document.data, dict) or document.problems
    for found in document.diagnostics("x", []):
        assert 1 <= found.line <= text.count("\n") + 1


def test_the_format_goes_by_the_name() -> None:
    names = ("a/dag.json", "a/dag.yaml", "b.dag.yml", "odd.name")
    assert [suffix_of(name) for name in names] == [".json", ".yaml", ".yml", ".json"]

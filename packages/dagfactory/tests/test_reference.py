"""The reference pages: every key, operator and code is on them, with examples that are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from windlass.dagfactory import model
from windlass.dagfactory.catalog import Entry, catalog
from windlass.dagfactory.diagnostics import CODES
from windlass.dagfactory.reference import config_page, errors_page, operators_page
from windlass.dagfactory.reference.config import parts
from windlass.dagfactory.reference.examples import example_of
from windlass.dagfactory.reference.markdown import cell, code

pytestmark = pytest.mark.unit

BROKEN = Path(__file__).parent / "broken"
KEYS = [(name, key) for name, schema in parts().items() for key in schema["properties"]]


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_every_key_has_an_example_that_the_model_accepts(name: str, key: str) -> None:
    schema = parts()[name]
    example = example_of(name, key, schema["properties"][key])
    assert example is not None
    owner: type[BaseModel] = getattr(model, name)
    others = (
        {other: example_of(name, other, schema["properties"][other]) for other in schema["required"]}
        if ("required" in schema)
        else {}
    )
    owner.model_validate({**others, key: example})


def test_every_key_and_part_is_on_the_page() -> None:
    page = config_page()
    for name, key in KEYS:
        assert f"\n| `{key}` |" in page, name
    assert page.count("\n## ") == len(parts())
    assert page.isprintable() or "\x1b" not in page


def test_a_config_made_of_all_examples_says_what_each_key_is_for() -> None:
    row = next(line for line in config_page().splitlines() if line.startswith("| `timezone` |"))
    assert (
        row
        == '| `timezone` | text | `"UTC"` | IANA name; schedule and dates are in it. | `"Europe/Berlin"` |'
    )


def test_every_code_is_on_the_page_with_what_is_reported() -> None:
    page = errors_page(BROKEN)
    for info in CODES.values():
        assert f"\n### {info.code.value}\n\n**{info.title}.** {info.advice}\n" in page
    assert "`sales_daily_load_v1.dag.json:12:9`: the task" in page
    assert 'Suggested: did you mean "land"?' in page


def test_what_looks_like_a_secret_is_not_shown() -> None:
    page = errors_page(BROKEN)
    section = page.partition("\n### WDF501\n")[2].partition("\n### ")[0]
    assert "```" not in section
    assert "What looks like a secret" in section


def test_what_no_page_can_show_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "WDF006"
    folder.mkdir()
    reported = {
        "code": "WDF006",
        "file": "a.dag.json",
        "line": 1,
        "column": 2,
        "message": "m",
        "suggestion": None,
    }
    (folder / "expected.json").write_text(json.dumps([reported]))
    for content in (b"\xff", b"", b"{\x1b}", b'{"a": "' + b"x" * 500 + b'"}', b"{\n" * 200, b"```"):
        (folder / "a.dag.json").write_bytes(content)
        section = errors_page(tmp_path).partition("\n### WDF006\n")[2].partition("\n### ")[0]
        assert "```" not in section
        assert "`a.dag.json:1:2`: m" in section


def test_operators_are_on_the_page_and_broken_ones_are_not() -> None:
    page = operators_page(catalog())
    assert "## trial.load_file\n\nLoad a file.\n" in page
    assert '| `mode` | "replace" or "append" | `"append"` |  |' in page
    assert "trial.no_spec" not in page
    bare = Entry("operator", "a.b", None, target="a.B", summary="Do it.")
    assert "Class `a.B`.\n\nIt takes nothing." in operators_page([bare])


@pytest.mark.parametrize(("text", "shown"), [("a|b", "`a\\|b`"), ("a`b", "`` a`b ``"), ("plain", "`plain`")])
def test_any_text_can_be_code(text: str, shown: Any) -> None:
    assert code(text) == shown
    assert cell("a | <b>\n c") == "a \\| &lt;b> c"

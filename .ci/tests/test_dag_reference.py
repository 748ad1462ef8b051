"""The reference pages of configs are what the code makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from windlass.dagfactory.catalog import catalog
from windlass.dagfactory.reference import config_page, errors_page, operators_page

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "config.md": config_page,
    "errors.md": lambda: errors_page(ROOT / "packages" / "dagfactory" / "tests" / "broken"),
    "operators.md": lambda: operators_page(
        [
            entry
            for entry in catalog()
            if (entry.package or "").startswith("windlass-") and "test" not in entry.package
        ]
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    page = ROOT / "docs" / "reference" / name
    made = PAGES[name]()
    if os.environ.get("WINDLASS_RECORD"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(made, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == made, "set WINDLASS_RECORD=1 and run this test"

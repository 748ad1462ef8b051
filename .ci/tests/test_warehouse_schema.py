"""The page about the warehouse's schema, and its picture, are what the migrations make."""

from pathlib import Path

import pytest

from windlass.warehouse.catalog.markdown import markdown
from windlass.warehouse.catalog.svg import svg
from windlass.warehouse.catalog.tables import read_schemas

pytestmark = pytest.mark.integration

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMAS = ["ops", "source", "staging", "warehouse"]
HOW = "write it again, on a freshly migrated database: windlass-warehouse schema "


def test_the_page_is_current(warehouse) -> None:
    with warehouse.connect() as connection:
        page = markdown(read_schemas(connection, names=SCHEMAS), picture="warehouse-schema.svg")
    how = f"{HOW} --picture warehouse-schema.svg > docs/warehouse-schema.md"
    assert (DOCS / "warehouse-schema.md").read_text() == page, how


def test_the_picture_is_current(warehouse) -> None:
    with warehouse.connect() as connection:
        (star,) = read_schemas(connection, names=["warehouse"])
    how = f"{HOW} --format svg --schema warehouse > docs/warehouse-schema.svg"
    assert (DOCS / "warehouse-schema.svg").read_text() == svg(star.tables), how

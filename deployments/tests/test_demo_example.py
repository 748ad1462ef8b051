"""The main job on the first example: what it finds, that a second run doubles nothing, a truncated file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from windlass.deployments.local.target import EXAMPLE
from windlass.deployments.settings import project_root
from windlass.deployments.testing import Stack
from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres

FOLDER = project_root(Path(__file__).parent) / EXAMPLE

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the examples are in the source tree, not in the wheel"),
]


@pytest.fixture
def full(stack: Stack) -> Stack:
    """The stack at the scale that the example is made for, run from the checkout."""
    return Stack(stack.state, {"WINDLASS_SCALE": "1"}, folder=FOLDER)


def counts(stack: Stack) -> dict[str, int]:
    """Rows of what the example fills."""
    tables = (
        "staging.partner_sale", "warehouse.fact_sales", "warehouse.dim_customer", "warehouse.dim_product",
        "ops.rejected_row",
    )  # fmt: skip
    with EmbeddedPostgres(stack.layout.postgres) as server, connect(server.dsn("warehouse")) as connection:
        found = {}
        for table in tables:
            row = connection.execute(f"select count(*) from {table}").fetchone()
            assert row
            found[table] = int(row[0])
        return found


def test_the_first_run_finds_exactly_what_was_injected(full: Stack) -> None:
    done = full.run("demo", "--json")
    assert done.code == 0, done.err
    report = done.report
    manifest = full.layout.manifest.read_text().splitlines()
    assert report["state"] == "success"
    assert report["anomalies"] == {
        "injected": len(manifest), "found": len(manifest), "missed": 0, "false_positives": 0,
    }  # fmt: skip
    rows = report["rows"]
    assert rows["landed"] == rows["published"] + rows["rejected"]
    assert rows["published"] == counts(full)["warehouse.fact_sales"]
    assert rows["rejected"] == counts(full)["ops.rejected_row"]
    assert all(task["state"] == "success" and task["seconds"] > 0 for task in report["tasks"])
    assert full.processes() == []


def test_a_second_run_doubles_nothing_and_finds_the_same(full: Stack) -> None:
    before = counts(full)
    done = full.run("demo")
    assert done.code == 0, done.err
    assert counts(full) == before
    assert "Warehouse seeded" not in done.err
    assert "duplicate_composite_key" in done.out


def test_a_truncated_file_loads_nothing_and_is_named_by_line(full: Stack, tmp_path: Path) -> None:
    mine = tmp_path / FOLDER.name
    shutil.copytree(FOLDER, mine)
    file = mine / "partner_sales.csv"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    before = counts(full)
    done = full.run("demo", "--config", str(mine))
    assert done.code == 1
    assert "land_partner_sales failed:" in done.out
    assert "partner_sales.csv:" in done.out
    assert counts(full) == before
    file.write_bytes(whole)
    assert full.run("demo", "--config", str(mine)).code == 0
    assert counts(full) == before

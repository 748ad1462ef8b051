from __future__ import annotations

import json
from pathlib import Path

import pytest

from windlass.warehouse.errors import SeedError
from windlass.warehouse.seed.manifest import Anomaly, KindCount, compare, found_anomalies, read
from windlass.warehouse.seed.manifest_file import ManifestFile
from windlass.warehouse.testing.server import WarehouseDatabase

NULL = Anomaly("staging.sale", "7", "customer_id", "null")
COPY = Anomaly("staging.sale", "9", "sale_id", "duplicate_key")
DAY = Anomaly("staging.sale", "2024-02-29", "sold_on", "missing_day")


@pytest.mark.unit
def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(NULL.to_line() + COPY.to_line())
    assert list(read(path)) == [NULL, COPY]
    assert (
        NULL.to_line() == '{"table": "staging.sale", "key": "7", "column": "customer_id", "kind": "null"}\n'
    )


@pytest.mark.unit
@pytest.mark.parametrize("line", ["{", "[]", '{"table": "a"}', ""])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(NULL.to_line() + line + "\n")
    with pytest.raises(SeedError, match=r"manifest\.jsonl:2"):
        list(read(path))


@pytest.mark.unit
@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "manifest.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeedError, match=r"manifest\.jsonl cannot be read"):
        list(read(path))


@pytest.mark.unit
def test_comparing_counts_copies_and_tells_what_was_missed_and_made_up() -> None:
    comparison = compare([NULL, COPY, COPY], [COPY, DAY])
    assert comparison.missed == {NULL: 1, COPY: 1}
    assert comparison.false_positives == {DAY: 1}
    assert list(comparison.by_kind) == ["null", "duplicate_key", "missing_day"]
    assert comparison.by_kind["duplicate_key"] == KindCount(injected=2, found=1, missed=1, false_positives=0)
    assert comparison.total == KindCount(injected=3, found=2, missed=2, false_positives=1)
    assert not comparison.exact


@pytest.mark.unit
def test_comparing_equal_sides_is_exact_in_any_order() -> None:
    assert compare([NULL, COPY, DAY], [DAY, NULL, COPY]).exact


@pytest.mark.unit
def test_an_unknown_kind_is_counted_after_the_known_ones() -> None:
    strange = Anomaly("t", "1", "c", "strange")
    assert list(compare([], [strange, NULL]).by_kind) == ["null", "strange"]


CHECK = """
insert into ops.quality_check_result
    (dag_id, run_id, task_id, generation, check_name, check_kind, table_name, column_name, object_key, status,
     checked_at)
values ('d', %s, 'check', %s, 'days', 'missing_day', 'staging.sale', 'sold_on', %s, %s, %s)
"""
REJECT = """
insert into ops.rejected_row
    (source_table, target_table, record_digest, occurrence, row_key, problems, record, dag_id, run_id)
values ('staging.sale', 'warehouse.fact_sales', %s, 1, %s, %s, '{}', %s, %s)
"""


@pytest.mark.integration
def test_found_is_every_problem_of_rejects_and_the_latest_failed_checks(warehouse: WarehouseDatabase) -> None:
    null = {"kind": "null", "column": "customer_id", "reason": "it is missing"}
    orphan = {"kind": "orphan", "column": "product_id", "reason": "unknown"}
    with warehouse.connect() as connection:
        for check in (
            ("run1", 1, "2021-01-01", "failed", "2026-01-01"),
            ("run2", 1, "2021-01-02", "failed", "2026-01-02"),
            ("run2", 2, "2024-02-29", "failed", "2026-01-03"),
            ("run2", 2, "2024-03-01", "passed", "2026-01-03"),
            ("run2", 2, "2024-03-02", "warned", "2026-01-03"),
        ):
            connection.execute(CHECK, check)
        connection.execute(REJECT, ("digest1", "7", json.dumps([null, orphan]), "d", "run1"))
        connection.execute(REJECT, ("digest2", None, json.dumps([null]), "other", "run2"))
        orphaned = Anomaly("staging.sale", "7", "product_id", "orphan")
        nameless = Anomaly("staging.sale", "", "customer_id", "null")
        first_day = Anomaly("staging.sale", "2021-01-01", "sold_on", "missing_day")
        assert sorted(found_anomalies(connection)) == sorted([DAY, NULL, orphaned, nameless])
        assert sorted(found_anomalies(connection, dag_id="d")) == sorted([DAY, NULL, orphaned])
        assert sorted(found_anomalies(connection, run_id="run1")) == sorted([first_day, NULL, orphaned])
        assert list(found_anomalies(connection, dag_id="other")) == [nameless]


@pytest.mark.unit
def test_a_manifest_appears_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text("old")
    with ManifestFile(path) as file:
        file.write(b"one\n")
        assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.jsonl"]
        file.write(b"two\n")
        file.prepare()
        assert path.read_text() == "old"
        file.publish()
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.unit
@pytest.mark.parametrize("prepared", [False, True])
def test_a_manifest_that_is_not_published_leaves_nothing(tmp_path: Path, prepared: bool) -> None:
    with ManifestFile(tmp_path / "manifest.jsonl") as file:
        file.write(b"one\n")
        if prepared:
            file.prepare()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.unit
def test_without_a_path_nothing_is_written() -> None:
    with ManifestFile(None) as file:
        file.write(b"one\n")
        file.prepare()
        file.publish()


@pytest.mark.unit
def test_a_folder_is_no_manifest_and_a_missing_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="is a folder"):
        ManifestFile(tmp_path)
    with pytest.raises(SeedError, match="cannot be written: No such file"):
        ManifestFile(tmp_path / "nowhere" / "manifest.jsonl")

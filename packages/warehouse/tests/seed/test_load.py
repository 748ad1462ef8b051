"""The load into a real server: what it leaves, and that it leaves nothing when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from windlass.warehouse.connection import DSN_VARIABLE
from windlass.warehouse.errors import PermissionDeniedError, SeedError
from windlass.warehouse.load.file import load_file
from windlass.warehouse.seed import Progress, SeedReport, seed
from windlass.warehouse.seed.draws import SEED_LIMIT
from windlass.warehouse.seed.manifest import Anomaly, compare, read
from windlass.warehouse.seed.tables import TABLES
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]
DAYS = {date.fromordinal(day) for day in range(date(2021, 1, 1).toordinal(), date(2026, 1, 1).toordinal())}

STORES = {f"S{number:02}" for number in range(1, 11)}


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect() as connection:
        yield connection


def counted(connection: Connection) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split(".")))
        (counts[table],) = connection.execute(query).fetchone() or (0,)
    connection.commit()
    return counts


def content(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    query = sql.SQL("select * from {} order by 1").format(sql.Identifier(*table.split(".")))
    rows = connection.execute(query).fetchall()
    connection.commit()
    return rows


def scanned(connection: Connection) -> Iterator[Anomaly]:
    """Find what is wrong by going through every row in Python, knowing nothing of how it was made."""
    customers = {row[0] for row in content(connection, "source.customer")}
    products = {row[0] for row in content(connection, "source.product")}
    keys: set[int] = set()
    lines: set[tuple[Any, ...]] = set()
    last: dict[str, str] = {}
    days = set()
    for row in content(connection, "staging.sale"):
        _, sale, day, customer, product, store, channel, quantity, price, receipt, line, _ = row
        found = [("null", "sold_on")] if day is None else []
        found += reference_problem("customer_id", customer, customers)
        found += reference_problem("product_id", product, products)
        found += [("unknown_value", "store_code")] if store not in STORES else []
        found += [("unknown_value", "channel")] if channel not in {"store", "phone"} else []
        found += number_problem("quantity", quantity, 1, 100)
        found += number_problem("unit_price", price, Decimal("0.01"), 100_000)
        if sale in keys:
            found.append(("duplicate_key", "sale_id"))
        elif (store, receipt, line) in lines:
            found.append(("duplicate_composite_key", "store_code,receipt_number,line_number"))
        keys.add(sale)
        lines.add((store, receipt, line))
        if day is not None:
            days.add(date.fromisoformat(day))
            last[store] = max(last.get(store, ""), day)
        assert len(found) <= 1, row
        yield from (Anomaly("staging.sale", str(sale), column, kind) for kind, column in found)
    for missing in DAYS - days:
        yield Anomaly("staging.sale", missing.isoformat(), "sold_on", "missing_day")
    for store in STORES:
        if last[store] < "2025-06-01":
            yield Anomaly("staging.sale", store, "sold_on", "stale_partition")
    yield from drifted(connection)


def reference_problem(column: str, value: int | None, known: set[int]) -> list[tuple[str, str]]:
    if value is None:
        return [("null", column)]
    return [] if value in known else [("orphan", column)]


def number_problem(column: str, text: str, least: Decimal | int, most: int) -> list[tuple[str, str]]:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return [("not_a_number", column)]
    return [] if least <= value <= most else [("out_of_range", column)]


def drifted(connection: Connection) -> Iterator[Anomaly]:
    query = """select column_name, data_type from information_schema.columns
               where table_schema = 'staging' and table_name = %s"""
    agreed: dict[str, str] = dict(connection.execute(query, ["sale"]).fetchall())
    drift: dict[str, str] = dict(connection.execute(query, ["sale_drift"]).fetchall())
    (renamed,) = connection.execute(
        "select bool_and(sales_channel in ('store', 'phone')) from staging.sale_drift"
    ).fetchone() or (False,)
    assert renamed
    for column, kind in agreed.items():
        if column not in drift:
            change = "renamed" if column == "channel" else "missing"
            yield Anomaly("staging.sale_drift", change, column, "schema_drift")
        elif kind != drift[column]:
            yield Anomaly("staging.sale_drift", "type_changed", column, "schema_drift")
    for column in drift.keys() - agreed.keys() - {"sales_channel"}:
        yield Anomaly("staging.sale_drift", "added", column, "schema_drift")


@pytest.mark.parametrize(("number", "scale"), [(42, 1.0), (0, 0.3), (SEED_LIMIT - 1, 0.06), (7, 0.013)])
def test_the_manifest_is_what_a_scan_of_every_row_finds(
    connection: Connection, tmp_path: Path, number: int, scale: float
) -> None:
    path = tmp_path / "manifest.jsonl"
    report = seed(connection, seed=number, scale=scale, manifest=path)
    comparison = compare(read(path), scanned(connection))
    assert comparison.exact, comparison
    assert report.anomalies == {kind: count.injected for kind, count in comparison.by_kind.items()}
    assert report.manifest == str(path)


def test_rows_are_as_many_as_the_scale_says(connection: Connection) -> None:
    report = seed(connection, scale=1)
    copies = report.anomalies["duplicate_key"]
    assert report.rows == {
        "source.calendar": 1826,
        "source.customer": 1000,
        "source.product": 500,
        "source.sale": 10_000,
        "staging.sale": 100_000 + copies,
        "staging.sale_drift": 1000,
    }
    assert counted(connection) == report.rows
    assert set(report.anomalies) == {
        "null", "duplicate_key", "duplicate_composite_key", "orphan", "out_of_range", "unknown_value",
        "not_a_number", "missing_day", "stale_partition", "schema_drift",
    }  # fmt: skip
    assert report.manifest is None
    assert report.seconds > 0


def test_landing_ids_count_the_arrivals_and_copies_differ_in_them_alone(connection: Connection) -> None:
    report = seed(connection, scale=0.5)
    rows = content(connection, "staging.sale")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    copies: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        copies.setdefault(row[1], []).append(row[2:-1])
    assert all(len(set(same)) == 1 for same in copies.values())
    assert Counter(map(len, copies.values())).keys() == {1, 2, 3}
    assert len(rows) - len(copies) == report.anomalies["duplicate_key"]


def test_a_larger_scale_begins_with_the_rows_of_a_smaller_one(
    warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    with warehouse.connect() as connection:
        seed(connection, scale=0.05, manifest=tmp_path / "small")
        small = {table: content(connection, table) for table in TABLES}
        seed(connection, scale=0.5, manifest=tmp_path / "large", replace=True)
        for table in TABLES:
            assert content(connection, table)[: len(small[table])] == small[table], table
    assert (tmp_path / "large").read_text().startswith((tmp_path / "small").read_text())


def test_the_source_is_clean_and_its_constraints_hold_at_a_large_scale(connection: Connection) -> None:
    report = seed(connection, scale=10)
    assert report.rows["source.sale"] == 100_000
    assert report.rows["source.customer"] == 10_000
    (unvalidated,) = connection.execute(
        "select count(*) from pg_constraint where connamespace = 'source'::regnamespace and not convalidated"
    ).fetchone() or (None,)
    assert unvalidated == 0
    (sold_before,) = connection.execute(
        "select count(*) from source.customer where updated_at >= '2021-01-01'"
    ).fetchone() or (None,)
    assert sold_before == 0
    (emails,) = connection.execute("select count(distinct email) from source.customer").fetchone() or (None,)
    assert emails == 10_000


def test_the_calendar_knows_its_holidays(connection: Connection) -> None:
    seed(connection, scale=0.001)
    rows = content(connection, "source.calendar")
    assert {row[0] for row in rows} == DAYS
    assert all(is_holiday == (name is not None) for _, is_holiday, name in rows)
    assert (date(2024, 4, 1), True, "Easter Monday") in rows
    assert sum(is_holiday for _, is_holiday, _ in rows) == 30


def test_a_warehouse_that_holds_rows_is_refused_and_left_as_it_is(
    connection: Connection, tmp_path: Path
) -> None:
    seed(connection, scale=0.01)
    before = content(connection, "staging.sale")
    with pytest.raises(
        SeedError, match=r"not empty: source\.calendar, .*staging\.sale_drift(.|\n)*--replace"
    ):
        seed(connection, seed=1, scale=0.02, manifest=tmp_path / "manifest.jsonl")
    assert content(connection, "staging.sale") == before
    assert list(tmp_path.iterdir()) == []


def test_a_single_table_with_rows_is_enough_to_refuse(connection: Connection) -> None:
    connection.execute("insert into staging.sale (landing_id) values (1)")
    connection.commit()
    with pytest.raises(SeedError, match=r"not empty: staging\.sale hold"):
        seed(connection, scale=0.01)


def test_replacing_empties_and_loads_in_one_transaction(connection: Connection, tmp_path: Path) -> None:
    seed(connection, scale=0.02)
    report = seed(connection, seed=1, scale=0.01, manifest=tmp_path / "manifest.jsonl", replace=True)
    assert counted(connection) == report.rows


def test_replacing_forgets_the_files_whose_rows_it_removes(connection: Connection, tmp_path: Path) -> None:
    drift = tmp_path / "drift.jsonl"
    partner = tmp_path / "partner.jsonl"
    for path, table in ((drift, "staging.sale_drift"), (partner, "staging.partner_sale")):
        names = [column.name for column in connection.execute(f"select * from {table}").description or ()]
        path.write_text(json.dumps(dict.fromkeys(names)))
        load_file(connection, file=path, table=table)
    connection.commit()

    report = seed(connection, scale=0.01, replace=True)

    assert not load_file(connection, file=drift, table="staging.sale_drift").skipped
    assert counted(connection)["staging.sale_drift"] == report.rows["staging.sale_drift"] + 1
    assert load_file(connection, file=partner, table="staging.partner_sale").skipped


def test_a_failed_replacement_keeps_what_was_there(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    report = seed(connection, scale=0.01, manifest=path)
    before = path.read_text()

    def fail(progress: Progress) -> None:
        if progress.table == "staging.sale":
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        seed(connection, seed=1, scale=0.3, manifest=path, replace=True, progress=fail)
    assert counted(connection) == report.rows
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_progress_goes_from_table_to_table_up_to_their_totals(connection: Connection) -> None:
    told: list[Progress] = []
    seed(connection, scale=0.3, progress=told.append)
    assert list(dict.fromkeys(progress.table for progress in told)) == list(TABLES)
    last = {progress.table: progress for progress in told}
    assert all(progress.rows == progress.total for progress in last.values())
    assert last["staging.sale"].total == 30_000
    assert sum(progress.table == "staging.sale" for progress in told) > 1


def test_a_warehouse_that_is_not_migrated_is_told_how(warehouse_server: WarehouseServer) -> None:
    with (
        warehouse_server.database() as database,
        database.connect() as connection,
        pytest.raises(SeedError, match=r"not migrated: source\.calendar(.|\n)*windlass-warehouse migrate"),
    ):
        seed(connection, scale=0.01)


def test_an_open_transaction_is_refused(connection: Connection) -> None:
    connection.execute("select 1")
    with pytest.raises(SeedError, match="transaction open"):
        seed(connection, scale=0.01)


def test_an_autocommit_connection_loads_in_one_transaction_too(warehouse: WarehouseDatabase) -> None:
    def fail(progress: Progress) -> None:
        if progress.table == "staging.sale_drift":
            raise RuntimeError("stop")

    with warehouse.connect(autocommit=True) as connection:
        with pytest.raises(RuntimeError):
            seed(connection, scale=0.01, progress=fail)
        assert set(counted(connection).values()) == {0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed -1 is out of range"),
        ({"seed": SEED_LIMIT}, "is out of range"),
        ({"scale": 0.0}, "scale 0.0 is out of range"),
        ({"scale": -1.0}, "scale -1.0 is out of range"),
        ({"scale": float("nan")}, "scale nan is out of range"),
        ({"scale": float("inf")}, "scale inf is out of range"),
        ({"scale": 10_001.0}, "scale 10001.0 is out of range"),
    ],
)
def test_a_seed_or_scale_out_of_range_is_refused(
    connection: Connection, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SeedError, match=message):
        seed(connection, **arguments)


def test_a_table_that_is_in_use_is_waited_for_a_while_and_then_told(
    warehouse: WarehouseDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windlass.warehouse.seed.load._LOCK_TIMEOUT", "100ms")
    with warehouse.connect() as reader, warehouse.connect() as connection:
        reader.execute("select 1 from staging.sale")
        with pytest.raises(SeedError, match="Someone else"):
            seed(connection, scale=0.01)
        reader.rollback()
        assert seed(connection, scale=0.01).rows


def test_a_role_without_the_privilege_is_told(connection: Connection) -> None:
    connection.execute("create role windlass_reader_of_seed")
    try:
        connection.execute("grant usage on schema source, staging to windlass_reader_of_seed")
        connection.execute("set role windlass_reader_of_seed")
        connection.commit()
        with pytest.raises(PermissionDeniedError, match="seeding"):
            seed(connection, scale=0.01)
    finally:
        connection.rollback()
        connection.execute("reset role")
        connection.execute("drop owned by windlass_reader_of_seed")
        connection.execute("drop role windlass_reader_of_seed")
        connection.commit()


def test_a_server_that_ends_the_session_is_told(warehouse: WarehouseDatabase, tmp_path: Path) -> None:
    with warehouse.connect(autocommit=True) as other, warehouse.connect() as connection:

        def terminate(progress: Progress) -> None:
            if progress.table == "staging.sale":
                other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])

        with pytest.raises(SeedError, match="The server failed while seeding"):
            seed(connection, scale=5, manifest=tmp_path / "manifest.jsonl", progress=terminate)
        assert set(counted(other).values()) == {0}
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys
from windlass.warehouse.connection import connect
from windlass.warehouse.seed import seed

def told(progress):
    if progress.table == "staging.sale" and progress.rows > 20_000:
        print("midway", flush=True)
        sys.stdin.read()

with connect() as connection:
    seed(connection, scale=1, manifest=sys.argv[1], progress=told)
"""


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_ended_midway_leaves_nothing(
    warehouse: WarehouseDatabase, tmp_path: Path, kind: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "manifest.jsonl")],
        env={**os.environ, DSN_VARIABLE: warehouse.dsn},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"midway\n"
        process.send_signal(kind)
    finally:
        if kind is not signal.SIGINT:
            process.kill()
        process.wait(timeout=30)
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.close()
    assert list(tmp_path.iterdir()) == []
    with warehouse.connect() as connection:
        # The server notices at its next read: taking the same lock waits for that.
        connection.execute("set lock_timeout = '20s'")
        connection.execute("lock table staging.sale in access exclusive mode")
        connection.commit()
        assert set(counted(connection).values()) == {0}
        assert isinstance(seed(connection, scale=0.01, manifest=tmp_path / "manifest.jsonl"), SeedReport)

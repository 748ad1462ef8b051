"""The guides' Python does what it shows, on tables as the guides describe them."""

import gzip
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

pytestmark = pytest.mark.integration

DOCS = Path(__file__).resolve().parents[2] / "docs"

ORDERS = "order_id bigint primary key, customer text"


def blocks(guide: str) -> list[str]:
    found = re.findall(r"^```python\n(.*?)^```", (DOCS / guide).read_text(), flags=re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_loading(warehouse, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINDLASS_WAREHOUSE_DSN", warehouse.dsn)
    with gzip.open("orders.csv.gz", "wt", encoding="cp1252") as file:
        file.write("order_id;customer\n1000001;Zoë\nx;Ada\n")
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(f"create schema shop; create table shop.orders ({ORDERS})")
        names = {"connection": connection}
        for block in blocks("loading.md"):
            exec(block.replace("with connect() as connection:", "with connect() as own:"), dict(names))
        assert connection.execute("select count(*) from shop.orders").fetchone() == (1_000_001,)
        assert connection.execute("select customer from shop.orders where order_id > 1000000").fetchall() == [
            ("Zoë",)
        ]
    assert capsys.readouterr().out.endswith("0 1 0\n")


def test_incremental(warehouse, warehouse_server, capsys) -> None:
    with warehouse_server.database() as shop:
        with shop.connect() as source, warehouse.connect() as target:
            source.execute(
                "create table orders (order_id bigint primary key, customer_id bigint, amount numeric, "
                "updated_at timestamptz default now());"
                "insert into orders values (1, 7, 9.5), (2, 8, 1)"
            )
            target.execute(
                "create table staging.orders (order_id bigint primary key, customer_id bigint, "
                "amount numeric, updated_at timestamptz)"
            )
        names = {"warehouse_dsn": warehouse.dsn, "shop_dsn": shop.dsn}
        for block in blocks("incremental.md"):
            exec(block, names)
    assert capsys.readouterr().out.startswith("2 0 ")


def test_scd2(warehouse, capsys) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(
            "create table staging.person (person_id bigint, name text, city text);"
            "insert into staging.person values (1, 'Ada', 'London'), (2, 'Bo', 'Oslo');"
            "create table warehouse.dim_person (person_key bigint generated always as identity primary key, "
            "person_id bigint not null, name text, city text, valid_from timestamptz not null, "
            "valid_to timestamptz not null default 'infinity', is_current boolean not null, "
            "unique (person_id, valid_from))"
        )
        for block in blocks("scd2.md"):
            exec(block, {"connection": connection})
    assert capsys.readouterr().out == "2 0 0 0 0 0\n"


def test_task_identity(warehouse, run_dag) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("create schema closing; create table closing.month (run_id text, generation int)")
        names: dict[str, type] = {}
        for block in blocks("task-identity.md"):
            exec(block, names)
        with DAG("closing_month_v1") as dag:
            names["CloseMonthOperator"](task_id="close")
        run_dag(dag)
        assert connection.execute("select generation from closing.month").fetchall() == [(1,)]

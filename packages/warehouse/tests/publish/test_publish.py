from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import LoadError, PublishError, StatementError, TableError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.publish import Lookup, PublishResult, publish
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]

QUERY = """
select 'shop' as sale_source, sale_id, sold_on, customer_id, product_id, store_code, channel, quantity,
    unit_price, receipt_number, line_number
from staging.sale order by landing_id
"""
LOOKUPS = {
    "date_key": Lookup("warehouse.dim_date", "date_key", {"day": "sold_on"}),
    "customer_key": Lookup(
        "warehouse.dim_customer", "customer_key", {"customer_id": "customer_id"}, "sold_on"
    ),
    "product_key": Lookup("warehouse.dim_product", "product_key", {"product_id": "product_id"}),
}
GOOD: dict[str, Any] = {
    "sold_on": "2024-02-29",
    "customer_id": 1,
    "product_id": 1,
    "store_code": "S01",
    "channel": "store",
    "quantity": "2",
    "unit_price": "1.50",
    "line_number": 1,
}


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            "insert into warehouse.dim_date values (20240229, '2024-02-29', 2024, 1, 2, 9, 4, false, "
            "false, null);"
            "insert into warehouse.dim_product (product_id, sku, name, category, unit_price) values (1, "
            "'s', 'n', 'c', 1);"
            "insert into warehouse.dim_customer (customer_id, name, email, country_code, segment, "
            "valid_from, valid_to,"
            " is_current) values (1, 'old', 'e', 'DE', 'consumer', '-infinity', '2024-03-01', false),"
            " (1, 'new', 'e', 'DE', 'consumer', '2024-03-01', 'infinity', true),"
            " (2, 'later', 'e', 'DE', 'consumer', '2025-01-01', 'infinity', true)"
        )
        yield opened


def land(connection: Connection, *rows: dict[str, Any]) -> None:
    """Land sales; what a row does not say is good."""
    for number, given in enumerate(rows, 1):
        row = {"landing_id": number, "sale_id": number, "receipt_number": number, **GOOD, **given}
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        connection.execute(f"insert into staging.sale ({names}) values ({values})", row)


def publish_sales(connection: Connection, **options: Any) -> PublishResult:
    given: dict[str, Any] = {
        "table": "warehouse.fact_sales",
        "source_table": "staging.sale",
        "key": ["sale_source", "sale_id"],
        "row_key": "sale_id",
        "sql": QUERY,
        "lookups": LOOKUPS,
        **options,
    }
    return publish(connection, **given)


def problems(connection: Connection) -> dict[str | None, list[tuple[str, str]]]:
    found = connection.execute("select row_key, problems from ops.rejected_row order by row_key").fetchall()
    return {key: [(item["kind"], item["column"]) for item in items] for key, items in found}


@pytest.mark.parametrize(
    ("broken", "kind", "column"),
    [
        ({"quantity": "abc"}, "not_a_number", "quantity"),
        ({"quantity": "1.5"}, "not_a_number", "quantity"),
        ({"quantity": ""}, "not_a_number", "quantity"),
        ({"quantity": "99999999999"}, "out_of_range", "quantity"),
        ({"quantity": "0"}, "out_of_range", "quantity"),
        ({"quantity": None}, "null", "quantity"),
        ({"unit_price": "12345678901.00"}, "out_of_range", "unit_price"),
        ({"unit_price": "12,50"}, "not_a_number", "unit_price"),
        ({"unit_price": "NaN"}, "out_of_range", "unit_price"),
        ({"channel": "fax"}, "unknown_value", "channel"),
        ({"store_code": "s01"}, "unknown_value", "store_code"),
        ({"sold_on": None}, "null", "sold_on"),
        ({"sold_on": "2023-02-29"}, "invalid_value", "sold_on"),
        ({"sold_on": "2024-02-28"}, "orphan", "sold_on"),
        ({"customer_id": None}, "null", "customer_id"),
        ({"customer_id": 99}, "orphan", "customer_id"),
        ({"customer_id": 2}, "orphan", "customer_id"),
        ({"product_id": 99}, "orphan", "product_id"),
        ({"sale_id": None}, "null", "sale_id"),
    ],
)
def test_each_problem_has_its_kind_and_column(
    connection: Connection, broken: dict[str, Any], kind: str, column: str
) -> None:
    land(connection, broken, {})

    result = publish_sales(connection)

    assert (result.inserted, result.rejected, dict(result.rejected_by_kind)) == (1, 1, {kind: 1})
    assert list(problems(connection).values()) == [[(kind, column)]]


def test_every_problem_of_a_row_is_told_once(connection: Connection) -> None:
    land(
        connection, {"quantity": "x", "channel": "fax", "customer_id": None, "sold_on": None, "product_id": 7}
    )

    publish_sales(connection)

    assert sorted(problems(connection)["1"]) == [
        ("not_a_number", "quantity"),
        ("null", "customer_id"),
        ("null", "sold_on"),
        ("orphan", "product_id"),
        ("unknown_value", "channel"),
    ]


def test_a_reason_shows_the_value_and_the_rule(connection: Connection) -> None:
    land(connection, {"quantity": "101"})
    publish_sales(connection)
    (reason,) = connection.execute("select problems -> 0 ->> 'reason' from ops.rejected_row").fetchone() or (
        "",
    )
    assert reason.startswith("101 breaks fact_sales_quantity_check: CHECK (")


def test_the_first_good_arrival_keeps_the_key(connection: Connection) -> None:
    land(
        connection,
        {"sale_id": 1, "quantity": "x"},
        {"sale_id": 1, "quantity": "5"},
        {"sale_id": 1, "quantity": "6"},
        {"sale_id": 1, "quantity": "6"},
    )

    result = publish_sales(connection)

    assert result.inserted == 1
    assert connection.execute("select quantity from warehouse.fact_sales").fetchall() == [(5,)]
    assert dict(result.rejected_by_kind) == {"duplicate_key": 2, "not_a_number": 1}


def test_a_copy_with_a_key_of_its_own_is_a_composite_duplicate(connection: Connection) -> None:
    land(connection, {"receipt_number": 7}, {"receipt_number": 7}, {"sale_id": 1, "receipt_number": 7})

    publish_sales(connection)

    assert problems(connection) == {
        "1": [("duplicate_key", "sale_id")],
        "2": [("duplicate_composite_key", "store_code,receipt_number,line_number")],
    }


def test_a_place_held_in_the_target_is_not_taken(connection: Connection) -> None:
    land(connection, {"receipt_number": 7})
    publish_sales(connection)
    connection.execute("truncate staging.sale")
    land(connection, {"sale_id": 8, "receipt_number": 7}, {"sale_id": 9})

    result = publish_sales(connection)

    assert (result.inserted, result.rejected) == (1, 1)
    assert problems(connection)["8"] == [("duplicate_composite_key", "store_code,receipt_number,line_number")]


def test_publishing_again_writes_nothing_and_notes_nothing_twice(connection: Connection) -> None:
    land(connection, {}, {"quantity": "x"}, {"quantity": "x"}, {"sale_id": 1}, {"sale_id": 1})
    first = publish_sales(connection, context=RunContext("d", "run1", "t"))
    written = connection.execute("select xmin::text, * from warehouse.fact_sales").fetchall()
    connection.execute("set timezone to 'Asia/Tokyo'")

    second = publish_sales(connection, context=RunContext("d", "run2", "t"))

    assert (second.unchanged, second.published, second.rejected) == (1, 0, first.rejected)
    connection.execute("set timezone to 'UTC'")
    assert connection.execute("select xmin::text, * from warehouse.fact_sales").fetchall() == written
    noted = connection.execute("select count(*), min(run_id), max(run_id) from ops.rejected_row").fetchone()
    assert noted == (first.rejected, "run2", "run2")


def test_only_rows_that_differ_are_updated(connection: Connection) -> None:
    land(connection, {}, {})
    publish_sales(connection)
    connection.execute("update staging.sale set quantity = '9' where sale_id = 2")

    result = publish_sales(connection)

    assert (result.inserted, result.updated, result.unchanged) == (0, 1, 1)
    assert (
        connection.execute("select quantity, amount from warehouse.fact_sales where sale_id = 2").fetchall()[
            0
        ][0]
        == 9
    )


def test_a_corrected_row_says_when_and_the_others_keep_their_time(connection: Connection) -> None:
    times = "select sale_id, published_at from warehouse.fact_sales order by sale_id"
    land(connection, {}, {})
    publish_sales(connection)
    before = dict(connection.execute(times).fetchall())
    connection.execute("update staging.sale set quantity = '9' where sale_id = 2")

    publish_sales(connection)

    after = dict(connection.execute(times).fetchall())
    assert after[1] == before[1]
    assert after[2] > before[2]


def test_a_time_of_publishing_that_is_given_is_kept(connection: Connection) -> None:
    land(connection, {})
    publish_sales(connection)
    query = QUERY.replace("line_number\n", "line_number, timestamptz '2024-03-01' as published_at\n")

    assert publish_sales(connection, sql=query).updated == 1

    assert connection.execute(
        "select published_at = timestamptz '2024-03-01' from warehouse.fact_sales"
    ).fetchone() == (True,)


def test_a_row_that_turned_bad_leaves_the_published_one_alone(connection: Connection) -> None:
    land(connection, {})
    publish_sales(connection)
    connection.execute("update staging.sale set quantity = 'x'")

    assert publish_sales(connection).rejected == 1
    assert connection.execute("select quantity from warehouse.fact_sales").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (QUERY.replace("from staging.sale", "from staging.sale where sale_id <> 2"), "rows would be lost"),
        (
            QUERY.replace("from staging.sale", "from staging.sale cross join (values (1), (2)) as v"),
            "doubled",
        ),
    ],
)
def test_a_query_that_loses_or_doubles_rows_is_refused(connection: Connection, query: str, told: str) -> None:
    land(connection, {}, {})
    with pytest.raises(StatementError, match=told):
        publish_sales(connection, sql=query)
    assert connection.execute("select count(*) from warehouse.fact_sales").fetchone() == (0,)


def test_an_ambiguous_lookup_is_refused_by_name(connection: Connection) -> None:
    land(connection, {})
    lookups = {
        **LOOKUPS,
        "customer_key": Lookup("warehouse.dim_customer", "customer_key", {"customer_id": "customer_id"}),
    }
    with pytest.raises(PublishError, match=r"lookup of customer_key .* several rows, e\.g\. for sale_id = 1"):
        publish_sales(connection, lookups=lookups)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        (
            {"key": ["sale_id"]},
            PublishError,
            r"No unique constraint of warehouse.fact_sales is on \(sale_id\)",
        ),
        ({"key": []}, PublishError, "No key"),
        ({"key": ["nope"]}, TableError, "'nope'"),
        ({"key": ["published_at"]}, TableError, "neither from the query nor from a lookup"),
        ({"sql": QUERY.replace("channel,", "channel as chanel,")}, TableError, "'chanel'"),
        ({"sql": QUERY.replace("channel,", "")}, TableError, "needs channel"),
        ({"sql": QUERY.replace("channel,", "channel, 1 as amount,")}, TableError, "'amount' .* fills itself"),
        (
            {"sql": QUERY.replace("channel,", "channel, 1 as date_key,")},
            TableError,
            "from the query and from a lookup",
        ),
        ({"sql": QUERY.replace("product_id,", "")}, TableError, "no column 'product_id'"),
        ({"row_key": "nope"}, TableError, "row_key"),
        ({"sql": "select 1; select 2"}, StatementError, "One query is needed"),
        (
            {"sql": "select\n nope from staging.sale"},
            StatementError,
            r"<sql>:2:2: column \"nope\" does not exist",
        ),
        ({"table": "warehouse.nope"}, TableError, "no table warehouse.nope"),
        ({"table": "information_schema.columns"}, TableError, "no column|is not a table"),
        ({"source_table": "staging.nope"}, TableError, "staging.nope"),
        ({"lookups": {**LOOKUPS, "nope": LOOKUPS["date_key"]}}, TableError, "'nope'"),
        (
            {"lookups": {**LOOKUPS, "date_key": Lookup("warehouse.dim_date", "key", {"day": "sold_on"})}},
            TableError,
            "'key', which warehouse.dim_date does not have",
        ),
        (
            {"lookups": {**LOOKUPS, "date_key": Lookup("warehouse.dim_date", "date_key", {})}},
            TableError,
            "joins on nothing",
        ),
    ],
)
def test_a_wrong_configuration_is_told_before_any_row_is_written(
    connection: Connection, options: dict[str, Any], error: type[LoadError], told: str
) -> None:
    land(connection, {})
    with pytest.raises(error, match=told) as caught:
        publish_sales(connection, **options)
    assert caught.value.advice
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert connection.execute("select count(*) from warehouse.fact_sales").fetchone() == (0,)


def test_nothing_landed_is_nothing_published(connection: Connection) -> None:
    assert publish_sales(connection).landed == 0


def test_a_lookup_of_a_nullable_column_may_find_no_input(connection: Connection) -> None:
    connection.execute(
        "create table play (id int primary key, product_key bigint references warehouse.dim_product);"
        "create table play_landed (id int, product_id bigint); insert into play_landed values (1, "
        "null), (2, 1), (3, 9)"
    )
    result = publish(
        connection,
        table="play",
        source_table="play_landed",
        key=["id"],
        sql="select * from play_landed",
        lookups={"product_key": LOOKUPS["product_key"]},
    )
    assert (result.inserted, dict(result.rejected_by_kind)) == (2, {"orphan": 1})


def test_parents_may_arrive_with_their_children_and_orphans_take_theirs_along(connection: Connection) -> None:
    connection.execute(
        "create table node (id int primary key, parent int references node, name text unique);"
        "create table node_landed (n int, id int, parent int, name text);"
        "insert into node_landed values (1, 2, 1, 'b'), (2, 1, null, 'a'), (3, 4, 9, 'c'), (4, 5, 4, "
        "'d'), (5, 6, 6, 'd')"
    )
    result = publish(
        connection,
        table="node",
        source_table="node_landed",
        key=["id"],
        sql="select id, parent, name from node_landed order by n",
    )
    assert connection.execute("select id from node order by id").fetchall() == [(1,), (2,), (6,)]
    assert dict(result.rejected_by_kind) == {"orphan": 2}


def test_a_row_that_a_trigger_refuses_makes_way_for_its_copy(connection: Connection) -> None:
    connection.execute(
        "create table play (id int primary key, v int);"
        "create table play_landed (n int, id int, v int); insert into play_landed values (1, 1, 13), "
        "(2, 1, 5), (3, 2, 6);"
        "create function refuse() returns trigger language plpgsql as $$ begin if new.v = 13 then "
        "raise exception 'unlucky' using errcode = 'check_violation'; end if; return new; end $$;"
        "create trigger refuse before insert on play for each row execute function refuse()"
    )
    result = publish(
        connection,
        table="play",
        source_table="play_landed",
        key=["id"],
        sql="select id, v from play_landed order by n",
    )
    assert connection.execute("select id, v from play order by id").fetchall() == [(1, 5), (2, 6)]
    assert result.rejected == 1
    (told,) = connection.execute("select problems from ops.rejected_row").fetchone() or ((),)
    assert told == [{"kind": "out_of_range", "column": "id", "reason": "unlucky"}]


ORPHANS = """
select count(*) from warehouse.fact_sales as f
where not exists (select from warehouse.dim_product as p where p.product_key = f.product_key)
"""


def second_product(connection: Connection) -> None:
    connection.execute(
        "insert into warehouse.dim_product (product_id, sku, name, category, unit_price) "
        "values (2, 's', 'n', 'c', 1)"
    )


def wait_until_blocked(connection: Connection, pid: int) -> None:
    deadline = time.monotonic() + 30
    while connection.execute("select cardinality(pg_blocking_pids(%s))", [pid]).fetchone() == (0,):
        assert time.monotonic() < deadline


def test_a_parent_deleted_during_the_publish_leaves_no_orphan(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    second_product(connection)
    land(connection, {}, {"product_id": 2}, {})
    results: list[PublishResult] = []
    with warehouse.connect() as deleting, warehouse.connect(autocommit=True) as own:
        deleting.execute("delete from warehouse.dim_product where product_id = 2")
        publishing = threading.Thread(target=lambda: results.append(publish_sales(own)))
        publishing.start()
        # The audit saw the parent, for its deletion is not committed; the write waits to know.
        wait_until_blocked(connection, own.info.backend_pid)
        deleting.commit()
        publishing.join()

    (result,) = results
    assert (result.inserted, dict(result.rejected_by_kind)) == (2, {"orphan": 1})
    assert connection.execute(ORPHANS).fetchone() == (0,)


def test_a_parent_deleted_behind_an_old_snapshot_leaves_no_orphan(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    second_product(connection)
    land(connection, {}, {"product_id": 2})
    with warehouse.connect() as own:
        own.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        own.execute("select 1")
        connection.execute("delete from warehouse.dim_product where product_id = 2")
        with pytest.raises(PublishError, match="could not serialize") as caught:
            publish_sales(own)
    assert "again" in caught.value.advice
    assert connection.execute("select count(*) from warehouse.fact_sales").fetchone() == (0,)


def test_a_dimension_may_be_filled_while_facts_are_published(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    land(connection, {})
    connection.execute("set lock_timeout = '5s'")
    with warehouse.connect() as filling:
        second_product(filling)
        filling.execute("update warehouse.dim_product set name = 'new' where product_id = 1")

        assert publish_sales(connection).inserted == 1


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_two_publishes_at_once_publish_each_row_once(
    connection: Connection, warehouse: WarehouseDatabase, isolation: str
) -> None:
    land(connection, *({} for _ in range(200)))
    results: list[PublishResult] = []

    def work() -> None:
        with warehouse.connect(autocommit=True) as own:
            own.execute("select set_config('default_transaction_isolation', %s, false)", [isolation])
            results.append(publish_sales(own))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted((result.inserted, result.unchanged) for result in results) == [(0, 200), (0, 200), (200, 0)]


def test_a_publish_inside_the_callers_transaction_is_rolled_back_with_it(connection: Connection) -> None:
    land(connection, {}, {"quantity": "x"})
    settings = ("jit", "work_mem", "enable_mergejoin")
    before = [connection.execute(f"show {name}").fetchone() for name in settings]
    with connection.transaction(force_rollback=True):
        assert publish_sales(connection).inserted == 1
        assert publish_sales(connection).unchanged == 1
        assert [connection.execute(f"show {name}").fetchone() for name in settings] == before
    assert connection.execute("select count(*) from warehouse.fact_sales").fetchone() == (0,)
    assert connection.execute("select count(*) from ops.rejected_row").fetchone() == (0,)


def test_a_role_without_special_rights_publishes_alike(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    role = f"{warehouse.name}_etl"
    connection.execute(
        f"create role {role}; grant usage on schema staging, warehouse, ops to {role};"
        f"grant select on all tables in schema staging, warehouse to {role};"
        f"grant insert, update on warehouse.fact_sales to {role};"
        f"grant select, insert, update on ops.rejected_row to {role}"
    )
    land(connection, {}, {"product_id": 99})
    try:
        connection.execute(f"set role {role}")
        result = publish_sales(connection)
    finally:
        connection.execute(f"reset role; drop owned by {role}; drop role {role}")
    assert (result.inserted, dict(result.rejected_by_kind)) == (1, {"orphan": 1})


def test_a_lock_that_is_not_free_in_time_fails_clearly(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    land(connection, {})
    with warehouse.connect() as other:
        other.execute("lock table warehouse.fact_sales in row exclusive mode")
        connection.execute("set lock_timeout = '50ms'")
        with pytest.raises(PublishError, match="lock timeout") as caught:
            publish_sales(connection)
    assert "again" in caught.value.advice


def test_names_may_hold_a_percent_sign(connection: Connection) -> None:
    connection.execute(
        'create schema "p%s"; create table "p%s"."%(t)s" '
        """("k%" int primary key, "%s" text check ("%s" <> '%d'));"""
        'create table "p%s".landed ("k%" text, "%s" text);'
        """insert into "p%s".landed values ('1', '%d'), ('2', 'a%'), ('x', 'b')"""
    )
    result = publish(
        connection,
        table='"p%s"."%(t)s"',
        source_table='"p%s".landed',
        key=["k%"],
        sql='select "k%", "%s" from "p%s".landed',
    )
    assert (result.inserted, result.rejected) == (1, 2)

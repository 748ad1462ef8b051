"""The schema that our migrations make: explained, and refusing what breaks its rules."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import sql

UNCOMMENTED = """
select c.oid::regclass || coalesce('.' || a.attname, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_attribute as a on a.attrelid = c.oid and a.attnum >= 0 and not a.attisdropped
where n.nspname in ('ops', 'source', 'staging', 'warehouse') and c.relkind = 'r'
  and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
"""


@pytest.mark.integration
class TestSchema:
    def test_every_table_and_column_is_explained(self, warehouse):
        with warehouse.connect() as connection:
            assert connection.execute(UNCOMMENTED).fetchall() == []
            count = "select count(*) from information_schema.columns where table_schema = 'ops'"
            assert connection.execute(count).fetchone()[0] > 50

    def test_every_table_starts_empty_but_the_ledger(self, warehouse):
        with warehouse.connect() as connection:
            tables = connection.execute(
                "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = any "
                "('{ops,source,staging,warehouse}'::regnamespace[]) order by 1"
            ).fetchall()
            filled = [
                name
                for (name,) in tables
                if connection.execute(f"select from {name} limit 1").fetchone() is not None
            ]
        assert filled == ["ops.schema_migration"]
        assert len(tables) >= 27

    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ({"quantity": 101}, "fact_sales_quantity_check"),
            ({"unit_price": 0}, "fact_sales_unit_price_check"),
            ({"channel": "pigeon"}, "fact_sales_channel_check"),
            ({"store_code": "S11"}, "fact_sales_store_code_check"),
            ({"sale_source": "fax"}, "fact_sales_sale_source_check"),
            ({}, "fact_sales_date_key_fkey"),
        ],
    )
    def test_the_star_refuses_what_breaks_its_rules(self, warehouse, change, constraint):
        columns = (
            "sale_source sale_id date_key customer_key product_key store_code channel quantity unit_price"
        )
        values = ("shop", 1, 20210101, 1, 1, "S01", "store", 1, 1, 1, 1)
        names = [*columns.split(), "receipt_number", "line_number"]
        sale = dict(zip(names, values, strict=True)) | change
        insert = sql.SQL("insert into warehouse.fact_sales ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, sale)), sql.SQL(", ").join(map(sql.Placeholder, sale))
        )
        with warehouse.connect() as connection:
            with pytest.raises(psycopg.errors.IntegrityError) as caught:
                connection.execute(insert, sale)
            assert caught.value.diag.constraint_name == constraint

    def test_a_customer_has_one_current_version(self, warehouse):
        insert = (
            "insert into warehouse.dim_customer "
            "(customer_id, name, email, country_code, segment, valid_from, is_current) "
            "values (1, 'n', 'e', 'DE', 'consumer', %s, true)"
        )
        with warehouse.connect() as connection:
            connection.execute(insert, ("2021-01-01",))
            with pytest.raises(psycopg.errors.UniqueViolation, match="dim_customer_current"):
                connection.execute(insert, ("2022-01-01",))

    def test_a_reject_has_at_least_one_problem(self, warehouse):
        insert = (
            "insert into ops.rejected_row "
            "(source_table, target_table, record_digest, occurrence, problems, record) "
            "values ('s', 't', 'd', 1, %s, '{}')"
        )
        with warehouse.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(insert, (json.dumps([]),))

    def test_a_check_of_a_table_is_recorded_once_a_generation(self, warehouse):
        insert = (
            "insert into ops.quality_check_result "
            "(dag_id, run_id, task_id, check_name, check_kind, table_name, status) "
            "values ('d', 'r', 't', 'c', 'missing_day', 'staging.sale', 'failed')"
        )
        with warehouse.connect() as connection:
            connection.execute(insert)
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(insert)


VALUES = {
    "integer": ["1", "12x", "", " 7 ", "99999999999", "1.5"],
    "bigint": ["99999999999"],
    "numeric": ["1.5", "NaN"],
    "double precision": ["1e400"],
    "numeric(5,2)": ["123.456", "1234.5", "12345.5"],
    "date": ["2021-02-30", "2021-02-28", "yesterday-ish"],
    "varchar(2)": ["abc", "ab"],
    "boolean": ["t", "maybe"],
    "jsonb": ["{}"],
    "timestamptz": ["2021-01-01 25:00"],
    "text": ["O'Hara"],
    "char(1)": ["é"],
}


@pytest.mark.integration
class TestInputFunction:
    @pytest.mark.parametrize(
        ("value", "type_name", "valid"),
        [
            ("12", "integer", True),
            ("12x", "integer", False),
            ("abc", "varchar(2)", False),
            (None, "integer", None),
        ],
    )
    def test_tells_whether_a_text_can_be_read_as_a_type(self, warehouse, value, type_name, valid):
        with warehouse.connect() as connection:
            found = connection.execute(
                "select ops.is_valid_input(%s::text, %s)", (value, type_name)
            ).fetchone()
        assert found == (valid,)

    @pytest.mark.parametrize(
        ("value", "type_name"), [(value, name) for name, values in VALUES.items() for value in values]
    )
    def test_the_way_of_old_servers_gives_the_same_answer(self, warehouse, value, type_name):
        with warehouse.connect() as connection:
            pair = connection.execute(
                "select ops.is_valid_input(%(v)s, %(t)s), ops.try_input(%(v)s, %(t)s)",
                {"v": value, "t": type_name},
            ).fetchone()
        assert pair[0] is pair[1]

    def test_the_way_of_old_servers_runs_nothing_that_is_not_a_type(self, warehouse):
        with warehouse.connect(autocommit=True) as connection:
            with pytest.raises(psycopg.Error):
                connection.execute("select ops.try_input('1', 'integer); drop schema ops cascade; --')")
            assert connection.execute("select to_regnamespace('ops') is not null").fetchone() == (True,)

    def test_it_is_planned_as_part_of_the_query(self, warehouse):
        with warehouse.connect() as connection:
            query = "select ops.is_valid_input(quantity, 'integer') from staging.sale"
            plan = str(connection.execute("explain (verbose, costs off) " + query).fetchall())
            old = connection.info.server_version < 160000
        assert ("pg_input_is_valid(" in plan, "ops.try_input" in plan) == (not old, old)
        assert "ops.is_valid_input" not in plan

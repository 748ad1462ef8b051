"""Migrations: applied once, in order, whole or not at all, by one runner at a time, and never edited."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from windlass.warehouse.connection import connect
from windlass.warehouse.errors import (
    MigrationEditedError,
    MigrationError,
    MigrationFailedError,
    MigrationLockedError,
    MigrationUnknownError,
    PermissionDeniedError,
)
from windlass.warehouse.migrations import Migration, MigrationState, load_migrations, migrate, status
from windlass.warehouse.migrations.runner import ADVISORY_LOCK

KNOWN = load_migrations()


def _extra(sql: str, *, version: int = 9000, name: str = "9000_ops_extra") -> tuple[Migration, ...]:
    return (*KNOWN, Migration(version=version, name=name, group="ops", sql=sql))


@pytest.fixture
def empty(warehouse_server):
    """A database that nothing was applied to."""
    with warehouse_server.database() as database:
        yield database


@pytest.mark.unit
class TestFiles:
    def test_the_package_ships_its_migrations_in_order(self):
        assert [each.group for each in KNOWN[:4]] == ["ops", "source", "staging", "warehouse"]
        assert [each.version for each in KNOWN] == sorted(each.version for each in KNOWN)

    def test_line_ends_of_a_checkout_do_not_change_the_checksum(self, tmp_path):
        unix, windows = tmp_path / "unix", tmp_path / "windows"
        for folder, text in ((unix, b"select 1;\nselect 2;\n"), (windows, b"select 1;\r\nselect 2;\r\n")):
            folder.mkdir()
            (folder / "0001_ops.sql").write_bytes(text)
        assert load_migrations(unix)[0].checksum == load_migrations(windows)[0].checksum

    def test_another_text_has_another_checksum(self):
        assert KNOWN[0].checksum != replace(KNOWN[0], sql=KNOWN[0].sql + " ").checksum

    @pytest.mark.parametrize("name", ["1_ops.sql", "0001-ops.sql", "0001_Ops.sql", "ops.sql"])
    def test_a_misnamed_file_is_refused_by_name(self, tmp_path, name):
        (tmp_path / name).write_text("select 1")
        with pytest.raises(MigrationError, match=name):
            load_migrations(tmp_path)

    def test_two_files_of_one_version_are_refused_by_name(self, tmp_path):
        for name in ("0001_ops.sql", "0001_ops_again.sql"):
            (tmp_path / name).write_text("select 1")
        with pytest.raises(MigrationError, match=r"0001_ops\w* and 0001_ops\w* have the same version"):
            load_migrations(tmp_path)


@pytest.mark.integration
class TestApplying:
    def test_a_fresh_database_gets_everything_and_then_nothing_more(self, empty):
        first = migrate(empty.dsn)
        assert [each.name for each in first] == [each.name for each in KNOWN]
        assert all(each.state is MigrationState.APPLIED and each.applied_at for each in first)
        assert migrate(empty.dsn) == ()

    def test_the_ledger_tells_checksums_and_times(self, empty):
        migrate(empty.dsn)
        with empty.connect() as connection:
            rows = connection.execute(
                "select name, checksum, duration_ms > 0 from ops.schema_migration order by 1"
            )
            assert rows.fetchall() == [(each.name, each.checksum, True) for each in KNOWN]

    def test_only_one_group_brings_the_ledger_along_and_the_rest_can_follow(self, empty):
        assert [each.name for each in migrate(empty.dsn, only={"ops"})] == [
            "0001_ops",
        ]
        assert [each.group for each in migrate(empty.dsn, only={"source"})] == ["source"]
        assert {each.group for each in migrate(empty.dsn)} == {"staging", "warehouse"}

    def test_an_unknown_group_is_refused_with_those_there_are(self, empty):
        with pytest.raises(MigrationError, match="no migrations of marketing") as caught:
            migrate(empty.dsn, only={"marketing"})
        assert "ops, source, staging, warehouse" in caught.value.advice

    def test_a_migration_that_fails_half_way_leaves_nothing_and_those_before_it_stay(self, empty):
        broken = _extra("create table ops.half (a integer);\ninsert into ops.half values (1);\nselect 1 / 0;")
        with pytest.raises(
            MigrationFailedError, match="9000_ops_extra failed and was rolled back: division"
        ) as caught:
            migrate(empty.dsn, migrations=broken)
        assert caught.value.migration == "9000_ops_extra"
        with empty.connect() as connection:
            assert connection.execute("select to_regclass('ops.half')").fetchone() == (None,)
            assert connection.execute("select count(*) from ops.schema_migration").fetchone() == (len(KNOWN),)
        mended = migrate(empty.dsn, migrations=_extra("create table ops.half (a integer);"))
        assert [each.name for each in mended] == ["9000_ops_extra"]

    def test_an_error_in_the_sql_is_told_with_its_line(self, empty):
        with pytest.raises(MigrationFailedError, match=r"9000_ops_extra\.sql, line 3"):
            migrate(empty.dsn, migrations=_extra("select 1;\n\nselect colour;\n"))

    def test_the_server_must_not_be_too_old(self, empty, monkeypatch):
        monkeypatch.setattr("windlass.warehouse.migrations.runner._OLDEST_SERVER", 990000)
        with pytest.raises(MigrationError, match="the warehouse needs"):
            migrate(empty.dsn)

    def test_a_role_without_the_privilege_is_told_so(self, empty, limited_role):
        with pytest.raises(PermissionDeniedError, match="permission denied for database") as caught:
            migrate(limited_role(empty.dsn))
        assert "owner" in caught.value.advice


@pytest.mark.integration
class TestRefusing:
    def test_an_edited_migration_is_refused_by_name_and_nothing_is_applied(self, warehouse):
        edited = tuple(
            replace(each, sql=each.sql + "-- new") if each.version == 2 else each for each in KNOWN
        )
        with pytest.raises(MigrationEditedError, match="0002_source") as caught:
            migrate(warehouse.dsn, migrations=(*edited, *_extra("create table ops.extra (a integer);")[-1:]))
        assert caught.value.migration == "0002_source"
        with warehouse.connect() as connection:
            assert connection.execute("select to_regclass('ops.extra')").fetchone() == (None,)

    def test_a_database_newer_than_the_package_is_refused_by_name(self, warehouse):
        migrate(warehouse.dsn, migrations=_extra("create table ops.extra (a integer);"))
        with pytest.raises(MigrationUnknownError, match="9000_ops_extra"):
            migrate(warehouse.dsn)

    def test_a_renamed_migration_is_refused(self, warehouse):
        renamed = tuple(replace(each, name="0002_origin") if each.version == 2 else each for each in KNOWN)
        with pytest.raises(MigrationUnknownError, match="0002_source"):
            migrate(warehouse.dsn, migrations=renamed)


@pytest.mark.integration
class TestStatus:
    def test_an_empty_database_has_everything_pending(self, empty):
        assert {each.state for each in status(empty.dsn)} == {MigrationState.PENDING}

    def test_each_state_is_told(self, warehouse):
        migrate(warehouse.dsn, migrations=_extra("create table ops.extra (a integer);"))
        others = tuple(
            replace(each, sql=each.sql + "-- new") if each.version == 2 else each for each in KNOWN
        )
        others = (*others, Migration(version=9001, name="9001_ops_next", group="ops", sql="select 1"))
        states = {each.name: (each.state, each.group) for each in status(warehouse.dsn, migrations=others)}
        assert states["0001_ops"] == (MigrationState.APPLIED, "ops")
        assert states["0002_source"] == (MigrationState.EDITED, "source")
        assert states["9000_ops_extra"] == (MigrationState.UNKNOWN, "")
        assert states["9001_ops_next"] == (MigrationState.PENDING, "ops")

    def test_reading_needs_a_privilege_and_says_so(self, warehouse, limited_role):
        with pytest.raises(PermissionDeniedError, match="reading the migrations' ledger"):
            status(limited_role(warehouse.dsn))


MIGRATOR = """
import sys
from windlass.warehouse.migrations import migrate
sys.stdin.readline()
print(len(migrate(sys.argv[1])))
"""


@pytest.mark.integration
class TestConcurrency:
    def test_two_migrators_at_once_apply_everything_once(self, empty, start_python):
        both = [start_python(MIGRATOR, empty.dsn) for _ in range(2)]
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60) for process in both]
        assert [process.returncode for process in both] == [0, 0], answers
        assert sorted(int(out) for out, _ in answers) == [0, len(KNOWN)]
        assert {each.state for each in status(empty.dsn)} == {MigrationState.APPLIED}

    def test_who_holds_the_lock_is_named_when_the_wait_is_over(self, empty):
        with connect(empty.dsn, application_name="stuck deployment") as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            pid = holder.info.backend_pid
            with pytest.raises(MigrationLockedError, match=rf"pid {pid} \(stuck deployment, user") as caught:
                migrate(empty.dsn, lock_wait=0.05)
            assert len(caught.value.holders) == 1

    def test_a_lock_in_another_database_is_no_hindrance(self, empty, warehouse):
        with warehouse.connect() as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            assert len(migrate(empty.dsn, lock_wait=0.05)) == len(KNOWN)

    def test_the_lock_is_free_after_a_failure(self, empty):
        with pytest.raises(MigrationFailedError):
            migrate(empty.dsn, migrations=_extra("select 1 / 0"))
        assert migrate(empty.dsn, lock_wait=0.05) == ()

    def test_a_table_in_use_is_waited_for_with_an_end(self, warehouse):
        change = _extra("alter table ops.loaded_file add column size bigint;")
        with warehouse.connect() as reader:
            reader.execute("select count(*) from ops.loaded_file")
            with pytest.raises(MigrationLockedError, match=r"9000_ops_extra waited 0\.05 s for a table"):
                migrate(warehouse.dsn, lock_timeout=0.05, migrations=change)
        assert [each.name for each in migrate(warehouse.dsn, migrations=change)] == ["9000_ops_extra"]

    def test_a_migrator_that_is_killed_leaves_nothing_half_done(self, warehouse):
        slow = _extra("create table ops.half (a integer); select pg_sleep(600);")
        failures = []

        def run():
            try:
                migrate(warehouse.dsn, migrations=slow)
            except MigrationFailedError as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        with warehouse.connect(autocommit=True) as killer:
            find = (
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and application_name = 'windlass-warehouse migrate' and wait_event = 'PgSleep'"
            )
            while not killer.execute(find).fetchall():
                assert thread.is_alive()
            thread.join(timeout=30)
            assert "terminat" in str(failures[0])
            assert killer.execute("select to_regclass('ops.half')").fetchone() == (None,)
        assert migrate(warehouse.dsn, lock_wait=1) == ()


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
        assert len(tables) == 27

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

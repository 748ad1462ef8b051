"""Migrations: applied once, in order, whole or not at all, and never edited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from windlass.warehouse.errors import (
    MigrationEditedError,
    MigrationError,
    MigrationFailedError,
    MigrationUnknownError,
    PermissionDeniedError,
)
from windlass.warehouse.migrations import Migration, MigrationState, load_migrations, migrate, pending, status
from windlass.warehouse.migrations.locks import ADVISORY_LOCK

KNOWN = load_migrations()


def _extra(sql: str, *, version: int = 9000, name: str = "9000_ops_extra") -> tuple[Migration, ...]:
    return (*KNOWN, Migration(version=version, name=name, group="ops", sql=sql))


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

    def test_a_migration_that_writes_the_ledger_itself_is_refused(self, empty):
        forged = _extra(
            "insert into ops.schema_migration "
            "(collection, version, name, checksum, package_version, duration_ms) "
            "values ('windlass', 9000, 'x', repeat('0', 64), '1', 0)"
        )
        with pytest.raises(MigrationFailedError, match="9000_ops_extra wrote its own row"):
            migrate(empty.dsn, migrations=forged)
        with empty.connect() as connection:
            assert connection.execute("select count(*) from ops.schema_migration").fetchone() == (len(KNOWN),)

    def test_objects_that_are_there_already_lead_to_a_baseline(self, empty):
        with empty.connect() as connection:
            connection.execute("create schema ops")
        with pytest.raises(MigrationFailedError, match='schema "ops" already exists') as caught:
            migrate(empty.dsn)
        assert "windlass-warehouse baseline" in caught.value.advice

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

    @pytest.mark.parametrize("seconds", [0.0, 1e10, float("inf")])
    def test_any_lock_timeout_will_do(self, empty, seconds):
        (done,) = migrate(empty.dsn, only={"ops"}, lock_timeout=seconds)
        assert done.state is MigrationState.APPLIED

    def test_a_ledger_of_somebody_elses_is_told_and_left_alone(self, empty):
        with empty.connect() as connection:
            connection.execute("create schema ops; create table ops.schema_migration (version text)")
        for command in (migrate, status, pending):
            with pytest.raises(MigrationError, match=r"ops\.schema_migration.*\"collection\"") as refused:
                command(empty.dsn)
            assert "Rename" in refused.value.advice

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


@pytest.mark.integration
class TestFolders:
    def test_a_team_s_migrations_follow_ours_and_are_noted_under_its_name(self, empty, make_folder):
        sales = make_folder("sales", v0001_sales="create schema sales; create table sales.a (b integer);")
        done = migrate(empty.dsn, folders=[sales])
        assert [each.title for each in done] == [*(each.name for each in KNOWN), "sales/0001_sales"]
        with empty.connect() as connection:
            query = (
                "select collection, version, baselined, finished from ops.schema_migration where name = %s"
            )
            assert connection.execute(query, ("0001_sales",)).fetchall() == [("sales", 1, False, True)]
        make_folder("sales", v0002_sales="alter table sales.a add column c text;")
        assert [each.title for each in migrate(empty.dsn, folders=[sales])] == ["sales/0002_sales"]

    def test_without_the_folder_ours_are_migrated_and_the_team_s_left_alone(self, empty, make_folder):
        migrate(empty.dsn, folders=[make_folder(v0001_ops="create table ops.a (b integer);")], only={"ops"})
        assert [each.group for each in migrate(empty.dsn)] == ["source", "staging", "warehouse"]
        states = {each.title: each.state for each in status(empty.dsn)}
        assert states.pop("sales/0001_ops") is MigrationState.UNCHECKED
        assert set(states.values()) == {MigrationState.APPLIED}

    def test_all_edited_files_of_all_collections_are_named_at_once(self, warehouse, make_folder):
        folder = make_folder(v0001_sales="select 1", v0002_sales="select 2", v0003_sales="select 3")
        migrate(warehouse.dsn, folders=[folder])
        make_folder(v0001_sales="select 10", v0003_sales="select 30")
        known = load_migrations([folder])
        known = (replace(known[0], sql=known[0].sql + "-- new"), *known[1:])
        with pytest.raises(MigrationEditedError, match=r"0001_ops.*sales/0001_sales.*sales/0003") as caught:
            migrate(warehouse.dsn, migrations=known)
        assert caught.value.migrations == ("0001_ops", "sales/0001_sales", "sales/0003_sales")

    def test_a_file_that_is_gone_is_named(self, warehouse, make_folder):
        folder = make_folder(v0001_sales="select 1", v0002_sales="select 2")
        migrate(warehouse.dsn, folders=[folder])
        (folder / "0001_sales.sql").unlink()
        with pytest.raises(MigrationUnknownError, match=r"sales/0001_sales.*has no such file"):
            migrate(warehouse.dsn, folders=[folder])
        states = {each.title: each.state for each in status(warehouse.dsn, folders=[folder])}
        assert states["sales/0001_sales"] is MigrationState.UNKNOWN

    def test_what_a_migration_sets_for_its_session_reaches_neither_ledger_nor_the_next(
        self, warehouse, make_folder
    ):
        role = f"team_{warehouse.name[-8:]}"
        folder = make_folder(
            v0001_sales=f"create role {role}; grant create on database {warehouse.name} to {role}; "
            f"set role {role}; set search_path to nowhere; set datestyle to german; create schema sales;",
            v0002_sales="create table ops.extra as select current_setting('search_path') as path;",
        )
        try:
            first, _ = migrate(warehouse.dsn, folders=[folder])
            assert first.applied_at is not None
            with warehouse.connect() as connection:
                found = connection.execute("select path from ops.extra").fetchone()
                owner = connection.execute(
                    "select nspowner::regrole::text from pg_namespace where nspname = 'sales'"
                ).fetchone()
            assert found == ('"$user", public',)
            assert owner == (role,)
        finally:
            with warehouse.connect(autocommit=True) as connection:
                connection.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.integration
class TestHowFar:
    def test_to_stops_after_the_one_that_is_named(self, empty):
        assert [each.name for each in migrate(empty.dsn, to="0002")] == ["0001_ops", "0002_source"]
        assert [each.name for each in migrate(empty.dsn)] == ["0003_staging", "0004_warehouse"]

    def test_pending_tells_what_would_be_applied_and_changes_nothing(self, empty, make_folder):
        folder = make_folder(v0001_sales="select 1")
        due = pending(empty.dsn, folders=[folder])
        assert [each.title for each in due] == [*(each.name for each in KNOWN), "sales/0001_sales"]
        with empty.connect() as connection:
            assert connection.execute("select to_regnamespace('ops')").fetchone() == (None,)
        migrate(empty.dsn, to="3")
        assert [each.title for each in pending(empty.dsn, to="4")] == ["0004_warehouse"]

    def test_pending_neither_waits_for_a_migrator_nor_keeps_one_waiting(self, warehouse):
        with warehouse.connect() as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            assert pending(warehouse.dsn) == ()

    def test_pending_refuses_what_migrate_refuses(self, warehouse):
        edited = (replace(KNOWN[0], sql=KNOWN[0].sql + "-- new"), *KNOWN[1:])
        with pytest.raises(MigrationEditedError, match="0001_ops"):
            pending(warehouse.dsn, migrations=edited)

    def test_each_migration_is_told_before_it_begins(self, empty):
        told = []
        migrate(empty.dsn, to="2", progress=told.append)
        assert [(each.title, each.number, each.total) for each in told] == [
            ("0001_ops", 1, 2),
            ("0002_source", 2, 2),
        ]


@pytest.mark.integration
class TestWhereNothingCanBeWritten:
    def test_a_database_that_only_reads_is_told_so(self, empty):
        dsn = make_conninfo(empty.dsn, options="-c default_transaction_read_only=on")
        with pytest.raises(MigrationFailedError, match="this database only reads") as caught:
            migrate(dsn)
        assert "primary" in caught.value.advice

    def test_a_role_that_only_reads_is_told_what_it_lacks(self, warehouse, limited_role, make_folder):
        dsn = limited_role(warehouse.dsn)
        role = conninfo_to_dict(dsn)["user"]
        with warehouse.connect(autocommit=True) as connection:
            connection.execute(
                f"grant usage on schema ops to {role}; grant select on ops.schema_migration to {role}"
            )
            assert migrate(dsn) == ()
            with pytest.raises(PermissionDeniedError, match="permission denied for database"):
                migrate(dsn, folders=[make_folder(v0001_sales="create schema sales")])
            connection.execute(f"drop owned by {role}")

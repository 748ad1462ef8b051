"""Migrations: applied once, in order, whole or not at all, and never edited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from windlass.warehouse.errors import (
    MigrationEditedError,
    MigrationError,
    MigrationFailedError,
    MigrationUnknownError,
    PermissionDeniedError,
)
from windlass.warehouse.migrations import Migration, MigrationState, load_migrations, migrate, status

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

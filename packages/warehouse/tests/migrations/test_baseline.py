"""A database whose objects came otherwise is noted as migrated, if it is as migrations make it."""

from __future__ import annotations

import pytest

from windlass.warehouse.connection import connect
from windlass.warehouse.errors import (
    BaselineRefusedError,
    MigrationEditedError,
    MigrationError,
    MigrationLockedError,
)
from windlass.warehouse.migrations import MigrationState, baseline, check, load_migrations, migrate, status
from windlass.warehouse.migrations.locks import ADVISORY_LOCK

pytestmark = pytest.mark.integration

KNOWN = load_migrations()
SALES = "create schema sales; create table sales.orders (id bigint primary key, code text);"


@pytest.fixture
def restored(warehouse):
    """A warehouse whose objects are there and whose ledger is gone, schema and all else kept."""
    with warehouse.connect() as connection:
        connection.execute("drop table ops.schema_migration")
    return warehouse


def _applied(dsn, **options):
    return [each.title for each in status(dsn, **options) if each.state is MigrationState.APPLIED]


class TestOurs:
    def test_everything_is_noted_and_nothing_run(self, restored):
        with restored.connect() as connection:
            connection.execute("insert into ops.load_watermark (pipeline, source_name) values ('p', 's')")
        done = baseline(restored.dsn)
        assert [each.title for each in done] == [each.name for each in KNOWN]
        assert all(each.baselined and each.duration_ms == 0 for each in done)
        assert migrate(restored.dsn) == ()
        assert check(restored.dsn).differences == ()
        with restored.connect() as connection:
            assert connection.execute("select count(*) from ops.load_watermark").fetchone() == (1,)

    def test_up_to_one_and_migrate_applies_the_rest(self, restored):
        with restored.connect() as connection:
            connection.execute("drop schema warehouse cascade")
        assert [each.name for each in baseline(restored.dsn, to="3")] == [each.name for each in KNOWN[:3]]
        assert [each.name for each in migrate(restored.dsn)] == ["0004_warehouse"]

    def test_what_the_database_lacks_is_named_and_nothing_noted(self, restored):
        with restored.connect() as connection:
            connection.execute("drop table staging.sale; alter table source.product drop column sku")
        with pytest.raises(BaselineRefusedError, match="not as the migrations would have made it") as caught:
            baseline(restored.dsn)
        assert "missing table staging.sale" in caught.value.objects
        assert "missing column source.product.sku" in caught.value.objects
        assert "--force" in caught.value.advice
        assert _applied(restored.dsn) == []

    def test_force_notes_them_all_the_same_and_check_goes_on_telling(self, restored):
        with restored.connect() as connection:
            connection.execute("drop table staging.sale")
        baseline(restored.dsn, force=True)
        assert [each.name for each in check(restored.dsn).drift] == ["staging.sale"]

    def test_an_empty_database_is_refused_and_left_empty(self, empty):
        with pytest.raises(BaselineRefusedError) as caught:
            baseline(empty.dsn)
        assert caught.value.objects[:2] == ("missing schema ops", "missing schema source")
        with empty.connect() as connection:
            assert connection.execute("select to_regnamespace('ops')").fetchone() == (None,)

    def test_the_ledger_is_made_as_the_migration_makes_it(self, empty):
        with empty.connect() as connection:
            connection.execute("create schema source")
        baseline(empty.dsn, to="1", force=True)
        names = {each.name for each in check(empty.dsn).differences}
        assert "ops.loaded_file" in names
        assert not {"ops", "source"} & names
        assert not any("schema_migration" in name for name in names)

    def test_a_ledger_that_has_rows_is_refused(self, warehouse):
        with pytest.raises(BaselineRefusedError, match="has migrations of windlass already"):
            baseline(warehouse.dsn, force=True)

    def test_it_waits_for_a_migrator_with_an_end(self, restored):
        with restored.connect() as holder:
            holder.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            with pytest.raises(MigrationLockedError):
                baseline(restored.dsn, lock_wait=0.05)


class TestATeams:
    def test_a_team_s_are_noted_beside_ours(self, warehouse, make_folder):
        with connect(warehouse.dsn) as connection:
            connection.execute(SALES)
        folder = make_folder(v0001_sales=SALES, v0002_sales="create index by_code on sales.orders (code)")
        with pytest.raises(BaselineRefusedError, match=r"missing index sales\.by_code"):
            baseline(warehouse.dsn, folders=[folder])
        assert [each.title for each in baseline(warehouse.dsn, folders=[folder], to="1")] == [
            "sales/0001_sales"
        ]
        assert [each.title for each in migrate(warehouse.dsn, folders=[folder])] == ["sales/0002_sales"]
        assert check(warehouse.dsn, folders=[folder]).differences == ()
        with pytest.raises(BaselineRefusedError, match="has migrations of sales already"):
            baseline(warehouse.dsn, folders=[folder])

    def test_ours_come_first(self, empty, make_folder):
        folder = make_folder(v0001_sales=SALES)
        with pytest.raises(BaselineRefusedError, match="no ledger") as caught:
            baseline(empty.dsn, folders=[folder], force=True)
        assert "migrate --only ops" in caught.value.advice

    def test_only_their_own_can_be_named(self, warehouse, make_folder):
        with pytest.raises(MigrationError, match="no migration 0004_warehouse"):
            baseline(warehouse.dsn, folders=[make_folder(v0001_sales=SALES)], to="0004_warehouse")

    def test_an_edited_file_of_another_collection_is_refused(self, warehouse, make_folder):
        stock = make_folder("stock", v0001_stock="select 1")
        migrate(warehouse.dsn, folders=[stock])
        make_folder("stock", v0001_stock="select 2")
        with pytest.raises(MigrationEditedError, match="stock/0001_stock"):
            baseline(warehouse.dsn, folders=[stock, make_folder("sales", v0001_sales=SALES)])

"""The pytest plugin's own promises."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


def test_each_test_gets_an_empty_migrated_database(warehouse):
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from ops.schema_migration").fetchone()[0] >= 4
        assert connection.execute("select count(*) from warehouse.dim_date").fetchone() == (0,)
        connection.execute(
            "insert into warehouse.dim_date values "
            "(20210101, '2021-01-01', 2021, 1, 1, 53, 5, false, true, 'New Year')"
        )


def test_what_a_test_writes_the_next_one_does_not_see(warehouse):
    with warehouse.connect() as connection:
        assert connection.execute("select count(*) from warehouse.dim_date").fetchone() == (0,)

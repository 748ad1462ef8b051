"""A database for all tests of this folder, with a dimension made anew for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer


@pytest.fixture(scope="session")
def database(warehouse_server: WarehouseServer, warehouse_template: str) -> Iterator[WarehouseDatabase]:
    with warehouse_server.database(template=warehouse_template) as database:
        yield database


@pytest.fixture
def connection(database: WarehouseDatabase) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        connection.execute(
            "set client_min_messages to warning; set timezone to 'America/New_York';"
            "drop schema if exists play cascade; create schema play;"
            "delete from ops.scd2_target; delete from ops.scd2_snapshot; delete from ops.scd2_mark;"
            "create table play.dim (dim_key integer generated always as identity primary key, id integer not null,"
            " name text, grade integer check (grade between 1 and 9), valid_from timestamptz not null,"
            " valid_to timestamptz not null default 'infinity', is_current boolean not null,"
            " unique (id, valid_from), check (valid_from < valid_to), check (is_current = (valid_to = 'infinity')));"
            "create unique index on play.dim (id) where is_current;"
            "create table play.source (id integer, name text, grade integer, at timestamptz, gone boolean)"
        )
        yield connection

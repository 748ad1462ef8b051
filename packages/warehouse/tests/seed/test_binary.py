from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from windlass.warehouse.seed.binary import (
    SIGNATURE,
    TRAILER,
    Coded,
    Column,
    Dictionary,
    Integers,
    Strings,
    numeric,
    pack,
)
from windlass.warehouse.testing.server import WarehouseServer

COLUMNS = "a bigint, b integer, c text, d numeric, e text"


def copied(connection: psycopg.Connection[Any], columns: list[Column], count: int, names: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("create temp table t ({})").format(sql.SQL(names)))
        with cursor.copy("copy t from stdin (format binary)") as copy:
            copy.write(SIGNATURE)
            copy.write(pack(columns, count).data)
            copy.write(TRAILER)
        return cursor.execute("select * from t").fetchall()


@pytest.mark.integration
def test_the_server_reads_what_was_packed(warehouse_server: WarehouseServer) -> None:
    texts = Dictionary.of_texts(["", None, "three", "ünïcode"])
    prices = Dictionary([numeric(cents) for cents in (0, 1, 100, 1999, 10_000_000, 123_456_789_012)] + [None])
    columns: list[Column] = [
        Integers(np.array([1, -1, 2**62, 0]), nullable=True),
        Integers(np.array([-5, 0, 7, 2**31 - 1]), size=4),
        Coded(texts, np.array([0, 1, 2, 3])),
        Coded(prices, np.array([3, 6, 5, 4])),
        Strings(np.array([b"x", b"", b"long text", b"y"])),
    ]
    with warehouse_server.database() as database, database.connect() as connection:
        rows = copied(connection, columns, 4, COLUMNS)
    assert rows == [
        (1, -5, "", Decimal("19.99"), "x"),
        (None, 0, None, None, ""),
        (2**62, 7, "three", Decimal("1234567890.12"), "long text"),
        (0, 2**31 - 1, "ünïcode", Decimal("100000.00"), "y"),
    ]


@pytest.mark.integration
def test_the_server_reads_every_amount(warehouse_server: WarehouseServer) -> None:
    amounts = [
        0,
        1,
        9,
        10,
        99,
        100,
        101,
        9_999,
        10_000,
        999_999,
        1_000_000,
        1_000_001,
        99_999_999,
        10**8,
        10**14,
    ]
    columns: list[Column] = [Coded(Dictionary(map(numeric, amounts)), np.arange(len(amounts)))]
    with warehouse_server.database() as database, database.connect() as connection:
        rows = copied(connection, columns, len(amounts), "a numeric")
    assert [str(value) for (value,) in rows] == [f"{cents // 100}.{cents % 100:02d}" for cents in amounts]


@pytest.mark.unit
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**15), st.sampled_from(["", "a", "bcd", None])), min_size=1))
def test_packing_matches_packing_row_by_row(rows: list[tuple[int, str | None]]) -> None:
    ids, texts = [number for number, _ in rows], [text for _, text in rows]
    values: list[str | None] = ["", "a", "bcd", None]
    columns: list[Column] = [
        Integers(np.array(ids)),
        Coded(Dictionary.of_texts(values), np.array([values.index(text) for text in texts])),
    ]
    expected = b"".join(
        (2).to_bytes(2, "big")
        + (8).to_bytes(4, "big")
        + number.to_bytes(8, "big")
        + (b"\xff" * 4 if text is None else len(text).to_bytes(4, "big") + text.encode())
        for number, text in zip(ids, texts, strict=True)
    )
    assert pack(columns, len(rows)).tobytes() == expected


@pytest.mark.unit
def test_rows_of_one_width_are_packed_too() -> None:
    packed = pack([Integers(np.array([258]), size=4)], 1)
    assert packed.tobytes() == b"\x00\x01" + b"\x00\x00\x00\x04" + b"\x00\x00\x01\x02"

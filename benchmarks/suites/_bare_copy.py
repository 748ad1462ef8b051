"""The peer of the seed: arrays that are there already, packed with NumPy and copied, nothing else.

It fills the same tables with as many rows of the same types, one chunk after the other in one transaction.
Its texts have one width each, so that a row is a structured record and packing is nothing but filling in
fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

__all__ = ["bare_copy"]

_SIGNATURE, _TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
_CHUNK = 32_768
_DAYS = 1826

Array = NDArray[Any]
# A column is an array of all rows' length, or of one chunk's that is sent with every chunk; a number stands
# for ids, one higher with every row, of that many bytes.
Column = Array | int


def bare_copy(connection: Connection[Any], *, scale: float) -> None:
    """Fill the tables of the seed."""
    sales = round(100_000 * scale)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            """truncate source.calendar, source.customer, source.product, source.sale,
            staging.sale, staging.sale_drift"""
        )
        for table, count, columns in _tables(sales):
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
                sql.Identifier(*table.split(".")), names
            )
            with cursor.copy(statement) as copy:
                copy.write(_SIGNATURE)
                for packed in _packed(count, list(columns.values())):
                    copy.write(packed.view(np.uint8).data)
                copy.write(_TRAILER)


def _packed(count: int, columns: list[Column]) -> Iterator[Array]:
    layout = np.dtype(
        [("fields", ">i2")]
        + [
            field
            for number, column in enumerate(columns)
            for field in ((f"length{number}", ">i4"), (f"value{number}", _type(column)))
        ]
    )
    for start in range(1, count + 1, _CHUNK):
        size = min(_CHUNK, count + 1 - start)
        rows = np.empty(size, dtype=layout)
        rows["fields"] = len(columns)
        for number, column in enumerate(columns):
            if isinstance(column, int):
                values = np.arange(start, start + size)
            else:
                values = column[start - 1 :][:size] if len(column) >= count else column[:size]
            rows[f"length{number}"] = layout[f"value{number}"].itemsize
            rows[f"value{number}"] = values
        yield rows


def _type(column: Column) -> str | np.dtype[Any]:
    if isinstance(column, int):
        return f">i{column}"
    return column.dtype.newbyteorder(">")


def _text(text: str) -> Array:
    return np.full(_CHUNK, text.encode())


def _tables(sales: int) -> Iterator[tuple[str, int, dict[str, Column]]]:
    random = np.random.default_rng(1)
    customers, products, orders = -(-sales // 100), -(-sales // 200), -(-sales // 10)
    moments = random.integers(10**15, size=_CHUNK)
    sku = np.strings.zfill(np.arange(products).astype("S10"), 10)
    price = np.full(_CHUNK, np.array([2, 0, 0, 2, 19, 9900], dtype=">i2").tobytes(), dtype="V12")
    one = np.ones(_CHUNK, dtype=np.int32)
    customer_id = random.integers(1, customers + 1, size=_CHUNK)
    product_id = random.integers(1, products + 1, size=_CHUNK)

    yield "source.calendar", _DAYS, {"day": 4, "is_holiday": np.zeros(_CHUNK, dtype="V1")}
    yield (
        "source.customer",
        customers,
        {
            "customer_id": 8,
            "name": _text("Alexandra Johnson"),
            "email": _text("alexandra.johnson.1@example.org"),
            "country_code": _text("DE"),
            "segment": _text("consumer"),
            "created_at": moments,
            "updated_at": moments,
        },
    )
    yield (
        "source.product",
        products,
        {
            "product_id": 8,
            "sku": sku,
            "name": _text("Johnson Watering Can, Blue"),
            "category": _text("garden"),
            "unit_price": price,
            "updated_at": moments,
        },
    )
    refers: dict[str, Column] = {"sale_id": 8, "customer_id": customer_id, "product_id": product_id}
    ordered: dict[str, Column] = {
        "sold_on": random.integers(7671, 7671 + _DAYS, size=_CHUNK, dtype=np.int32),
        "store_code": _text("WEB"),
        "channel": _text("web"),
        "quantity": one,
        "unit_price": price,
        "receipt_number": 8,
        "line_number": one,
        "updated_at": 8,
    }
    yield "source.sale", orders, refers | ordered
    staged: dict[str, Column] = {
        "landing_id": 8,
        "sold_on": _text("2024-02-29"),
        "store_code": _text("S01"),
        "quantity": _text("2"),
        "unit_price": _text("19.99"),
        "loaded_at": moments,
    }
    as_agreed: dict[str, Column] = {"channel": _text("store"), "receipt_number": 8, "line_number": one}
    yield "staging.sale", sales, refers | staged | as_agreed
    drifted: dict[str, Column] = {
        "sales_channel": _text("store"),
        "receipt_number": _text("12345"),
        "discount_code": _text("SUMMER"),
    }
    yield "staging.sale_drift", 1000, refers | staged | drifted

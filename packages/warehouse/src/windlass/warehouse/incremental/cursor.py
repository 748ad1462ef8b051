"""Any other source with a PEP 249 driver: the query compares with the watermark itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from psycopg import sql

from windlass.warehouse.errors import WatermarkError
from windlass.warehouse.incremental.position import Kind, Position, ceiling, highest_below_ceiling
from windlass.warehouse.incremental.reader import Reading, fetch_position, no_such_column, stage_rows
from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.extract import DbApiConnection
from windlass.warehouse.load.table import PgConnection, Table
from windlass.warehouse.transform.script import Script

__all__ = ["CursorReader"]

_PARAMETER = "watermark"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class CursorReader:
    """Reads by cursor.

    The highest position is that of the rows read, and nothing tells whether a lower one is still to come:
    that is what the overlap is for.

    Args:
        connection: Connection to the warehouse, in the load's transaction.
        origin: Connection to the source.
        script: The user's query.
        parameters: Its parameters, the user's.
        target: The table to load; its type of the watermark column counts.
        watermark: The watermark column.
    """

    def __init__(
        self,
        connection: PgConnection,
        *,
        origin: DbApiConnection,
        script: Script,
        parameters: Mapping[str, Any],
        target: Table,
        watermark: str,
    ) -> None:
        self._connection = connection
        self._origin = origin
        self._text = script.text
        self._parameters = parameters
        self._target = target
        self._watermark = watermark
        if _PARAMETER not in _PLACEHOLDER.findall(self._text):
            raise WatermarkError(
                "The query does not say from where on to read, and this source is not PostgreSQL.",
                advice=f"Add a condition to it, such as: where {watermark} >= %(watermark)s",
            )
        (column,) = columns_named(target, [watermark], source="The watermark")
        kind = Kind.of_type(column.type_oid)
        if kind is None:
            raise WatermarkError(
                f"Column {watermark!r} of {target} is {column.type_name}, which cannot be a watermark.",
                advice="It must be a timestamp, a date, an integer or numeric.",
            )
        self.kind = kind

    @property
    def binds_watermark(self) -> bool:
        """The query compares with the watermark itself."""
        return True

    @property
    def in_flight(self) -> None:
        """Nothing is known of transactions in flight."""

    def ceiling(self) -> Position | None:
        """The highest position a watermark may have now, by the warehouse's clock."""
        return fetch_position(self._connection, ceiling(self.kind), sql.SQL(""), self.kind)

    def highest(self, lower: Position | None) -> Position | None:  # noqa: ARG002 - the readers' protocol
        """Nothing before the rows were read."""
        return None

    def read(self, lower: Position | None) -> Reading:
        """Read the rows the query gives for a position."""
        text, values = _translated(self._text, {**self._parameters, _PARAMETER: lower}, self._origin)
        watched = _Watched(self._origin, text, values, self._target)
        rows = stage_rows(self._connection, self._target, sql=self._text, source=watched)
        if self._watermark not in watched.columns:
            raise no_such_column(self._watermark, watched.columns)
        return Reading(rows, watched.columns)


def highest_staged(connection: PgConnection, stage: Table, watermark: str, kind: Kind) -> Position | None:
    """The highest watermark of the rows that were read, not above the ceiling."""
    value = highest_below_ceiling(sql.Identifier(watermark), kind)
    return fetch_position(connection, value, sql.SQL(" from {}").format(stage.name.identifier), kind)


class _Watched:
    """A connection whose cursors run the translated query, and that remembers which columns came."""

    def __init__(self, origin: DbApiConnection, text: str, values: Any, target: Table) -> None:
        self._origin = origin
        self._text = text
        self._values = values
        self._target = target
        self._cursor: Any = None
        self.columns: tuple[str, ...] = ()

    def cursor(self) -> Any:
        self._cursor = self._origin.cursor()
        return self

    def execute(self, _text: str) -> None:
        self._cursor.execute(self._text, self._values)

    @property
    def description(self) -> Any:
        found = self._cursor.description
        if found:
            self.columns = tuple(item[0] for item in found)
            columns_named(self._target, self.columns, source="The query")
        return found

    def fetchmany(self, size: int) -> Any:
        return self._cursor.fetchmany(size)

    def close(self) -> None:
        self._cursor.close()


def _translated(text: str, values: Mapping[str, Any], origin: DbApiConnection) -> tuple[str, Any]:
    """A query with `%(name)s`, and its values, in the style of the driver (`paramstyle` of PEP 249)."""
    module = sys.modules.get(type(origin).__module__.partition(".")[0])
    style = getattr(module, "paramstyle", "pyformat")
    if module is not None and module.__name__ == "sqlite3":
        values = {name: _as_sqlite_text(value) for name, value in values.items()}
    names = _PLACEHOLDER.findall(text)
    if style == "pyformat":
        return text, dict(values)
    if style == "named":
        return _PLACEHOLDER.sub(r":\1", text), {name: values[name] for name in names}
    if style == "numeric":
        count = iter(range(1, len(names) + 1))
        return _PLACEHOLDER.sub(lambda _: f":{next(count)}", text), [values[name] for name in names]
    mark = "?" if style == "qmark" else "%s"
    return _PLACEHOLDER.sub(lambda _: mark, text), [values[name] for name in names]


def _as_sqlite_text(value: Any) -> Any:
    # Its own adapters for times are deprecated (Python 3.12); its functions understand this form.
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else value

"""What a load needs of its source, whichever database that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import LoadError, WatermarkError
from windlass.warehouse.incremental.inflight import InFlight
from windlass.warehouse.incremental.position import Kind, Position, read_position
from windlass.warehouse.load.extract import Source, extract_load
from windlass.warehouse.load.table import PgConnection, Table

__all__ = [
    "STAGE",
    "Reader",
    "Reading",
    "fetch_position",
    "no_such_column",
    "position_from_json",
    "stage_rows",
]

STAGE = "windlass_increment"
_STAGE_NAME = f"pg_temp.{STAGE}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read into the stage: how many rows, and the columns they bring."""

    rows: int
    columns: tuple[str, ...]


class Reader(Protocol):
    """A source, to be asked in this order: `highest`, `in_flight`, `read`."""

    @property
    def kind(self) -> Kind:
        """What the watermark column holds."""

    @property
    def binds_watermark(self) -> bool:
        """Whether the query compares with the watermark itself."""

    @property
    def in_flight(self) -> Callable[[], InFlight] | None:
        """Lists the transactions in flight now; None where they cannot be seen."""

    def ceiling(self) -> Position | None:
        """The highest position a watermark may have now, by the source's clock if it can be asked."""

    def highest(self, lower: Position | None) -> Position | None:
        """The highest watermark visible now, not above the ceiling; None where it cannot be asked before."""

    def read(self, lower: Position | None) -> Reading:
        """Read the rows from a position on, itself included, into the temporary table `STAGE`."""


def position_from_json(value: str | None, kind: Kind) -> Position | None:
    """A position as `to_jsonb(...) #>> '{}'` writes it, whatever the session's style of dates."""
    return None if value is None or value == "-infinity" else read_position(value, kind)


def fetch_position(
    connection: PgConnection, value: sql.Composable, origin: sql.Composable, kind: Kind
) -> Position | None:
    """Ask a PostgreSQL server for a position: an expression, and the `from ...` to take it from."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL("select to_jsonb({}) #>> '{{}}'{}").format(value, origin))
        (found,) = cursor.fetchone() or (None,)
    return position_from_json(found, kind)


def stage_rows(connection: PgConnection, target: Table, *, sql: str, source: Source | None) -> int:
    """Stream a query's rows into the stage; how many there were."""
    try:
        return extract_load(connection, table=_STAGE_NAME, sql=sql, source=source, mode="append").rows
    except LoadError as error:
        if _STAGE_NAME not in error.message:
            raise
        # The stage is gone when somebody reads this.
        told = error.message.replace(_STAGE_NAME, str(target))
        raise LoadError(told, advice=error.advice) from error.__cause__


def no_such_column(watermark: str, there: Iterable[str]) -> WatermarkError:
    """The error for a watermark column that the query does not select."""
    return WatermarkError(
        f"The query has no column {watermark!r} to go by; it has: {', '.join(there)}.",
        advice="Select the watermark column, or name another one.",
    )

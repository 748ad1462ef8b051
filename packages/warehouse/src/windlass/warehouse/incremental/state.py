"""The row of `ops.load_watermark` that a load holds locked from its first statement to its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from windlass.warehouse.bookkeeping import bookkeeping_needed
from windlass.warehouse.errors import WatermarkError
from windlass.warehouse.incremental.position import Kind, Position, read_position
from windlass.warehouse.load.table import PgConnection

__all__ = ["Pending", "State", "StateKey", "lock_state", "position_text", "save_state", "watermark_json"]

_MAKE = (
    "insert into ops.load_watermark (pipeline, source_name) values (%(pipeline)s, %(source_name)s) "
    "on conflict do nothing"
)
_LOCK = """
select watermark, pending, target_oid from ops.load_watermark
where pipeline = %(pipeline)s and source_name = %(source_name)s for update
"""
_SAVE = """
update ops.load_watermark
set watermark = %(watermark)s, pending = %(pending)s, target_oid = %(target_oid)s,
    rows_loaded = %(rows_loaded)s, updated_at = now()
where pipeline = %(pipeline)s and source_name = %(source_name)s
"""


@dataclass(frozen=True, slots=True)
class StateKey:
    """Which watermark: that of a pipeline for one of its sources."""

    pipeline: str
    source_name: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A position that becomes the watermark once the transactions that were in flight have ended.

    Attributes:
        position: The position, as text.
        server_started: When the source's server was started, seconds of Unix time: virtual transaction ids
            end with it.
        transactions: Virtual transaction ids.
        prepared: Identifiers of prepared transactions.
    """

    position: str
    server_started: str
    transactions: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What is kept of earlier loads.

    Attributes:
        watermark: `{"value", "column", "type"}`, or None before the first rows.
        pending: What waits for transactions in flight.
        target_oid: Object id of the table that was loaded; None when the watermark was set by hand.
    """

    watermark: Mapping[str, Any] | None
    pending: Pending | None
    target_oid: int | None

    def position(self, *, column: str, kind: Kind) -> Position | None:
        """The watermark.

        Raises:
            WatermarkError: It is one of another column, or of another type.
        """
        if self.watermark is None:
            return None
        of_column, of_type = self.watermark.get("column"), self.watermark.get("type")
        if of_column not in (None, column) or of_type not in (None, str(kind)):
            raise WatermarkError(
                f"The watermark kept is {self.watermark['value']} of column {of_column!r} ({of_type}), "
                f"and this load goes by column {column!r} ({kind}).",
                advice="Go back to that column; or begin anew: windlass-warehouse watermark reset",
            )
        return read_position(self.watermark["value"], kind)


def lock_state(connection: PgConnection, key: StateKey) -> State:
    """Read the state and keep it locked: another load of the same pipeline and source waits here."""
    with bookkeeping_needed("loading increments"), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_MAKE, asdict(key))
        watermark, pending, target_oid = cursor.execute(_LOCK, asdict(key)).fetchone() or (None, None, None)
    if pending is not None:
        pending = Pending(
            pending["position"],
            pending["server_started"],
            tuple(pending["transactions"]),
            tuple(pending["prepared"]),
        )
    return State(watermark, pending, target_oid)


def save_state(connection: PgConnection, key: StateKey, state: State, *, rows: int) -> None:
    """Write the state back, in the transaction that wrote the rows."""
    connection.execute(
        _SAVE,
        {
            **asdict(key),
            "watermark": Jsonb(dict(state.watermark)) if state.watermark else None,
            "pending": Jsonb(asdict(state.pending)) if state.pending else None,
            "target_oid": state.target_oid,
            "rows_loaded": rows,
        },
    )


def position_text(position: Position | None) -> str | None:
    """A position as it is kept and shown."""
    if position is None:
        return None
    return str(position) if not hasattr(position, "isoformat") else position.isoformat()


def watermark_json(position: Position, *, column: str, kind: Kind) -> dict[str, str | None]:
    """A watermark as it is kept."""
    return {"value": position_text(position), "column": column, "type": str(kind)}

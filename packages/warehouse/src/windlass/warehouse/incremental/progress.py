"""Where a load begins and how far the watermark may move: decision 0009 without its SQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from windlass.warehouse.incremental.inflight import InFlight, remaining
from windlass.warehouse.incremental.model import Transaction
from windlass.warehouse.incremental.position import Position, highest, read_position
from windlass.warehouse.incremental.reader import Reader
from windlass.warehouse.incremental.state import Pending, State, position_text

__all__ = ["Progress", "at_most", "begin", "wait_for"]

_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Progress:
    """A watermark on its way.

    Attributes:
        watermark: As far as everything was read by earlier loads.
        promoted: A position whose transactions have all ended: it counts once this load has read.
        pending: A position whose transactions have not.
        blockers: Those transactions, the oldest first.
    """

    watermark: Position | None
    promoted: Position | None = None
    pending: Pending | None = None
    blockers: tuple[Transaction, ...] = ()

    def after(self, seen: Position | None, waited: Progress | None = None) -> Progress:
        """The watermark after the rows were read.

        Args:
            seen: Highest position seen before.
            waited: What `wait_for` said of it; None when transactions in flight cannot be seen.
        """
        reached = highest(self.watermark, self.promoted)
        if self.pending is not None:
            return Progress(reached, None, self.pending, self.blockers)
        if waited is not None and waited.pending is not None:
            return Progress(reached, None, waited.pending, waited.blockers)
        return Progress(highest(reached, seen))


def at_most(position: Position | None, ceiling: Position | None) -> Position | None:
    """The lower of a position and the ceiling, if there is one."""
    if position is None or ceiling is None:
        return position
    return min(position, ceiling)


def begin(reader: Reader, state: State, watermark: Position | None, ceiling: Position | None) -> Progress:
    """What is known before anything is read: whether a pending position's transactions have ended."""
    if state.pending is None:
        return Progress(watermark)
    if reader.in_flight is not None:
        now = reader.in_flight()
        pending = remaining(state.pending, now)
        if pending is not None:
            return Progress(watermark, None, pending, now.named_by(pending))
    return Progress(watermark, at_most(read_position(state.pending.position, reader.kind), ceiling))


def wait_for(
    in_flight: Callable[[], InFlight],
    seen: Position | None,
    *,
    patience: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Progress:
    """Wait a little for the transactions that are in flight now: most end in milliseconds.

    Args:
        in_flight: Lists them.
        seen: A position that was seen before this call.
        patience: Seconds to wait at most.
        clock: Tells seconds.
        sleep: Waits.

    Returns:
        Progress with `seen` pending if some have not ended.
    """
    deadline = clock() + patience
    now = in_flight()
    pending = now.pending(position_text(seen) or "")
    while pending is not None and clock() < deadline:
        sleep(_PAUSE)
        now = in_flight()
        pending = remaining(pending, now)
    return Progress(None, None, pending, now.named_by(pending) if pending else ())

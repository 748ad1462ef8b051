"""Show on standard error how far the load is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass.warehouse.seed.load import Progress

__all__ = ["shown"]

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Progress], None]]:
    """Show progress while the block runs.

    Yields:
        What to call with the progress.
    """
    if not sys.stderr.isatty():
        yield _lines(clock)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def show(progress: Progress) -> None:
            if progress.table not in tasks:
                tasks[progress.table] = bars.add_task(progress.table, total=progress.total)
            bars.update(tasks[progress.table], completed=progress.rows)

        yield show


def _lines(clock: Callable[[], float]) -> Callable[[Progress], None]:
    last = clock()

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.rows < progress.total and clock() - last < _SECONDS_BETWEEN_LINES:
            return
        last = clock()
        sys.stderr.write(f"{progress.table}: {progress.rows:,} of {progress.total:,} rows\n")

    return show

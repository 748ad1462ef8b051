"""Being told to end: SIGTERM ends a command as Ctrl-C does, so that it clears up, and it says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

__all__ = ["clearing_up"]


@contextmanager
def clearing_up(meaning: str) -> Iterator[None]:
    """Let the block end on SIGTERM as on Ctrl-C, with all that clears up behind it.

    Args:
        meaning: What it means for the warehouse, to be told on standard error.
    """
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Interrupted: {meaning}", err=True)
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

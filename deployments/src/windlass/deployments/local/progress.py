"""Shows what goes on: a live line for each step on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

__all__ = ["Progress", "Running"]

_MARKS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "upstream_failed": "[yellow]↷[/]",
    "skipped": "[dim]↷[/]",
}


class Progress:
    """Writes to standard error, so that standard output holds results alone."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A step that takes time: a spinner while it runs on a terminal, one line when done."""
        began = time.monotonic()
        with self.console.status(what):
            yield
        self.done(what, time.monotonic() - began)

    def done(self, what: str, seconds: float, *, state: str = "success", indent: int = 0) -> None:
        """One finished thing with the time it took."""
        mark = _MARKS.get(state, "[dim]·[/]")
        note = "" if state == "success" else f"  {state}"
        self.console.print(
            f"{'  ' * indent}{mark} {escape(what):<{44 - 2 * indent}} [dim]{seconds:6.1f} s[/]{note}"
        )

    @contextmanager
    def running(self) -> Iterator[Running]:
        """A spinner that names what runs at the moment."""
        with self.console.status("waiting for the first task") as status:
            yield Running(status)


class Running:
    """The names of what runs at the moment."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._names: set[str] = set()

    def add(self, name: str) -> None:
        """`name` runs now."""
        self._names.add(name)
        self._show()

    def remove(self, name: str) -> None:
        """`name` has ended."""
        self._names.discard(name)
        self._show()

    def _show(self) -> None:
        self._status.update(
            "running: " + escape(", ".join(sorted(self._names))) if self._names else "scheduling"
        )

"""Make the next items of an iterator in a thread while the caller works on the last one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Prefetch"]

T = TypeVar("T")

_GIVE_UP_CHECK = 0.1


class Prefetch(Generic[T]):
    """An iterator over the items of another one; a context manager that ends the thread.

    An exception of the other iterator is raised where its item would have come.
    """

    def __init__(self, items: Iterable[T], *, depth: int) -> None:
        """Begin to fetch.

        Args:
            items: What to fetch; iterated in the thread alone.
            depth: The most items to hold ready.
        """
        self._items = items
        self._ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=depth)
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._fetch, name="prefetch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._given_up.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    def _fetch(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                if not self._put((item,)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            end = error
        self._put(end)

    def _put(self, item: tuple[T] | BaseException | None) -> bool:
        while not self._given_up.is_set():
            try:
                self._ready.put(item, timeout=_GIVE_UP_CHECK)
            except queue.Full:
                continue
            return True
        return False

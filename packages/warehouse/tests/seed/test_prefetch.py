from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from windlass.warehouse.seed.prefetch import Prefetch

pytestmark = pytest.mark.unit


def fetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_items_come_in_order() -> None:
    with Prefetch(range(100), depth=3) as items:
        assert list(items) == list(range(100))


def test_the_next_items_are_made_while_one_is_in_use() -> None:
    third = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        third.set()
        yield 3

    with Prefetch(numbers(), depth=2) as items:
        assert next(iter(items)) == 1
        assert third.wait(timeout=10)


def test_no_more_items_are_made_than_fit() -> None:
    made = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    with Prefetch(numbers(), depth=2) as items:
        taken = [number for number, _ in zip(items, range(5), strict=False)]
    assert taken == [0, 1, 2, 3, 4]
    assert len(made) <= len(taken) + 2 + 2
    assert not fetchers()


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with Prefetch(numbers(), depth=2) as items:
        taken = iter(items)
        assert next(taken) == 1
        with pytest.raises(ZeroDivisionError):
            next(taken)


def test_leaving_early_ends_the_thread() -> None:
    with Prefetch(itertools.count(), depth=1) as items:
        assert next(iter(items)) == 0
        assert fetchers()
    assert not fetchers()

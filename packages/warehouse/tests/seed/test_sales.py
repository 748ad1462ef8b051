from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.seed.catalog import DISCOUNTS, ITEM_COUNT, customers, item_prices, products
from windlass.warehouse.seed.days import DAY_COUNT, DAYS, HOLIDAYS, day_deck, feed_gaps
from windlass.warehouse.seed.draws import SEED_LIMIT, Feed
from windlass.warehouse.seed.problems import NO_ID, PROBLEMS, Arrivals, arrivals, extra_copies, missing_days
from windlass.warehouse.seed.sales import SalesLines, Volume, sales_lines
from windlass.warehouse.seed.values import SOLD_ON, STORE_CODE, sale_cents, unit_price, vocabulary

pytestmark = pytest.mark.unit

SEEDS = st.integers(0, SEED_LIMIT - 1)
STARTS = st.integers(1, 10**9)
LENGTHS = st.integers(1, 300)


def records(batch: object) -> list[tuple[object, ...]]:
    columns = [getattr(batch, field.name).tolist() for field in fields(batch)]  # type: ignore[arg-type]
    return list(zip(*columns, strict=True))


def arrived(batch: Arrivals) -> list[tuple[object, ...]]:
    return [
        (*row, problem) for row, problem in zip(records(batch.lines), batch.problem.tolist(), strict=True)
    ]


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.sampled_from([Feed.SHOP, Feed.WEB, Feed.DRIFT]), STARTS, LENGTHS, st.data())
def test_sales_are_the_same_whichever_range_makes_them(
    seed: int, feed: Feed, start: int, length: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(start, start + length))
    parts = [
        row
        for first, stop in ((start, cut), (cut, start + length))
        if stop > first
        for row in records(sales_lines(seed, feed, first, stop))
    ]
    assert parts == records(sales_lines(seed, feed, start, start + length))


@settings(max_examples=50, deadline=None)
@given(SEEDS, STARTS, st.integers(2, 3000), st.data())
def test_what_arrives_is_the_same_whichever_range_makes_it(
    seed: int, start: int, length: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(start + 1, start + length - 1))
    parts = arrived(arrivals(seed, start, cut)) + arrived(arrivals(seed, cut, start + length))
    assert parts == arrived(arrivals(seed, start, start + length))


@settings(max_examples=20, deadline=None)
@given(SEEDS, STARTS, LENGTHS)
def test_people_and_products_are_the_same_whichever_range_makes_them(
    seed: int, start: int, length: int
) -> None:
    for make in (customers, products):
        middle = start + length // 2
        whole = records(make(seed, start, start + length))
        parts = records(make(seed, start, middle)) if middle > start else []
        assert parts + records(make(seed, middle, start + length)) == whole


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 2_000_000))
def test_a_sale_refers_to_what_the_smallest_scale_with_it_has(seed: int, sale: int) -> None:
    volume = Volume.of(sale / 100_000)
    assert volume.sales == sale
    shop = sales_lines(seed, Feed.SHOP, sale, sale + 1)
    web = sales_lines(seed, Feed.WEB, volume.orders, volume.orders + 1)
    for lines in (shop, web):
        assert 1 <= lines.customer_id[0] <= volume.customers
        assert 1 <= lines.product_id[0] <= volume.products


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (1, Volume(sales=100_000, customers=1000, products=500, orders=10_000)),
        (10, Volume(sales=1_000_000, customers=10_000, products=5000, orders=100_000)),
        (0.01, Volume(sales=1000, customers=10, products=5, orders=100)),
        (1e-9, Volume(sales=1, customers=1, products=1, orders=1)),
    ],
)
def test_volume_follows_the_scale(scale: float, expected: Volume) -> None:
    assert Volume.of(scale) == expected


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_receipts_have_one_store_day_customer_and_channel_and_count_their_lines(seed: int) -> None:
    lines = sales_lines(seed, Feed.SHOP, 1, 2001)
    of_receipt: dict[int, list[tuple[int, int, int, int]]] = {}
    numbers: dict[int, list[int]] = {}
    for receipt, line, *shared in zip(
        lines.receipt_number.tolist(),
        lines.line_number.tolist(),
        lines.sold_on.tolist(),
        lines.customer_id.tolist(),
        lines.store_code.tolist(),
        lines.channel.tolist(),
        strict=True,
    ):
        of_receipt.setdefault(receipt, []).append(tuple(shared))
        numbers.setdefault(receipt, []).append(line)
    assert list(of_receipt) == list(range(1, 1001))
    assert all(len(set(shared)) == 1 for shared in of_receipt.values())
    assert all(lines == list(range(1, len(lines) + 1)) for lines in numbers.values())
    assert {len(lines) for lines in numbers.values()} == {1, 2, 3}


def test_prices_are_list_prices_at_a_discount() -> None:
    lines = sales_lines(42, Feed.SHOP, 1, 5001)
    cents = np.array(sale_cents(42))[lines.unit_price]
    listed = np.array(item_prices(42))[(lines.product_id - 1) % ITEM_COUNT]
    shares = set((cents * 100 // listed + 1).tolist()) | set((cents * 100 // listed).tolist())
    assert {*DISCOUNTS} <= shares
    assert (cents >= 1).all()
    assert unit_price(42).good[int(lines.unit_price[0])] == f"{cents[0] // 100}.{cents[0] % 100:02d}"


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_every_day_but_the_missing_ones_comes_once_before_any_comes_twice(seed: int) -> None:
    gaps, deck = feed_gaps(seed), day_deck(seed)
    ordinary = DAY_COUNT - len(gaps.missing_days)
    assert len(set(gaps.missing_days)) == 3
    assert not any(DAYS[day] in HOLIDAYS for day in gaps.missing_days)
    assert set(deck[:ordinary].tolist()) == set(range(DAY_COUNT)) - set(gaps.missing_days)
    assert not set(deck.tolist()) & set(gaps.missing_days)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_one_store_falls_silent_long_before_the_others(seed: int) -> None:
    gaps = feed_gaps(seed)
    lines = sales_lines(seed, Feed.SHOP, 1, 100_001)
    last = [int(lines.sold_on[lines.store_code == store].max()) for store in range(10)]
    assert last[gaps.stale_store] <= gaps.stale_after
    others = [day for store, day in enumerate(last) if store != gaps.stale_store]
    assert min(others) > DAY_COUNT - 30
    assert gaps.stale_after < DAY_COUNT - 365


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_each_kind_of_problem_befalls_its_share_of_the_rows(seed: int) -> None:
    found = Counter(arrivals(seed, 1, 100_001).problem.tolist())
    for number, problem in enumerate(PROBLEMS, start=1):
        per_row = found[number] / max(1, problem.copies)
        assert 30 <= per_row <= 140, problem
    assert found[0] > 98_000


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(1, 500_000))
def test_a_problem_is_what_it_is_called_and_the_only_difference_to_the_clean_sale(
    seed: int, start: int
) -> None:
    stop = start + 5000
    clean = records(sales_lines(seed, Feed.SHOP, start, stop))
    names = [field.name for field in fields(SalesLines)]
    batch = arrivals(seed, start, stop)
    for row, code in zip(records(batch.lines), batch.problem.tolist(), strict=True):
        sale = dict(zip(names, row, strict=True))
        expected = dict(zip(names, clean[int(str(sale["sale_id"])) - start], strict=True))
        different = {name for name in names if sale[name] != expected[name]}
        if code == 0 or PROBLEMS[code - 1].kind is AnomalyKind.DUPLICATE_KEY:
            assert different == set()
            continue
        what = PROBLEMS[code - 1]
        if what.kind is AnomalyKind.DUPLICATE_COMPOSITE_KEY:
            assert (sale["line_number"], different) == (1, {"line_number"})
            continue
        assert different == {what.column}
        assert is_bad(seed, what.kind, what.column, sale[what.column])


def is_bad(seed: int, kind: AnomalyKind, column: str, value: object) -> bool:
    if column in ("customer_id", "product_id"):
        return value == NO_ID if kind is AnomalyKind.NULL else isinstance(value, int) and value >= 900_000_000
    return value in vocabulary(seed, column).positions(kind)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(1, 30_000))
def test_a_sale_arrives_as_much_later_as_there_are_copies_before_it(seed: int, stop: int) -> None:
    assert extra_copies(seed, stop) == (len(arrivals(seed, 1, stop)) - (stop - 1) if stop > 1 else 0)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 20_000))
def test_missing_days_are_exactly_those_without_a_sale(seed: int, sales: int) -> None:
    batch = arrivals(seed, 1, sales + 1)
    seen = set(batch.lines.sold_on.tolist()) - {len(SOLD_ON.good)}
    assert set(missing_days(seed, sales)) == set(range(DAY_COUNT)) - seen


def test_only_the_intended_days_miss_at_scale_1() -> None:
    assert missing_days(42, 100_000) == feed_gaps(42).missing_days


def test_vocabularies_tell_where_the_bad_values_of_a_kind_stand() -> None:
    assert [STORE_CODE.texts[at] for at in STORE_CODE.positions(AnomalyKind.UNKNOWN_VALUE)] == [
        "S11", "S99", "s03", "HQ",
    ]  # fmt: skip
    prices = unit_price(7)
    assert "12,50" in [prices.texts[at] for at in prices.positions(AnomalyKind.NOT_A_NUMBER)]
    with pytest.raises(KeyError):
        STORE_CODE.positions(AnomalyKind.OUT_OF_RANGE)


def test_people_have_addresses_of_their_own() -> None:
    people = customers(42, 1, 20_001)
    assert len(set(people.email.tolist())) == 20_000
    assert all(email.endswith(b"@example.org") for email in people.email.tolist())
    assert (people.created_at <= people.updated_at).all()


def test_editions_of_an_item_are_told_apart() -> None:
    goods = products(42, 1, 2 * ITEM_COUNT + 1)
    assert goods.name[ITEM_COUNT] == goods.name[0] + b" No. 2"
    assert len(set(goods.sku.tolist())) == 2 * ITEM_COUNT

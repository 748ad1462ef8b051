from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.warehouse.seed.draws import SEED_LIMIT, Feed, Variable, bounded, permutation, words

pytestmark = pytest.mark.unit

SEEDS = st.integers(0, SEED_LIMIT - 1)


@settings(deadline=None)
@given(SEEDS, st.sampled_from(Feed), st.sampled_from(Variable), st.integers(0, 10**9), st.integers(1, 40))
def test_a_position_has_its_word_whatever_is_drawn_around_it(
    seed: int, feed: Feed, variable: Variable, first: int, count: int
) -> None:
    whole = words(seed, feed, variable, first=first, count=count)
    alone = [words(seed, feed, variable, first=first + offset, count=1)[0] for offset in range(count)]
    assert whole.tolist() == alone


def test_words_are_those_of_every_release() -> None:
    drawn = words(42, Feed.SHOP, Variable.LINE, first=5, count=3)
    assert drawn.tolist() == [
        6073522751195523739,
        16145091225788256231,
        10260151995303193853,
    ]


def test_seeds_feeds_and_variables_have_words_of_their_own() -> None:
    drawn = {
        int(words(seed, feed, variable, first=0, count=1)[0])
        for seed in (0, 1, SEED_LIMIT - 1)
        for feed in Feed
        for variable in Variable
    }
    assert len(drawn) == 3 * len(Feed) * len(Variable)


@settings(deadline=None)
@given(
    st.integers(0, 2**64 - 1), st.integers(1, 2**31), st.sampled_from([(0, 32), (32, 32), (16, 16), (48, 16)])
)
def test_bounded_takes_the_bits_it_is_told_and_stays_below_the_limit(
    word: int, limit: int, bits: tuple[int, int]
) -> None:
    shift, width = bits
    drawn = bounded(np.array([word], dtype=np.uint64), limit, shift=shift, width=width)
    expected = ((word >> shift) % 2**width) * limit // 2**width
    assert drawn.tolist() == [expected]
    assert expected < limit


def test_bounded_takes_a_limit_for_each_word() -> None:
    drawn = np.full(3, 2**64 - 1, dtype=np.uint64)
    assert bounded(drawn, np.array([1, 10, 1000]), shift=0).tolist() == [0, 9, 999]


@settings(deadline=None)
@given(SEEDS)
def test_a_permutation_has_every_number_once(seed: int) -> None:
    assert sorted(permutation(seed, Feed.SHARED, Variable.DECK_ONCE, 100).tolist()) == list(range(100))

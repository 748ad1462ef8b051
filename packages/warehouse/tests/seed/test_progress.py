from __future__ import annotations

import pytest

from windlass.warehouse.seed import Progress
from windlass.warehouse.seed.progress import shown

pytestmark = pytest.mark.unit


def test_elsewhere_than_on_a_terminal_a_line_tells_of_a_table_when_it_is_done_or_takes_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    with shown(clock=lambda: now) as show:
        show(Progress("staging.sale", 1000, 5000))
        now = 6.0
        show(Progress("staging.sale", 2000, 5000))
        now = 7.0
        show(Progress("staging.sale", 3000, 5000))
        show(Progress("staging.sale", 5000, 5000))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "staging.sale: 2,000 of 5,000 rows\nstaging.sale: 5,000 of 5,000 rows\n"

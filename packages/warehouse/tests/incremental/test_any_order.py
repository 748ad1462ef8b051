"""Writers that commit in any order and loads at any moment, crashed ones among them, against a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

pytestmark = pytest.mark.integration

WRITERS = 3
WRITE = (
    "insert into origin (id, note) values (%s, %s) on conflict (id) do update "
    "set note = excluded.note, updated_at = excluded.updated_at, number = excluded.number"
)
# One rule with all that can happen: a choice among rules would be narrowed for whole examples at a time.
ACTIONS = [
    (name, writer, key)
    for name, keys in (
        ("write", (1, 2, 3, 4)),
        ("write_and_commit", (1, 2, 3, 4)),
        ("take_stamp", (0,)),
        ("commit", (0, 0)),
        ("roll_back", (0,)),
        ("load", (0, 0, 0)),
        ("load_and_crash", (0,)),
    )
    for writer in range(WRITERS)
    for key in keys
]


class Loads(RuleBasedStateMachine):
    """Three writers with transactions of their own, one pipeline, and what must come of it."""

    def __init__(self, play: Any, writers: list[Any]) -> None:
        super().__init__()
        self.play = play
        self.writers = writers
        self.open: list[dict[int, str]] = [{} for _ in writers]
        self.committed: dict[int, str] = {}
        self.versions: set[tuple[int, str]] = set()
        self.clock = 0

    @initialize(watermark=st.sampled_from(["updated_at", "number"]), same=st.booleans())
    def begin(self, watermark: str, same: bool) -> None:
        self.options = {"watermark": watermark, **({"source": None} if same else {})}
        self.play.warehouse.execute("truncate origin, target")
        self.play.warehouse.execute("delete from ops.load_watermark where pipeline = %s", [self.play.schema])

    @rule(action=st.sampled_from(ACTIONS))
    def step(self, action: tuple[str, int, int]) -> None:
        name, writer, key = action
        getattr(self, name)(writer, key)

    def write(self, writer: int, key: int) -> None:
        if any(key in held for number, held in enumerate(self.open) if number != writer):
            return  # it would wait for that one's commit
        self.clock += 1
        note = f"{writer} at {self.clock}"
        self.writers[writer].execute(WRITE, [key, note])
        self.open[writer][key] = note

    def commit(self, writer: int, _: int) -> None:
        self.writers[writer].commit()
        self.committed.update(self.open[writer])
        self.versions.update(self.open[writer].items())
        self.open[writer] = {}

    def write_and_commit(self, writer: int, key: int) -> None:
        self.write(writer, key)
        self.commit(writer, key)

    def roll_back(self, writer: int, _: int) -> None:
        self.writers[writer].rollback()
        self.open[writer] = {}

    def take_stamp(self, writer: int, _: int) -> None:
        """Begin, and write nothing yet."""
        self.writers[writer].execute("select now()")

    def load(self, *_: int) -> None:
        self.play.load(**self.options)

    def load_and_crash(self, *_: int) -> None:
        """All is done but the commit."""
        with self.play.warehouse.transaction(force_rollback=True):
            self.play.load(**self.options)

    def rows(self, table: str) -> dict[int, str]:
        return dict(self.play.warehouse.execute(f"select id, note from {table}").fetchall())

    @invariant()
    def target_holds_only_what_was_committed(self) -> None:
        assert self.rows("target").items() <= self.versions

    def teardown(self) -> None:
        for writer in range(WRITERS):
            self.commit(writer, 0)
        self.play.load(**self.options)
        assert self.rows("origin") == self.committed
        assert self.rows("target") == self.committed
        assert self.play.missing() == []


def test_any_order_of_commits_loads_and_crashes_gives_the_sources_rows(play: Any) -> None:
    writers = [play.connect(autocommit=False) for _ in range(WRITERS)]
    for writer in writers:
        writer.prepare_threshold = None
    run_state_machine_as_test(
        lambda: Loads(play, writers),
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )

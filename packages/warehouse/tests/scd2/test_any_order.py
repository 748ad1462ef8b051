"""Any order and any number of repeats, with crashes in between, give the history of one clean application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.scd2 import apply_scd2
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = [pytest.mark.integration, pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = [("a", "b c"), ("a b", "c")]
VALUES = ["x", "y", None]
GONE = "gone"

TABLES = """
drop schema if exists "Any" cascade; create schema "Any";
create table "Any"."Dim%" (
    surrogate integer generated always as identity primary key, "Select" text, "ключ" text, value text,
    valid_from timestamptz not null, valid_to timestamptz not null default 'infinity',
    is_current boolean not null check (is_current = (valid_to = 'infinity')),
    unique ("Select", "ключ", valid_from), check (valid_from < valid_to)
);
create unique index on "Any"."Dim%" ("Select", "ключ") where is_current;
create table "Any".source ("Select" text, "ключ" text, value text, day integer, gone boolean);
create function "Any".crash() returns trigger language plpgsql as $$
begin
    if current_setting('play.crash', true) = 'on' then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(10);
    end if;
    return null;
end
$$;
create trigger crash after insert or update or delete on "Any"."Dim%" execute function "Any".crash();
"""
QUERY = """
select "Select", "ключ", value, %(start)s + day * interval '1 day' as at, gone from "Any".source
order by random()
"""
HISTORY = """
select "Select", "ключ", value, valid_from, nullif(valid_to, 'infinity') from "Any"."Dim%"
order by "Select" collate "C", "ключ" collate "C", valid_from
"""

snapshots = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
batches = st.dictionaries(
    st.tuples(st.sampled_from(KEYS), st.integers(1, 5)),
    st.sampled_from([*VALUES, GONE]),
    min_size=1,
    max_size=5,
)
crashes = st.sampled_from(["none"] * 6 + ["exception", "terminated"])


def versions(statements: list[tuple[int, Any]]) -> list[tuple[int, int | None, Any]]:
    """The runs of equal states in what is said of one key, in order of time."""
    found: list[tuple[int, int | None, Any]] = []
    state: Any = GONE
    for day, said in sorted(statements, key=lambda item: item[0]):
        if said == state:
            continue
        if state != GONE:
            found[-1] = (found[-1][0], day, state)
        if said != GONE:
            found.append((day, None, said))
        state = said
    return found


class CrashError(Exception):
    """The end of a process, as its transaction sees it."""


class Applications(RuleBasedStateMachine):
    """A dimension, and everything that was said of it."""

    database: WarehouseDatabase
    mode = "snapshot"

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[Any, dict[int, Any]] = {}
        self.connection = self.database.connect(autocommit=True)
        self.connection.execute(
            'delete from "Any"."Dim%"; delete from ops.scd2_target; delete from ops.scd2_snapshot;'
            "delete from ops.scd2_mark"
        )

    def teardown(self) -> None:
        self.connection.close()

    @contextmanager
    def crashing(self, how: str) -> Iterator[None]:
        """Run something in a transaction that is committed, or given up in one of two ways."""
        if how == "none":
            yield
            return
        self.connection.execute(
            "select set_config('play.crash', %s, false)", ["on" if how == "terminated" else ""]
        )
        with pytest.raises((HistoryError, psycopg.Error, CrashError)), self.connection.transaction():  # noqa: PT012
            yield
            raise CrashError
        self.connection.close()
        self.connection = self.database.connect(autocommit=True)

    def fill(self, rows: list[tuple[Any, ...]]) -> None:
        self.connection.execute('truncate "Any".source')
        self.connection.cursor().executemany('insert into "Any".source values (%s, %s, %s, %s, %s)', rows)

    def apply(self, **options: Any) -> None:
        columns = '"Select", "ключ", value' + (", at, gone" if options["mode"] == "changes" else "")
        apply_scd2(
            self.connection,
            table='"Any"."Dim%"',
            sql=f"select {columns} from ({QUERY}) as q",
            key=["Select", "ключ"],
            parameters={"start": START},
            **options,
        )

    @invariant()
    def history_is_that_of_one_clean_application(self) -> None:
        expected = [
            (*key, value, day(begin), None if end is None else day(end))
            for key in sorted(self.said)
            for begin, end, value in versions(list(self.said[key].items()))
        ]
        assert self.connection.execute(HISTORY).fetchall() == expected


def day(number: int) -> datetime:
    return START + timedelta(days=number)


class Snapshots(Applications):
    """Snapshots of the whole state."""

    @rule(number=st.integers(1, 5), content=snapshots, crash=crashes)
    def snapshot(self, number: int, content: dict[Any, Any], crash: str) -> None:
        self.fill([(*key, value, number, False) for key, value in content.items()])
        with self.crashing(crash):
            self.apply(mode="snapshot", as_of=day(number), allow_empty=True)
        if crash != "none":
            self.apply(mode="snapshot", as_of=day(number), allow_empty=True)
        for key in KEYS:
            # A correction replaces what this snapshot said; without a row for the key it is gone.
            self.said.setdefault(key, {})[number] = content.get(key, GONE)


class Changes(Applications):
    """Changes with times of their own, and incomplete snapshots, which are changes."""

    @rule(batch=batches, twice=st.booleans(), crash=crashes)
    def change(self, batch: dict[Any, Any], twice: bool, crash: str) -> None:
        rows = [
            (*key, None if value == GONE else value, number, value == GONE)
            for (key, number), value in batch.items()
        ]
        self.fill(rows * (2 if twice else 1))
        options = {"mode": "changes", "effective_at": "at", "deleted": "gone"}
        with self.crashing(crash):
            self.apply(**options)
        if crash != "none":
            self.apply(**options)
        for (key, number), value in batch.items():
            self.said.setdefault(key, {})[number] = value

    @rule(number=st.integers(1, 5), content=snapshots)
    def incomplete(self, number: int, content: dict[Any, Any]) -> None:
        self.fill([(*key, value, number, False) for key, value in content.items()])
        self.apply(mode="snapshot", as_of=day(number), complete=False)
        for key, value in content.items():
            self.said.setdefault(key, {})[number] = value


@pytest.mark.parametrize("machine", [Snapshots, Changes])
def test_history_depends_on_what_was_said_alone(
    database: WarehouseDatabase, machine: type[Applications]
) -> None:
    machine.database = database
    with database.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages to warning")
        connection.execute(TABLES)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

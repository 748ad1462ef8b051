"""Which tables can keep a history, and how theirs differ: ends, keys, columns, constraints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from windlass.warehouse.errors import HistoryError, TableError

pytestmark = pytest.mark.integration

OTHER = {"table": "play.other"}


def make(dim: Any, columns: str, rest: str = "unique (id, valid_from)") -> None:
    dim.connection.execute(f"create table play.other ({columns}, {rest})")


@pytest.mark.parametrize(
    ("end", "opened"),
    [
        ("timestamptz", None),
        ("timestamptz not null", "infinity"),
        ("timestamptz default 'infinity'", "infinity"),
        ("timestamptz not null default '9999-12-31Z'", "9999-12-31 00:00:00+00"),
        ("timestamptz default null", None),
    ],
)
@pytest.mark.parametrize("current", ["", ", is_current boolean not null"])
def test_an_open_version_ends_as_the_column_says(
    dim: Any, end: str, opened: str | None, current: str
) -> None:
    make(
        dim, f"id integer, name text, grade integer, valid_from timestamptz not null, valid_to {end}{current}"
    )
    dim.snapshot(1, [(1, "a", 1), (2, "b", 2)], **OTHER)
    dim.snapshot(5, [(1, "b", 1), (2, "b", 2)], **OTHER)
    dim.snapshot(3, [(1, "b", 1)], **OTHER)
    dim.snapshot(6, [(1, "c", 1)], **OTHER)
    dim.connection.execute("set timezone to 'UTC'")
    rows = dim.connection.execute(
        "select id, name, extract(day from valid_from)::integer, "
        "valid_to::text, to_jsonb(o) ->> 'is_current' from play.other as o order by 1, 3"
    ).fetchall()
    no, yes = ("false", "true") if current else (None, None)
    assert rows == [
        (1, "a", 2, "2024-01-04 00:00:00+00", no),
        (1, "b", 4, "2024-01-07 00:00:00+00", no),
        (1, "c", 7, opened, yes),
        (2, "b", 2, "2024-01-04 00:00:00+00", no),
        (2, "b", 6, "2024-01-07 00:00:00+00", no),
    ]


@pytest.mark.parametrize("kind", ["timestamptz(0)", "timestamp(3)"])
def test_instants_are_rounded_as_the_columns_are(dim: Any, kind: str) -> None:
    make(dim, f"id integer, name text, grade integer, valid_from {kind}, valid_to {kind}")
    part = timedelta(microseconds=700)
    for day, name in ((1, "a"), (5, "b"), (3, "c")):
        dim.snapshot(day, [(1, name, 1)], **OTHER, as_of=dim.day(day) + part)
    assert dim.snapshot(3, [(1, "c", 1)], **OTHER, as_of=dim.day(3) + part).unchanged == 1
    dim.connection.execute("set timezone to 'UTC'")
    found = dim.connection.execute(
        "select name, extract(day from valid_from), extract(milliseconds from valid_from) "
        "from play.other order by valid_from"
    ).fetchall()
    rounded = 0 if "0" in kind else 1
    assert found == [("a", 2, rounded), ("c", 4, rounded), ("b", 6, rounded)]
    dim.connection.execute("delete from play.other")
    dim.changes([(1, 1, "a"), (5, 1, "b")], **OTHER)
    assert dim.snapshot(3, [(1, "c", 1)], **OTHER, as_of=dim.day(3) + part, complete=False).late == 1


def test_names_of_the_validity_columns_are_free(dim: Any) -> None:
    make(
        dim,
        'id integer, name text, grade integer, "From" timestamp not null, "user" timestamp, "Open?" boolean',
        'unique ("From", id)',
    )
    names = {"valid_from": "From", "valid_to": "user", "is_current": "Open?"}
    dim.snapshot(1, [(1, "a", 1)], **OTHER, **names)
    dim.snapshot(2, [], allow_empty=True, **OTHER, **names)
    rows = dim.connection.execute('select "From"::text, "user"::text, "Open?" from play.other').fetchall()
    assert rows == [("2024-01-02 00:00:00", "2024-01-03 00:00:00", False)]


def test_what_the_table_fills_itself_is_left_to_it(dim: Any) -> None:
    make(
        dim,
        "id integer, name text, loud text generated always as (upper(name)) stored, "
        "made_by text default 'me', "
        "valid_from timestamptz not null, valid_to timestamptz not null default 'infinity', "
        "is_current boolean generated always as (valid_to = 'infinity') stored",
    )
    given = OTHER | {"sql": "select id, name from play.source"}
    dim.snapshot(1, [(1, "a")], **given)
    dim.snapshot(2, [(1, "b")], **given)
    dim.snapshot(1, [(1, "c")], **given)
    rows = dim.connection.execute(
        "select loud, made_by, is_current from play.other order by valid_from"
    ).fetchall()
    assert rows == [("C", "me", False), ("B", "me", True)]


@pytest.mark.parametrize("track", [None, ["name"]])
def test_types_without_equality_are_compared_as_text(dim: Any, track: list[str] | None) -> None:
    make(
        dim,
        "id integer, name json, notes json[], place point, valid_from timestamptz not null, "
        "valid_to timestamptz",
    )
    given = OTHER | {
        "sql": "select id, name::json, array[name::json] as notes, point(id, 0) as place from play.source",
        "track": track,
    }
    dim.snapshot(1, [(1, '{"a": 1}', 1), (2, '{"b": 1}', 1)], **given)
    dim.snapshot(3, [(1, '{"a": 2}', 1), (2, '{"b": 1}', 1)], **given)
    dim.snapshot(2, [(1, '{"a": 2}', 1), (2, '{"b": 1}', 1)], **given)
    assert [row[:2] for row in dim.history("id, valid_from", "play.other")] == [
        (1, dim.day(1)), (1, dim.day(2)), (2, dim.day(1))
    ]  # fmt: skip


def test_keys_are_compared_as_their_types_compare(dim: Any) -> None:
    make(
        dim,
        "id numeric, word text, since timestamptz, span interval, raw bytea, name text, "
        "valid_from timestamptz not null, valid_to timestamptz",
        "unique (id, word, since, span, raw, valid_from)",
    )
    key = {"key": ["id", "word", "since", "span", "raw"], "deleted": None, "effective_at": "at"} | OTHER

    def say(day: int, number: str, word: str, span: str, name: str) -> None:
        dim.connection.execute(f"set timezone to '{'Asia/Tokyo' if day % 2 else 'America/New_York'}'")
        dim.connection.execute(f"set bytea_output to '{'hex' if day % 2 else 'escape'}'")
        query = (
            f"select {number} as id, '{word}' as word, '2024-01-01Z'::timestamptz as since, "
            f"interval '{span}' as span, '\\x00ff'::bytea as raw, '{name}' as name, at from play.source"
        )
        dim.changes([(day, 1, "")], sql=query, **key)

    say(1, "1.0", "Straße %", "1 day", "a")
    say(5, "1.00", "Straße %", "24 hours", "a")
    assert [row[-2:] for row in dim.history("id", "play.other")] == [(1, None)]
    say(3, "1", "Straße %", "1 day", "b")
    assert [row[-2:] for row in dim.history("id", "play.other")] == [(1, 3), (3, 5), (5, None)]
    assert dim.connection.execute("select count(*) from ops.scd2_mark").fetchone() == (0,)


def test_a_partitioned_dimension(dim: Any) -> None:
    dim.connection.execute(
        "create table play.other (id integer, name text, grade integer, valid_from timestamptz not null, "
        "valid_to timestamptz, unique (id, valid_from)) partition by hash (id);"
        "create table play.other_0 partition of play.other for values with (modulus 2, remainder 0);"
        "create table play.other_1 partition of play.other for values with (modulus 2, remainder 1)"
    )
    dim.snapshot(1, [(n, "a", 1) for n in range(6)], **OTHER)
    dim.snapshot(5, [(n, "b", 1) for n in range(1, 7)], **OTHER)
    dim.snapshot(3, [(n, "c", 1) for n in range(6)], **OTHER)
    assert dim.history(table="play.other")[:3] == [(0, "a", 1, 3), (0, "c", 3, 5), (1, "a", 1, 3)]
    assert len(dim.history(table="play.other")) == 18


def test_a_table_without_the_unique_constraint_is_told_which_to_add(dim: Any) -> None:
    make(
        dim,
        "id integer, name text, grade integer, valid_from timestamptz, valid_to timestamptz",
        "unique (id, name)",
    )
    with pytest.raises(TableError, match="no unique constraint") as caught:
        dim.snapshot(1, [], **OTHER)
    assert caught.value.advice == 'Add it: alter table "play"."other" add unique ("id", "valid_from");'
    dim.connection.execute("create unique index on play.other (id, valid_from) where valid_to is null")
    with pytest.raises(TableError, match="no unique constraint"):
        dim.snapshot(1, [], **OTHER)
    dim.connection.execute(caught.value.advice.removeprefix("Add it: "))
    dim.snapshot(1, [(1, "a", 1)], **OTHER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sql": "select id from play.source"}, "does not give 'name', 'grade' of play.dim"),
        ({"sql": "select name, grade from play.source"}, "does not give 'id' of play.dim"),
        (
            {"sql": "select *, 1 as shoe from (select id, name, grade from play.source) s"},
            "'shoe', unknown to",
        ),
        ({"sql": "select id, id, name, grade from play.source"}, "'id' twice"),
        (
            {"sql": "select id, name, grade, 1 as dim_key from play.source"},
            "'dim_key', which play.dim fills itself",
        ),
        (
            {"sql": "select id, name, grade, true as is_current from play.source"},
            "'is_current', which are kept here",
        ),
        ({"key": ["nope"]}, "no key column 'nope'"),
        ({"key": ["id", "valid_from"]}, "no key column 'valid_from'"),
        ({"valid_to": "until"}, "no column 'until' that tells when"),
        ({"valid_to": "name"}, "no column 'name' that tells when"),
        ({"is_current": "open"}, "no boolean column 'open'"),
        ({"is_current": "name"}, "no boolean column 'name'"),
        ({"is_current": None}, "does not give 'is_current'"),
        ({"table": "play.nothing"}, "There is no table play.nothing"),
        ({"table": "pg_catalog.pg_views"}, "is not a table"),
    ],
)
def test_a_query_that_does_not_fit_the_table_is_refused(
    dim: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        dim.snapshot(1, [], **options)


def test_validity_columns_must_be_fit_for_it(dim: Any) -> None:
    make(
        dim,
        "id integer, name text, grade integer, valid_from timestamptz, valid_to timestamptz default now()",
    )
    with pytest.raises(TableError, match="a time at which versions would end"):
        dim.snapshot(1, [], **OTHER)
    dim.connection.execute("alter table play.other alter valid_to drop default, alter valid_to type date")
    with pytest.raises(TableError, match="of different types"):
        dim.snapshot(1, [], **OTHER)


def test_a_trigger_that_drops_rows_makes_no_hole_in_the_history(dim: Any) -> None:
    dim.connection.execute(
        "create function play.drop_row() returns trigger language plpgsql as $$ begin "
        "return case when new.id = 2 then null else new end; end $$;"
        "create trigger drop_row before insert or update on play.dim "
        "for each row execute function play.drop_row()"
    )
    with pytest.raises(HistoryError, match=r"2 versions of play.dim were to be written, and 1 were"):
        dim.snapshot(1, [(1, "a", 1), (2, "b", 1)])
    assert dim.history() == []
    with pytest.raises(HistoryError, match=r"2 versions of play.dim were to be written, and 1 were"):
        dim.changes([(1, 1, "a"), (1, 2, "b")])


@pytest.mark.parametrize(
    "change",
    [
        "if tg_op = 'INSERT' then new.valid_from := now(); end if",
        "new.valid_to := coalesce(old.valid_to, 'infinity')",
        "new.name := upper(new.name)",
    ],
)
def test_a_trigger_that_changes_versions_is_told(dim: Any, change: str) -> None:
    make(dim, "id integer, name text, grade integer, valid_from timestamptz, valid_to timestamptz")
    for day in (1, 5):
        dim.snapshot(day, [(1, f"a{day}", 1), (2, "b", 1)], **OTHER, track=["name"])
    before = dim.history(table="play.other")
    dim.connection.execute(
        "create function play.change() returns trigger language plpgsql as "
        f"$$ begin {change}; return new; end $$;"
        "create trigger change before insert or update on play.other "
        "for each row execute function play.change()"
    )
    for day in (3, 9):
        with pytest.raises(
            HistoryError, match=r"are not there as they were written: trigger change changes them"
        ):
            dim.snapshot(day, [(1, "c", 1), (3, "d", 1)], **OTHER, track=["name"])
    if "name" in change:
        with pytest.raises(
            HistoryError, match=r"1 versions of play.other are not there as they were written"
        ):
            dim.snapshot(9, [(1, "a5", 2), (2, "b", 1)], **OTHER, track=["name"])
    assert dim.history(table="play.other") == before


def test_a_trigger_that_looks_on_is_no_matter(dim: Any) -> None:
    dim.connection.execute(
        "create table play.seen (id integer);"
        "create function play.look() returns trigger language plpgsql as $$ begin "
        "insert into play.seen values (new.id); return null; end $$;"
        "create trigger look after insert or update on play.dim for each row execute function play.look()"
    )
    dim.snapshot(1, [(1, "a", 1), (2, "b", None)], track=["name"])
    dim.snapshot(5, [(1, "b", 1), (2, "b", 2)], track=["name"])
    assert dim.snapshot(3, [(1, "c", 1), (3, "d", 1)], track=["name"]).late == 2
    assert dim.history() == [
        (1, "a", 1, 3),
        (1, "c", 3, 5),
        (1, "b", 5, None),
        (2, "b", 1, 3),
        (2, "b", 5, None),
        (3, "d", 3, 5),
    ]


def test_a_failure_that_no_row_explains_is_passed_on(dim: Any) -> None:
    dim.connection.execute(
        "create function play.fail() returns trigger language plpgsql as $$ begin "
        "raise exception 'closed on Sundays'; end $$;"
        "create trigger fail before update on play.dim for each row execute function play.fail()"
    )
    dim.snapshot(1, [(1, "a", 1)])
    with pytest.raises(
        HistoryError, match=r"Applying to play.dim failed: closed on Sundays. Nothing was changed"
    ):
        dim.snapshot(2, [(1, "b", 1)])


def test_overlapping_versions_are_told(dim: Any) -> None:
    make(dim, "id integer, name text, grade integer, valid_from timestamptz, valid_to timestamptz")
    dim.connection.execute(
        "insert into play.other values (1, 'a', 1, '2023-01-01Z', null), (1, 'a', 1, '2023-01-02Z', null)"
    )
    with pytest.raises(HistoryError, match="Several versions of one key hold at the same time"):
        dim.snapshot(1, [(1, "a", 1)], **OTHER)


@pytest.mark.parametrize(
    "index",
    [
        "create index on play.other (id)",
        "create unique index on play.other (id) where valid_from > '2023-01-01Z'",
        "create unique index on play.other (id, valid_from) where valid_to is null",
        "create unique index on play.other (id, (valid_from at time zone 'UTC')) where valid_to is null",
        """create table play.more () inherits (play.other);
        with moved as (delete from play.other where valid_from = '2023-01-01Z' returning *)
        insert into play.more select * from moved; create unique index on play.other (id)""",
    ],
    ids=["none", "of some", "of versions", "of an expression", "of one table of two"],
)
def test_duplicates_do_not_hide_behind_overlapping_versions(dim: Any, index: str) -> None:
    make(dim, "id integer, name text, grade integer, valid_from timestamptz, valid_to timestamptz")
    dim.connection.execute(
        "insert into play.other values (1, 'a', 1, '2023-01-01Z', null), "
        "(2, 'b', 1, '2023-01-01Z', null), (2, 'b', 1, '2023-01-02Z', null)"
    )
    dim.connection.execute(index)
    before = dim.history(table="play.other")
    with pytest.raises(HistoryError, match=r"1 key is in the snapshot more than once: id = '1' \(2 times\)"):
        dim.snapshot(1, [(1, "a", 1), (1, "z", 1), (2, "b", 1)], **OTHER)
    assert dim.history(table="play.other") == before

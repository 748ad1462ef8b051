"""Snapshots: each shows the whole state as of an instant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from windlass.warehouse.errors import HistoryError, TableError
from windlass.warehouse.identity import RunContext

pytestmark = pytest.mark.integration


def counts(result: Any) -> dict[str, int]:
    return {name: value for name, value in asdict(result).items() if isinstance(value, int) and value}


def test_new_changed_missing_and_unchanged_keys(dim: Any) -> None:
    first = dim.snapshot(1, [(1, "a", 1), (2, "b", 2), (3, "c", None)])
    assert counts(first) == {"rows": 3, "inserted": 3}
    assert (first.table, first.mode, first.as_of) == ("play.dim", "snapshot", "2024-01-02 00:00:00+00")

    second = dim.snapshot(2, [(1, "a", 1), (2, "B", 2), (4, "d", 4)])

    assert counts(second) == {"rows": 3, "inserted": 1, "changed": 1, "deleted": 1, "unchanged": 1}
    assert dim.history() == [
        (1, "a", 1, None),
        (2, "b", 1, 2),
        (2, "B", 2, None),
        (3, "c", 1, 2),
        (4, "d", 2, None),
    ]


def test_a_key_that_comes_again_leaves_a_gap(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    dim.snapshot(2, [], allow_empty=True)
    assert counts(dim.snapshot(5, [(1, "a", 1), (2, "b", 1)])) == {"rows": 2, "inserted": 1, "reappeared": 1}
    assert dim.history() == [(1, "a", 1, 2), (1, "a", 5, None), (2, "b", 5, None)]


def test_null_is_a_value_like_others(dim: Any) -> None:
    dim.snapshot(1, [(1, None, None), (2, "b", None)])
    assert counts(dim.snapshot(2, [(1, None, None), (2, None, None)])) == {
        "rows": 2,
        "unchanged": 1,
        "changed": 1,
    }
    assert dim.history() == [(1, None, 1, None), (2, "b", 1, 2), (2, None, 2, None)]


def test_the_same_snapshot_again_changes_nothing(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    dim.snapshot(2, [(1, "b", 1)])
    state = "select ctid::text, dim_key from play.dim order by 2"
    before = dim.connection.execute(state).fetchall()

    assert counts(dim.snapshot(2, [(1, "b", 1)])) == {"rows": 1, "unchanged": 1}
    assert counts(dim.snapshot(1, [(1, "a", 1)])) == {"rows": 1, "unchanged": 1}

    assert dim.connection.execute(state).fetchall() == before


def test_a_corrected_snapshot_replaces_what_it_said_and_keeps_surrogate_keys(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    dim.snapshot(2, [(1, "b", 1), (2, "x", 1), (3, "y", 1)])
    keys = dim.keys()

    corrected = dim.snapshot(2, [(1, "c", 1), (2, "x", 1), (4, "z", 1)])

    assert counts(corrected) == {"rows": 3, "changed": 1, "inserted": 1, "deleted": 1, "unchanged": 1}
    assert dim.history() == [(1, "a", 1, 2), (1, "c", 2, None), (2, "x", 2, None), (4, "z", 2, None)]
    assert {key: value for key, value in dim.keys().items() if key in keys} == {
        key: value for key, value in keys.items() if key != (3, 2)
    }


def test_a_corrected_snapshot_takes_back_a_deletion(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    dim.snapshot(5, [], allow_empty=True)
    key = dim.keys()[1, 1]
    dim.snapshot(5, [(1, "a", 1)])
    assert dim.history() == [(1, "a", 1, None)], "no seam is left where the deletion was"
    assert dim.keys() == {(1, 1): key}


def test_a_late_snapshot_holds_until_the_next_one(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1), (2, "b", 1), (3, "c", 1)])
    dim.snapshot(5, [(1, "a", 1), (2, "B", 1), (4, "d", 1)])
    first = dim.keys()

    late = dim.snapshot(3, [(1, "late", 1), (2, "b", 1), (4, "d", 1)])

    assert counts(late) == {"rows": 3, "changed": 1, "inserted": 1, "deleted": 1, "unchanged": 1, "late": 3}
    assert dim.history() == [
        (1, "a", 1, 3),
        (1, "late", 3, 5),
        (1, "a", 5, None),
        (2, "b", 1, 5),
        (2, "B", 5, None),
        (3, "c", 1, 3),
        (4, "d", 3, None),
    ]
    assert dim.keys()[4, 3] == first[4, 5], "a version that begins earlier now keeps its surrogate key"


def test_a_snapshot_before_all_others_holds_until_the_first(dim: Any) -> None:
    dim.snapshot(5, [(1, "a", 1)])
    dim.snapshot(2, [(1, "a", 1), (2, "b", 1)])
    assert dim.history() == [(1, "a", 2, None), (2, "b", 2, 5)]


def test_every_snapshot_is_noted_with_who_applied_it(dim: Any) -> None:
    context = RunContext("d", "r", "t", logical_date=dim.day(3))
    assert dim.snapshot(1, [(1, "a", 1)], as_of=None, context=context).as_of == "2024-01-04 00:00:00+00"
    rows = dim.connection.execute(
        "select target_table, target_oid = 'play.dim'::regclass, as_of, row_count, dag_id, run_id, task_id "
        "from ops.scd2_snapshot"
    ).fetchall()
    assert rows == [("play.dim", True, dim.day(3), 1, "d", "r", "t")]


@pytest.mark.parametrize("gone", ["truncate play.dim", "delete from play.dim", "recreate"])
def test_a_target_emptied_or_made_again_begins_anew(dim: Any, gone: str) -> None:
    dim.snapshot(2, [(1, "a", 1)])
    dim.snapshot(5, [(1, "b", 1)])
    if gone == "recreate":
        dim.connection.execute(
            "create table play.other (like play.dim including all); drop table play.dim;"
            "alter table play.other rename to dim"
        )
    else:
        dim.connection.execute(gone)
    dim.snapshot(1, [(1, "x", 1)])
    assert dim.history() == [(1, "x", 1, None)], "nothing is left of the snapshot of day 2 that would end it"


def test_versions_that_no_snapshot_made_are_left_alone(dim: Any) -> None:
    dim.connection.execute(
        "insert into play.dim (id, name, valid_from, valid_to, is_current) values "
        "(1, 'a', '2024-01-02Z', '2024-01-04Z', false), (1, 'b', '2024-01-04Z', 'infinity', true)"
    )
    with pytest.raises(HistoryError, match="2 versions that begin or end after 2024-01-03"):
        dim.snapshot(2, [(1, "x", 1)])
    dim.snapshot(4, [(1, "b", None)])
    dim.snapshot(5, [(1, "c", None)])
    assert dim.history() == [(1, "a", 1, 3), (1, "b", 3, 5), (1, "c", 5, None)]


def test_duplicates_are_named_with_their_counts(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1)])
    rows = [(n, "x", 1) for n in range(1, 8)] + [(n, "y", 1) for n in range(1, 7)] + [(1, "x", 1)]
    with pytest.raises(HistoryError, match="6 keys are in the snapshot more than once") as caught:
        dim.snapshot(2, rows)
    assert "id = '1' (3 times); id = '2' (2 times)" in str(caught.value)
    assert "id = '5'" in str(caught.value)
    assert "id = '6'" not in str(caught.value)
    with pytest.raises(HistoryError, match=r"1 key is .* id = '1' \(2 times\)"):
        dim.snapshot(2, [(1, "a", 1), (1, "a", 1)])
    with pytest.raises(HistoryError, match=r"1 key is .* id = '9' \(2 times\)"):
        dim.snapshot(2, [(1, "a", 1), (9, "a", 1), (9, "b", 1)])
    assert dim.history() == [(1, "a", 1, None)]


def test_null_keys_and_values_that_do_not_fit_are_named(dim: Any) -> None:
    dim.snapshot(1, [(7, "a", 1)])
    with pytest.raises(HistoryError, match="id is null in 2 rows of the query"):
        dim.snapshot(2, [(1, "a", 1), (None, "b", 1), (None, "c", 1)])
    with pytest.raises(
        HistoryError, match=r"name does not fit character varying\(8\) in 1 row .*id = '2'.*'much too"
    ):
        dim.snapshot(2, [(1, "a", 1), (2, "much too long", 1)])
    with pytest.raises(HistoryError, match=r"row with id = '3' does not fit play.dim.*good_grade"):
        dim.snapshot(2, [(1, "a", 1), (2, "a", 2), (3, "a", 10), (4, "a", 4)])
    assert dim.history() == [(7, "a", 1, None)]


def test_untracked_columns_are_overwritten_in_the_version_that_holds(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1), (2, "b", 1)], track=["name"])
    result = dim.snapshot(2, [(1, "a", 5), (2, "B", 5)], track=["name"])
    assert counts(result) == {"rows": 2, "changed": 2}
    assert dim.history("id, name, grade") == [(1, "a", 5, 1, None), (2, "b", 1, 1, 2), (2, "B", 5, 2, None)]
    with pytest.raises(HistoryError, match="id = '1' does not fit"):
        dim.snapshot(3, [(1, "a", 10), (2, "B", 5)], track=["name"])
    with pytest.raises(TableError, match="'shoe' cannot be tracked"):
        dim.snapshot(3, [], track=["shoe"])


def test_an_incomplete_snapshot_says_nothing_of_other_keys(dim: Any) -> None:
    dim.snapshot(1, [(1, "a", 1), (2, "b", 1)], complete=False)
    result = dim.snapshot(3, [(2, "B", 1)], complete=False)
    assert (result.mode, counts(result)) == ("changes", {"rows": 1, "changed": 1})
    dim.snapshot(2, [(1, "A", 1)], complete=False)
    assert dim.history() == [(1, "a", 1, 2), (1, "A", 2, None), (2, "b", 1, 3), (2, "B", 3, None)]
    with pytest.raises(HistoryError, match="kept by changes, and cannot be kept by snapshots"):
        dim.snapshot(4, [])


def test_times_are_cut_to_the_type_of_the_dimension(dim: Any) -> None:
    dim.connection.execute(
        "create table play.daily (id integer, name text, valid_from date not null, valid_to date, "
        "unique (id, valid_from))"
    )
    daily = {"table": "play.daily", "sql": "select id, name from play.source"}
    evening = datetime.fromisoformat("2024-01-02T22:00:00-05:00")  # the 3rd of January in UTC
    dim.snapshot(1, [(1, "a")], as_of=evening, **daily)
    dim.snapshot(1, [(1, "b")], as_of=dim.day(2).replace(hour=9), **daily)
    dim.snapshot(5, [(1, "c")], **daily)
    dim.snapshot(4, [(1, "b"), (2, "x")], **daily)
    rows = dim.connection.execute(
        "select id, name, valid_from::text, valid_to::text from play.daily order by 1, 3"
    ).fetchall()
    assert rows == [
        (1, "b", "2024-01-03", "2024-01-06"),
        (1, "c", "2024-01-06", None),
        (2, "x", "2024-01-05", "2024-01-06"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"as_of": None}, "needs as_of"),
        ({"as_of": datetime(2024, 1, 1)}, "with a time zone, not 2024-01-01T00:00:00"),  # noqa: DTZ001
        ({"effective_at": "at"}, "are for changes"),
        ({"mode": "changes"}, "Changes need effective_at"),
        ({"mode": "changes", "effective_at": "at"}, "Changes need effective_at"),
        ({"mode": "weekly"}, "no mode 'weekly'"),
        ({"key": []}, "empty or names a column twice"),
    ],
)
def test_options_that_do_not_go_together_are_refused(dim: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HistoryError, match=message):
        dim.snapshot(1, [], **options)


def test_an_empty_snapshot_closes_nothing_unless_told(dim: Any) -> None:
    assert dim.snapshot(1, []).rows == 0
    dim.snapshot(2, [(1, "a", 1), (2, "b", 1)])
    with pytest.raises(HistoryError, match=r"is empty, and would close 2 versions of play.dim"):
        dim.snapshot(3, [])
    assert dim.snapshot(3, [], allow_empty=True).deleted == 2
    assert dim.snapshot(3, []).deleted == 0
    assert dim.history() == [(1, "a", 2, 3), (2, "b", 2, 3)]


def test_a_snapshot_as_of_a_time_that_never_comes_is_refused(dim: Any) -> None:
    dim.connection.execute(
        "create table play.other (id integer, name text, grade integer, valid_from timestamp, "
        "valid_to timestamp default '9999-12-31', unique (id, valid_from))"
    )
    last, first = (
        datetime(9999, 12, 31, 5, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
    )
    for complete, message in ((True, "open versions of play.other end before"), (False, "never comes")):
        with pytest.raises(HistoryError, match=message):
            dim.snapshot(0, [(1, "a", 1)], table="play.other", as_of=last, complete=complete)
    dim.snapshot(0, [(1, "a", 1)], table="play.other", as_of=first, complete=False)
    found = dim.connection.execute("select valid_from::text from play.other").fetchone()
    assert found == ("0001-12-31 19:00:00 BC",)

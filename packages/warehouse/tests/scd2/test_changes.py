"""Changes: each row says how its key is from a time on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import HistoryError, StatementError, TableError

pytestmark = pytest.mark.integration


def counts(result: Any) -> dict[str, int]:
    return {name: value for name, value in asdict(result).items() if isinstance(value, int) and value}


def test_many_rows_of_a_key_in_any_order(dim: Any) -> None:
    result = dim.changes([(4, 1), (2, 1, "b"), (6, 1, "c"), (1, 1, "a"), (3, 2, "x"), (5, 2, "x"), (2, 3)])
    assert counts(result) == {
        "rows": 7, "inserted": 2, "changed": 1, "deleted": 1, "reappeared": 1, "unchanged": 2
    }  # fmt: skip
    assert dim.history() == [(1, "a", 1, 2), (1, "b", 2, 4), (1, "c", 6, None), (2, "x", 3, None)]


def test_the_same_batch_again_changes_nothing(dim: Any) -> None:
    batch = [(1, 1, "a"), (2, 1, "a"), (3, 1), (4, 1), (1, 2, "b")]
    dim.changes(batch)
    state = "select ctid::text, dim_key from play.dim order by 2"
    before = dim.connection.execute(state).fetchall()
    assert counts(dim.changes([*batch, *batch])) == {"rows": 10, "unchanged": 10}
    assert dim.connection.execute(state).fetchall() == before


def test_late_changes_take_their_place(dim: Any) -> None:
    dim.changes([(1, 1, "a"), (5, 1, "c")])
    keys = dim.keys()
    assert counts(dim.changes([(3, 1, "b"), (5, 2, "x")])) == {
        "rows": 2,
        "changed": 1,
        "inserted": 1,
        "late": 1,
    }
    assert dim.history() == [(1, "a", 1, 3), (1, "b", 3, 5), (1, "c", 5, None), (2, "x", 5, None)]
    dim.changes([(4, 2, "x")])
    assert dim.history()[-1] == (2, "x", 4, None)
    assert dim.keys()[1, 1] == keys[1, 1]


def test_a_run_that_begins_earlier_keeps_its_surrogate_key(dim: Any) -> None:
    dim.changes([(5, 1, "a")])
    key = dim.keys()[1, 5]
    dim.changes([(2, 1, "a"), (8, 1, "b")])
    assert dim.history() == [(1, "a", 2, 8), (1, "b", 8, None)]
    assert dim.keys()[1, 2] == key


def test_a_repeated_statement_is_remembered_for_what_arrives_between(dim: Any) -> None:
    dim.changes([(1, 1, "a"), (5, 1, "a"), (7, 1), (9, 1)])
    assert dim.history() == [(1, "a", 1, 7)]
    marks = dim.connection.execute(
        "select row_key, is_deletion from ops.scd2_mark order by effective_at"
    ).fetchall()
    assert marks == [([1], False), ([1], True)]
    dim.changes([(3, 1, "b"), (8, 1, "c")])
    assert dim.history() == [(1, "a", 1, 3), (1, "b", 3, 5), (1, "a", 5, 7), (1, "c", 8, 9)]
    assert dim.connection.execute("select count(*) from ops.scd2_mark").fetchone() == (0,)


def test_a_later_statement_for_the_same_time_corrects_the_earlier(dim: Any) -> None:
    dim.changes([(1, 1, "a"), (3, 1, "b"), (5, 1, "c")])
    keys = dim.keys()
    assert counts(dim.changes([(3, 1, "B")])) == {"rows": 1, "changed": 1, "late": 1}
    assert dim.history() == [(1, "a", 1, 3), (1, "B", 3, 5), (1, "c", 5, None)]
    assert dim.keys() == keys
    dim.changes([(3, 1, "c")])
    assert dim.history() == [(1, "a", 1, 3), (1, "c", 3, None)]
    dim.changes([(1, 1)])
    assert dim.history() == [(1, "c", 3, None)]
    dim.changes([(3, 1)])
    dim.changes([(5, 1)])
    assert dim.history() == []


def test_contradictions_are_named(dim: Any) -> None:
    rows = [(1, n, "x") for n in range(1, 8)] + [(1, n, "y") for n in range(1, 7)]
    with pytest.raises(HistoryError, match="6 keys are said to be two things") as caught:
        dim.changes(rows)
    assert "id = '1' at 2024-01-02 00:00:00+00 (name: x / y)" in str(caught.value)
    assert "id = '6'" not in str(caught.value)
    with pytest.raises(HistoryError, match=r"1 key is .*a deletion and none"):
        dim.changes([(1, 1, "x"), (1, 1)])
    assert dim.history() == []


def test_null_times_and_times_that_never_come_are_named(dim: Any) -> None:
    null = {"sql": "select id, name, grade, case when id > 1 then at end as at, gone from play.source"}
    with pytest.raises(HistoryError, match=r"at is null in 1 row of the query, e.g. id = '1'"):
        dim.changes([(1, 1, "a"), (1, 2, "b")], **null)
    never = {"sql": "select id, name, grade, 'infinity'::timestamptz as at, gone from play.source"}
    with pytest.raises(HistoryError, match="never comes: id = '1' at infinity"):
        dim.changes([(1, 1, "a")], **never)


def test_a_time_of_another_type_is_refused(dim: Any) -> None:
    with pytest.raises(
        StatementError, match="of type timestamp with time zone but expression is of type text"
    ):
        dim.changes([], sql="select id, name, grade, at::text as at, gone from play.source")


def test_a_value_that_breaks_a_constraint_is_named(dim: Any) -> None:
    dim.changes([(1, 1, "a"), (5, 1, "b")])
    bad = {"sql": "select id, name, case when id = 2 then 10 end as grade, at, gone from play.source"}
    with pytest.raises(HistoryError, match=r"id = '2' does not fit play.dim.*good_grade"):
        dim.changes([(1, 1, "b"), (2, 2, "x"), (2, 3, "x"), (6, 1, "c")], **bad)
    assert dim.history() == [(1, "a", 1, 5), (1, "b", 5, None)]


def facts(dim: Any, rule: str = "") -> None:
    dim.connection.execute(
        "create table play.fact (n integer, dim_key integer constraint fact_dim references play.dim "
        + rule
        + ")"
    )
    dim.changes([(1, 1, "a"), (3, 1, "b")])
    dim.connection.execute("insert into play.fact select 1, dim_key from play.dim where name = 'b'")


@pytest.mark.parametrize("rule", ["", "on delete restrict", "on delete cascade", "on delete set null"])
def test_a_version_that_facts_refer_to_is_not_removed(dim: Any, rule: str) -> None:
    facts(dim, rule)
    with pytest.raises(HistoryError, match=r"fact_dim[\s\S]*Point the rows that refer to it"):
        dim.changes([(3, 1, "a")])
    assert dim.history() == [(1, "a", 1, 3), (1, "b", 3, None)]
    dim.connection.execute("update play.fact set dim_key = (select min(dim_key) from play.dim)")
    dim.changes([(3, 1, "a")])
    assert dim.history() == [(1, "a", 1, None)]
    assert dim.connection.execute("select count(dim_key) from play.fact").fetchone() == (1,)


def test_a_version_that_facts_refer_to_moves_and_is_corrected(dim: Any) -> None:
    facts(dim)
    dim.changes([(3, 1, "c"), (2, 1, "c")])
    assert dim.history() == [(1, "a", 1, 2), (1, "c", 2, None)]
    found = dim.connection.execute("select name from play.fact join play.dim using (dim_key)").fetchall()
    assert found == [("c",)]


def test_modes_and_keys_are_not_mixed(dim: Any) -> None:
    dim.changes([(1, 1, "a")])
    with pytest.raises(HistoryError, match="kept by changes, and cannot be kept by snapshots"):
        dim.snapshot(2, [])
    dim.connection.execute("alter table play.dim add unique (name, valid_from)")
    with pytest.raises(HistoryError, match="kept by the key id, not by name"):
        dim.changes([(2, 1, "a")], key=["name"])


def test_columns_for_times_and_deletions_must_be_there(dim: Any) -> None:
    with pytest.raises(TableError, match="does not give 'since', 'dead'"):
        dim.changes([], effective_at="since", deleted="dead", sql="select id, name, grade from play.source")


def test_the_time_of_a_change_may_be_a_column_of_the_dimension(dim: Any) -> None:
    dim.connection.execute("alter table play.dim add updated_at timestamptz")
    query = "select id, name, grade, at as updated_at from play.source"
    dim.changes([(1, 1, "a"), (2, 1, "a")], sql=query, effective_at="updated_at", deleted=None)
    assert [(row[-2], row[-1]) for row in dim.history("id, updated_at")] == [(1, 2), (2, None)]
    dim.connection.execute("truncate play.dim; alter table play.dim drop updated_at")
    query = "select id, name, grade, at as valid_from from play.source"
    dim.changes([(1, 1, "a"), (2, 1, "a")], sql=query, effective_at="valid_from", deleted=None)
    assert dim.history() == [(1, "a", 1, None)]


def test_an_emptied_dimension_forgets_its_marks(dim: Any) -> None:
    dim.changes([(1, 1, "a"), (3, 1), (5, 1)])
    dim.connection.execute("truncate play.dim")
    dim.changes([(1, 1, "a")])
    assert dim.history() == [(1, "a", 1, None)]


def test_untracked_values_are_the_last_of_their_version(dim: Any) -> None:
    query = "select id, name, extract(day from at)::integer as grade, at, gone from play.source"
    dim.changes([(1, 1, "a"), (3, 1, "a"), (5, 1, "b")], sql=query, track=["name"])
    assert dim.history("id, name, grade") == [(1, "a", 3, 1, 5), (1, "b", 5, 5, None)]


def test_versions_never_overlap_even_for_a_moment(dim: Any) -> None:
    dim.connection.execute(
        "alter table play.dim add constraint no_overlap exclude using gist "
        "(int4range(id, id, '[]') with =, tstzrange(valid_from, valid_to) with &&)"
    )
    dim.changes([(1, 1, "a"), (5, 1, "b")])
    dim.changes([(3, 1, "b"), (7, 1, "c")])
    assert dim.history() == [(1, "a", 1, 3), (1, "b", 3, 7), (1, "c", 7, None)]


def test_a_failing_query_is_told_with_its_place(dim: Any) -> None:
    with pytest.raises(StatementError, match="<sql>:2:8") as caught:
        dim.changes([], sql="select id,\n       nope from play.source")
    assert isinstance(caught.value.__cause__, psycopg.Error)
    with pytest.raises(StatementError, match="division by zero"):
        dim.changes([(1, 1, "a")], sql="select id, name, 1 / (id - 1) as grade, at, gone from play.source")

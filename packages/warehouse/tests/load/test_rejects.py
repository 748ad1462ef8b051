from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import FileRejectedError, LoadError
from windlass.warehouse.load.file import FileOptions, load_file

pytestmark = pytest.mark.integration

HEADER = "id,name,n\n"


def problems(reject: tuple[int, str, list[dict[str, Any]]]) -> list[tuple[int, int]]:
    return [(item["line"], item["column"]) for item in reject[2]]


def test_good_rows_are_loaded_and_bad_ones_set_aside(loader) -> None:
    content = HEADER + '1,a,1\nx,b,y\n3,"c\nd",3\n4,d\n5,e,5,5\n0,f,6\n7,g,7'

    result = loader.load(content, max_rejects=4)

    assert (result.rows, result.rejected, result.skipped) == (3, 4, False)
    assert [row[0] for row in loader.rows()] == [1, 3, 7]
    rejects = loader.rejects()
    assert [(line, record) for line, record, _ in rejects] == [
        (3, "x,b,y"),
        (6, "4,d"),
        (7, "5,e,5,5"),
        (8, "0,f,6"),
    ]
    assert [problems(reject) for reject in rejects] == [[(3, 1), (3, 5)], [(6, 4)], [(7, 7)], [(8, 1)]]
    assert "check constraint" in rejects[3][2][0]["message"]


def test_rows_that_postgres_skips_in_silence_are_found(loader) -> None:
    """Its notices can be hidden."""
    loader.connection.execute("set client_min_messages = error")
    content = HEADER + "".join(f"{n},a,{'x' if n % 7 == 0 else 1}\n" for n in range(1, 100))
    assert (loader.load(content, max_rejects=20).rows, len(loader.rejects())) == (85, 14)
    assert [line for line, *_ in loader.rejects()] == [n + 1 for n in range(7, 100, 7)]


def test_one_more_than_the_limit_loads_nothing_and_tells_the_first_twenty(loader) -> None:
    content = HEADER + "1,a,1\n" + "x,a,1\n" * 30
    with pytest.raises(FileRejectedError, match=r"More than 29 rows \(max_rejects\) are bad") as caught:
        loader.load(content, max_rejects=29)
    assert [item.line for item in caught.value.problems] == list(range(3, 23))
    assert loader.rows() == loader.rejects() == []
    assert loader.load(content, max_rejects=30).rejected == 30


def test_loading_again_is_skipped_and_tells_both_counts(loader) -> None:
    loader.load(HEADER + "1,a,1\nx,a,1\n", max_rejects=1)
    again = loader.load(HEADER + "1,a,1\nx,a,1\n", "again.csv", max_rejects=1)
    assert (again.rows, again.rejected, again.skipped) == (1, 1, True)
    assert len(loader.rows()) == len(loader.rejects()) == 1


def test_a_file_of_rejects_alone_is_remembered(loader) -> None:
    loader.load(HEADER + "x,a,1\n", max_rejects=1)
    assert loader.load(HEADER + "x,a,1\n", max_rejects=1).skipped


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_load_anew_replaces_the_rejects_of_the_same_content(loader, mode: str) -> None:
    other = HEADER + "5,a,1\ny,a,1\n"
    content = HEADER + "1,a,1\nx,a,1\n"
    for text in (other, content):
        loader.load(text, max_rejects=1)
    loader.connection.execute("truncate staging.item; delete from staging.item")
    loader.connection.execute("alter table staging.item add check (n < 1) not valid")
    loader.connection.execute("alter table staging.item drop constraint item_n_check")

    assert not loader.load(content, max_rejects=1, mode=mode).skipped

    assert sorted(record for _, record, _ in loader.rejects()) == ["x,a,1", "y,a,1"]


def test_rows_that_the_table_refuses_are_found_one_by_one(loader) -> None:
    loader.connection.execute(
        "create table staging.kind (name text primary key); insert into staging.kind values ('a');"
        "alter table staging.item add primary key (id), add foreign key (name) references staging.kind"
    )
    content = HEADER + "1,a,1\n2,b,2\n3,a,3\n1,a,4\n4,c,5\n5,a,6\n"
    assert loader.load(content, max_rejects=3).rejected == 3
    assert [row[0] for row in loader.rows()] == [1, 3, 5]
    messages = {line: told[0]["message"] for line, _, told in loader.rejects()}
    assert 'Key (name)=(b) is not present in table "kind"' in messages[3]
    assert "Key (id)=(1) already exists" in messages[5]
    assert list(messages) == [3, 5, 6]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(loader, end: str, inside: str) -> None:
    long = f'1,"a{inside}b{inside}c",1'
    content = end.join(["id,name,n", long, "x,b,2", long, long, "y,b,2", "3,c,3"])
    assert loader.load(content, max_rejects=2).rejected == 2
    lines = [line for line, *_ in loader.rejects()]
    assert lines == [5, 12]
    assert len(loader.rows()) == 4


def test_bytes_that_are_no_text_are_rejected_with_their_row(loader) -> None:
    content = (HEADER + "1,a,1\n2,").encode() + b"\xe4,2\n3,b\0c,3\n4,d,4\n\\.\n5,e,5\n"
    assert loader.load(content, max_rejects=3).rejected == 3
    assert [(line, record) for line, record, _ in loader.rejects()] == [
        (3, "2,�,2"),
        (4, "3,b�c,3"),
        (6, "\\."),
    ]
    assert "is 'ä'" in loader.rejects()[0][2][0]["message"]
    assert [row[0] for row in loader.rows()] == [1, 4, 5]


def test_a_quote_that_never_ends_hides_an_unknown_number_of_rows_and_is_no_reject(loader) -> None:
    with pytest.raises(FileRejectedError, match=r":3:3: This quote never ends") as caught:
        loader.load(HEADER + '1,a,1\n2,"b,2\n3,c,3\n', max_rejects=1000)
    assert loader.rows() == []
    assert len(caught.value.problems) == 1


def test_a_truncated_last_row_is_rejected_like_any_other(loader) -> None:
    assert loader.load(HEADER + "1,a,1\n2,b", max_rejects=1).rejected == 1
    assert "truncated" in loader.rejects()[0][2][0]["message"]


def test_json_lines_reject_what_is_no_row(loader) -> None:
    good = {"id": 1, "name": "a\nb", "n": 1}
    lines = [
        json.dumps(good),
        "",
        '{"id": 1, "fr',
        json.dumps({**good, "id": "x"}),
        json.dumps({**good, "more": 1}),
        '{"id": 2, "name": "\\ud800", "n": 1}',
        json.dumps({**good, "id": -1}),
        json.dumps({**good, "id": 9}),
    ]
    assert loader.load("\n".join(lines), "item.jsonl", max_rejects=5).rejected == 5
    assert [(line, record) for line, record, _ in loader.rejects()] == [
        (number, lines[number - 1]) for number in (3, 4, 5, 6, 7)
    ]
    assert [row[0] for row in loader.rows()] == [1, 9]


def test_rejects_of_parquet_files_are_told_by_row(loader, parquet) -> None:
    path = parquet(id=list(range(2500)), name=["a\nb"] * 2500, n=[1.5] * 2400 + [99999.0] * 100)
    assert loader.load(path, max_rejects=101).rejected == 101
    rejects = loader.rejects()
    assert [line for line, *_ in rejects] == [1, *range(2401, 2501)]
    assert rejects[1][1] == '2400,"a\nb",99999'
    assert problems(rejects[1]) == [(2401, 3)]
    with pytest.raises(FileRejectedError) as caught:
        loader.load(path, "replace", mode="replace")
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (1, 1)


def test_all_or_nothing_of_a_parquet_file_tells_rows(loader, parquet) -> None:
    with pytest.raises(FileRejectedError) as caught:
        loader.load(parquet(id=[1, 2, 3], name=["a", "b\0", "c"], n=["1", "2", "x"]))
    assert [(item.line, item.column) for item in caught.value.problems] == [(2, 1), (3, 3)]


def test_a_load_within_the_callers_transaction_rejects_as_well(loader) -> None:
    with loader.connection.transaction():
        assert loader.load(HEADER + "1,a,1\nx,a,1\n", max_rejects=1).rejected == 1
    assert len(loader.rejects()) == 1


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes are sent to COPY each time."""
    sizes: list[int] = []
    write = psycopg.Copy.write

    def count(copy: psycopg.Copy, data: bytes) -> None:
        sizes.append(len(data))
        write(copy, data)

    monkeypatch.setattr(psycopg.Copy, "write", count)
    return sizes


@pytest.mark.parametrize("skips", ["PostgreSQL, where it can", "splitting"])
def test_work_grows_with_the_file_not_with_its_bad_rows(loader, sent, skips, monkeypatch) -> None:
    """Rows are sent again and again until the bad ones are told apart: how much is counted."""
    if skips == "splitting":
        monkeypatch.setattr("windlass.warehouse.load.rejects._SKIPS", 10**6)
    content = HEADER + "".join(f"{n},name {n},{'x' if n % 1000 == 0 else 1.5}\n" for n in range(1, 40_001))

    loader.load(content, max_rejects=40)

    assert len(loader.rejects()) == 40
    assert sum(sent) < 6 * len(content)


def test_where_all_rows_are_bad_none_is_sent_often(loader, sent) -> None:
    content = HEADER + "".join(f"{n},ragged\n" for n in range(500))
    assert loader.load(content, max_rejects=500).rejected == 500
    assert sum(sent) < 10 * len(content)


def test_a_value_that_reads_like_a_notice_of_postgres_misleads_nobody(loader) -> None:
    done = loader.load("id,name,n\n1,a,\n2,b,\nfoo at line 2 for column x,c,\n", max_rejects=9)
    assert (done.rows, done.rejected) == (2, 1)
    assert [row[0] for row in loader.rows()] == [1, 2]
    assert [line for line, *_ in loader.rejects()] == [4]


def test_a_name_that_reads_like_a_place_misleads_nobody(loader) -> None:
    loader.connection.execute('create table staging."item, line 2" (id int unique)')
    done = load_file(
        loader.connection,
        file=loader.write("id\n1\n2\n3\n3\n"),
        table='staging."item, line 2"',
        options=FileOptions(max_rejects=9),
    )
    assert (done.rows, done.rejected) == (3, 1)
    assert [line for line, *_ in loader.rejects()] == [5]


@pytest.mark.parametrize("rejects", [0, 9])
def test_rows_that_a_trigger_drops_are_no_loss_in_silence(loader, rejects: int) -> None:
    loader.connection.execute(
        "create function drop_two() returns trigger language plpgsql as "
        "'begin return case when new.id = 2 then null else new end; end';"
        "create trigger guard before insert on staging.item for each row execute function drop_two()"
    )
    assert loader.load(HEADER + '1,"a\n",\n3,c,\n', max_rejects=rejects).rows == 2
    with pytest.raises(LoadError, match=r"1 rows of .* dropped by trigger guard"):
        loader.load(HEADER + "1,a,\n2,b,\n3,c,\n", max_rejects=rejects)
    assert len(loader.rows()) == 2

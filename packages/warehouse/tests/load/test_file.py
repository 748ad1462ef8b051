from __future__ import annotations

import gzip
import json
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import FileProblem, FileRejectedError, LoadError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.file import FileResult, load_file
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            'create schema "My Play"; create table "My Play"."Order" '
            '(id int not null, "from" text, amount numeric(8,2), doc jsonb, '
            "n int generated always as identity, "
            "at timestamptz default now(), doubled int generated always as (id * 2) stored)"
        )
        yield opened


TABLE = '"My Play"."Order"'
HEADER = "id,from,amount,doc\n"


def write(folder: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(connection: Connection, path: Path, **options: Any) -> FileResult:
    return load_file(connection, file=path, table=TABLE, **options)


def rows(connection: Connection) -> list[Any]:
    return connection.execute(
        'select id, "from", amount::text, doc from "My Play"."Order" order by id'
    ).fetchall()


def load_at_once(warehouse: WarehouseDatabase, path: Path) -> list[FileResult]:
    """Load a file over four connections."""
    results: list[FileResult] = []

    def work() -> None:
        with warehouse.connect(autocommit=True) as own:
            results.append(load(own, path))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def problems_of(connection: Connection, path: Path, **options: Any) -> list[tuple[int, int]]:
    with pytest.raises(FileRejectedError) as caught:
        load(connection, path, **options)
    assert rows(connection) == []
    assert connection.execute("select count(*) from ops.loaded_file").fetchone() == (0,)
    return [(item.line, item.column) for item in caught.value.problems]


def test_columns_go_by_name_in_any_order(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, 'amount,"id",doc,from\n1.5,1,"{""a"": 1}","x, ""y""\nz"\n,2,,""\n')

    result = load(connection, path)

    assert rows(connection) == [(1, 'x, "y"\nz', "1.50", {"a": 1}), (2, "", None, None)]
    assert (result.table, result.rows, result.skipped) == ("My Play.Order", 2, False)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_and_the_last_one_do_not_matter(connection: Connection, tmp_path: Path, end: str) -> None:
    newline = end or "\n"
    assert load(connection, write(tmp_path, f"id,from,amount,doc{newline}1,a,1,{end}")).rows == 1


def test_the_same_content_is_loaded_once_under_any_name(connection: Connection, tmp_path: Path) -> None:
    first = load(connection, write(tmp_path, HEADER + "1,a,1,\n"), context=RunContext("d", "r", "t"))
    second = load(connection, write(tmp_path, HEADER + "1,a,1,\n", "again.csv"))

    assert (second.rows, second.skipped, second.sha256) == (1, True, first.sha256)
    assert len(rows(connection)) == 1
    noted = connection.execute(
        "select target_table, file_name, row_count, run_id from ops.loaded_file"
    ).fetchall()
    assert noted == [('"My Play"."Order"', "orders.csv", 1, "r")]


@pytest.mark.parametrize("remove", ["truncate", "delete from"])
def test_a_table_that_was_emptied_gets_its_files_again(
    connection: Connection, tmp_path: Path, remove: str
) -> None:
    one, two = write(tmp_path, HEADER + "1,a,1,\n", "1.csv"), write(tmp_path, HEADER + "2,b,1,\n", "2.csv")
    for path in (one, two):
        load(connection, path)
    connection.execute(f"{remove} {TABLE}")

    assert [load(connection, path).skipped for path in (two, one, two)] == [False, False, True]

    assert [row[0] for row in rows(connection)] == [1, 2]


def test_a_rewritten_table_still_knows_its_files(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "1,a,1,\n")
    load(connection, path)
    connection.execute(f"vacuum full {TABLE}")
    connection.execute(f'alter table {TABLE} alter "from" type varchar(9)')

    assert load(connection, path).skipped
    assert len(rows(connection)) == 1


@pytest.mark.parametrize(
    "change",
    [
        f"delete from {TABLE} where id = 1",
        f"insert into {TABLE} (id) values (9)",
        f"truncate {TABLE}",
        f"update {TABLE} set id = 3 where id = 2",
    ],
)
def test_a_replacing_load_restores_a_table_that_was_changed(
    connection: Connection, tmp_path: Path, change: str
) -> None:
    path = write(tmp_path, HEADER + "1,a,1,\n2,b,1,\n")
    load(connection, path, mode="replace")
    connection.execute(change)

    assert not load(connection, path, mode="replace").skipped
    assert [row[0] for row in rows(connection)] == [1, 2]


def test_a_table_created_again_gets_its_files_again(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, "id\n1\n")
    for _ in range(2):
        connection.execute("drop table if exists staging.again; create table staging.again (id int)")
        connection.execute("insert into staging.again values (9)")
        assert not load_file(connection, file=path, table="staging.again").skipped
        assert load_file(connection, file=path, table="staging.again").skipped


def test_tables_whose_names_read_alike_are_told_apart(connection: Connection, tmp_path: Path) -> None:
    connection.execute(
        'create schema "a.b"; create table "a.b".c (id int); create schema a; create table a."b.c" (id int);'
        'insert into "a.b".c values (9); insert into a."b.c" values (9)'
    )
    path = write(tmp_path, "id\n1\n")
    for table in ('"a.b".c', 'a."b.c"'):
        assert not load_file(connection, file=path, table=table).skipped
    load_file(connection, file=path, table='"a.b".c', mode="replace")
    assert load_file(connection, file=path, table='a."b.c"').skipped


def test_names_may_hold_a_percent_sign(connection: Connection, tmp_path: Path) -> None:
    connection.execute('create domain "t%s" as int; create table staging."%s 5%" ("%(x)s" "t%s")')
    path = write(tmp_path, '"%(x)s"\n1\n')
    for mode in ("append", "replace"):
        assert load_file(connection, file=path, table='staging."%s 5%"', mode=mode).rows == 1  # type: ignore[arg-type]
    with pytest.raises(FileRejectedError, match=":2:1: 'x' is not"):
        load_file(connection, file=write(tmp_path, '"%(x)s"\nx\n'), table='staging."%s 5%"')


def test_what_is_no_regular_file_is_refused_at_once(connection: Connection, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "link.csv", "folder.csv"):
        with pytest.raises(FileRejectedError, match="not a regular file"):
            load(connection, tmp_path / name)


def test_loads_after_emptying_at_once_load_once(
    connection: Connection, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    path = write(tmp_path, HEADER + "".join(f"{n},a,1,\n" for n in range(2000)))
    load(connection, path)
    connection.execute(f"truncate {TABLE}")

    results = load_at_once(warehouse, path)

    assert sorted(result.skipped for result in results) == [False, True, True, True]
    assert len(rows(connection)) == 2000


def test_two_loads_of_one_file_at_once_load_it_once(
    connection: Connection, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    path = write(tmp_path, HEADER + "".join(f"{n},a,1,\n" for n in range(2000)))

    results = load_at_once(warehouse, path)

    assert sorted(result.skipped for result in results) == [False, True, True, True]
    assert {result.rows for result in results} == {2000}
    assert len(rows(connection)) == 2000


def test_replacing_loads_leave_the_last_file(connection: Connection, tmp_path: Path) -> None:
    one, two = write(tmp_path, HEADER + "1,a,1,\n", "1.csv"), write(tmp_path, HEADER + "2,b,1,\n", "2.csv")
    for path in (one, two, one):
        assert not load(connection, path, mode="replace").skipped
    assert [row[0] for row in rows(connection)] == [1]
    load(connection, two)
    assert not load(connection, one, mode="replace").skipped
    assert [row[0] for row in rows(connection)] == [1]


def test_all_problems_are_told_at_their_places(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + 'x,a,1,\n2,"a\nb",12345678.00,{\n3,a,1\n4,a,1,,5\n,a,1,\n6,"a')
    assert problems_of(connection, path) == [(2, 1), (4, 4), (4, 16), (5, 6), (6, 8), (7, 1), (8, 3)]


def test_a_problem_names_file_line_column_and_value(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "1,a,x,\n")
    with pytest.raises(FileRejectedError) as caught:
        load(connection, path)
    assert f"{path}:2:5: 'x' is not a numeric(8,2) (amount)." in str(caught.value)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == (FileProblem(2, 5, "'x' is not a numeric(8,2) (amount)."),)


def test_twenty_problems_are_enough(connection: Connection, tmp_path: Path) -> None:
    assert len(problems_of(connection, write(tmp_path, HEADER + "x,a,1,\n" * 50))) == 20


@pytest.mark.parametrize(
    ("content", "place", "told"),
    [
        ("", (1, 1), "empty"),
        ('"id,from', (1, 1), "first line"),
        ("id,from,amount,doc,more\n", (1, 20), "unknown"),
        ("id,from,amount\n", (1, 1), "'doc' of My Play.Order is missing"),
        ("id,from,amount,doc,id\n", (1, 20), "twice"),
        ("id,from,amount,doc,doubled\n", (1, 20), "fills column 'doubled' itself"),
        (HEADER.encode() + "1,ä,x,\n".encode("latin-1"), (2, 3), "Windows-1252 or Latin-1 it is 'ä'"),
        (HEADER.encode() + b"1,a\0b,1,\n", (2, 4), "NUL"),
        (gzip.compress(HEADER.encode(), mtime=0), (1, 1), "compressed by gzip"),
        ((HEADER + "1,a,1,\n").encode("utf-16"), (1, 1), "UTF-16"),
        (HEADER + "1,a,1,\n\\.\n2,a,1,\n", (3, 1), "ends the data"),
        (HEADER + "1,a,1,\n\n", (3, 1), "1 values for 4"),
        (HEADER + "1,a,1,\r2,b,1,\n", (2, 1), "."),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    connection: Connection, tmp_path: Path, content: str | bytes, place: tuple[int, int], told: str
) -> None:
    path = write(tmp_path, content)
    assert place in problems_of(connection, path) or told == "."
    with pytest.raises(FileRejectedError) as caught:
        load(connection, path)
    assert told in str(caught.value)


def test_a_row_the_table_refuses_is_told_with_its_line(connection: Connection, tmp_path: Path) -> None:
    connection.execute('alter table "My Play"."Order" add check (id > 0)')
    path = write(tmp_path, HEADER + "1,a,1,\n0,a,1,\n")
    assert problems_of(connection, path) == [(3, 1)]


def test_json_lines_keep_every_digit_and_nested_values(connection: Connection, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"id": 1, "from": "a\\tb\\\\", "amount": 123456.78, "doc": {"n": [1.10, true, null]}}\n\n'
        '{"doc": null, "from": null, "amount": "2", "id": 2}',
        "orders.jsonl",
    )
    assert load(connection, path).rows == 2
    assert [row[:3] for row in rows(connection)] == [(1, "a\tb\\", "123456.78"), (2, None, "2.00")]
    assert connection.execute('select doc::text from "My Play"."Order" where id = 1').fetchone() == (
        '{"n": [1.10, true, null]}',
    )


def test_all_problems_of_json_lines_are_told(connection: Connection, tmp_path: Path) -> None:
    good = {"id": 1, "from": "a", "amount": 1, "doc": None}
    lines = [
        json.dumps(good),
        json.dumps({**good, "id": "x"}),
        json.dumps({**good, "more": 1}),
        '{"id": 1, "from": "a", "amount": 1}',
        "[1]",
        '{"id": 1, "id": 2}',
        '{"id": NaN}',
        json.dumps({**good, "amount": True}),
        '{"id": 1, "fr',
    ]
    path = write(tmp_path, "\n".join(lines), "orders.ndjson")
    places = problems_of(connection, path)
    assert [line for line, _ in places] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert places[1] == (3, lines[2].index('"more"') + 1)
    assert places[4] == (6, lines[5].rindex('"id"') + 1)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("[1]", ":1:1: Not an object."),
        ('{"id": nope}', ":1:8: Not JSON"),
        ('{"id": 1, "id": 2}', ":1:11: Key 'id' is there twice."),
        ("   ", ":1:1: The file has no object."),
    ],
)
def test_a_bad_first_line_of_json_lines_is_told_as_any_other(
    connection: Connection, tmp_path: Path, first: str, told: str
) -> None:
    with pytest.raises(FileRejectedError) as caught:
        load(connection, write(tmp_path, first + "\n", "orders.jsonl"))
    assert told in str(caught.value)


@pytest.mark.parametrize("depth", [2_000, 100_000])
@pytest.mark.parametrize("first", [False, True])
def test_nesting_too_deep_to_be_read_is_a_problem_of_its_line(
    connection: Connection, tmp_path: Path, depth: int, first: bool
) -> None:
    good = '{"id": 1, "from": null, "amount": null, "doc": null}\n'
    deep = '{"id": 1, "from": null, "amount": null, "doc": ' + "[" * depth + "]" * depth + "}\n"
    path = write(tmp_path, deep if first else good + deep, "orders.jsonl")
    with pytest.raises(FileRejectedError, match="nested deeper") as caught:
        load(connection, path)
    assert [item.line for item in caught.value.problems] == [2 - first]


def test_a_value_before_a_broken_json_line_is_told_too(connection: Connection, tmp_path: Path) -> None:
    good = '{"id": 1, "from": null, "amount": null, "doc": null}\n'
    path = write(tmp_path, good * 5 + good.replace("1", '"x"') + good * 5 + "[1]\n", "orders.jsonl")
    assert problems_of(connection, path) == [(6, 2), (12, 1)]


LARGE = 250_000


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('0,"a,1,\n' + '1,"some text",12.34,"{}"\n' * LARGE, (2, 1)),
        ('1,"some text",12.34,"{}"\n' * LARGE + "1,a,x,\n", (LARGE + 2, 5)),
        ('1,"some text",12.34,"{}"\n' * LARGE + '1,"a', (LARGE + 2, 3)),
        ("1,a,x,\n" + '1,"some text",12.34,"{}"\n' * LARGE, (2, 5)),
    ],
    ids=["open quote first", "bad value last", "open quote last", "bad value first"],
)
def test_the_problem_of_a_large_file_is_found_soon(
    connection: Connection, tmp_path: Path, content: str, place: tuple[int, int]
) -> None:
    path = write(tmp_path, HEADER + content)
    assert seconds(lambda: problems_of(connection, path) == [place] or pytest.fail("elsewhere")) < 3


def test_a_long_record_hides_no_problem_behind_it(connection: Connection, tmp_path: Path) -> None:
    long = "\n".join(["x" * 99] * 20_000)
    path = write(tmp_path, HEADER + f'1,"{long}",1,\n2,"{long}",1,{{\n3,a,x,\n')
    (line,) = {line for line, _ in problems_of(connection, path)} - {20_001, 40_001}
    assert line == 40_002


def test_a_triggers_error_is_told_with_the_line_of_the_file(connection: Connection, tmp_path: Path) -> None:
    connection.execute(
        f"create function refuse() returns trigger language plpgsql as $$ begin\n\n\n\n\n\n\n\n"
        f"if new.id = 2 then raise data_exception; end if; return new; end $$;"
        f"create trigger refuse before insert on {TABLE} for each row execute function refuse()"
    )
    assert problems_of(connection, write(tmp_path, HEADER + "1,a,1,\n2,a,1,\n")) == [(3, 1)]


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("orders.txt", {}, "format"),
        ("missing.csv", {}, "No such file"),
        ("orders.csv", {"table": "nope"}, "no table"),
    ],
)
def test_a_load_that_cannot_start_says_why(
    connection: Connection, tmp_path: Path, name: str, options: dict[str, Any], told: str
) -> None:
    write(tmp_path, HEADER)
    if name.startswith("orders"):
        write(tmp_path, HEADER, name)
    with pytest.raises(LoadError, match=told) as caught:
        load_file(connection, **{"file": tmp_path / name, "table": TABLE, **options})
    assert caught.value.advice


def test_the_format_can_be_given(connection: Connection, tmp_path: Path) -> None:
    assert load(connection, write(tmp_path, HEADER + "1,a,1,\n", "orders.txt"), format="csv").rows == 1


def test_a_file_that_grows_while_it_is_read_is_not_loaded(
    connection: Connection, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    path = write(tmp_path, HEADER + "1,a,1,\n")
    with warehouse.connect() as other:
        other.execute('lock table "My Play"."Order"')
        failures: list[LoadError] = []

        def work() -> None:
            with warehouse.connect(autocommit=True) as own, pytest.raises(LoadError) as caught:
                load(own, path)
            failures.append(caught.value)

        thread = threading.Thread(target=work)
        thread.start()
        waiting = (
            "select count(*) from pg_stat_activity "
            "where wait_event_type = 'Lock' and datname = current_database()"
        )
        while connection.execute(waiting).fetchone() == (0,):
            assert thread.is_alive()
        with path.open("a") as file:
            file.write("2,b,2,\n")
        other.rollback()
        thread.join()
    assert "changed while it was read" in str(failures[0])
    assert rows(connection) == []


def test_a_lost_server_is_told_and_the_next_load_succeeds(
    connection: Connection, warehouse: WarehouseDatabase, tmp_path: Path
) -> None:
    path = write(tmp_path, HEADER + "1,a,1,\n")
    with warehouse.connect(autocommit=True) as doomed:
        connection.execute("select pg_terminate_backend(%s, 5000)", [doomed.info.backend_pid])
        with pytest.raises(LoadError, match="Nothing was loaded"):
            load(doomed, path)
    assert load(connection, path).rows == 1


def test_a_long_load_tells_how_far_it_is(connection: Connection, tmp_path: Path) -> None:
    from structlog.testing import capture_logs

    from windlass.warehouse.load.file import _Seen
    from windlass.warehouse.load.ledger import FileEntry
    from windlass.warehouse.load.table import describe_table

    entry = FileEntry(describe_table(connection, TABLE), tmp_path / "f.csv", "", RunContext())
    with capture_logs() as events:
        seen = _Seen(entry, every=0.0)
        seen(b"abc")
        _Seen(entry)(b"abc")
    assert [(event["event"], event["bytes_read"]) for event in events] == [("file_loading", 3)]
    assert events[0]["table"] == "My Play.Order"

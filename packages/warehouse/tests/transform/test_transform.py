from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import LoadError, ParameterError, StatementError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.testing.server import WarehouseDatabase
from windlass.warehouse.transform import StatementResult, query, transform

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute("create table play (n int, word text)")
        yield opened


def test_all_statements_run_in_order_and_tell_their_rows(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "play.sql"
    path.write_text(
        "-- ; not the end\ninsert into play select n, 'w;' || n from generate_series(1, 3) as n; ;\n"
        "/* /* ; */ */ update play set word = E'it\\'s;' where n > 1;\n"
        "create function f() returns int begin atomic select 1; select case when true then 2 end; end;\n"
        "do $x$ begin perform 1; end $x$;\n"
        'select n as "N;", word, 5 % 3 as rest from play order by n;\n'
    )

    result = transform(connection, sql_file=path)

    assert result.statements == (
        StatementResult(3, "INSERT"),
        StatementResult(2, "UPDATE"),
        StatementResult(0, "CREATE FUNCTION"),
        StatementResult(0, "DO"),
        StatementResult(3, "SELECT"),
    )
    assert result.result[1] == {"N;": 2, "word": "it's;", "rest": 2}


def test_a_failing_statement_undoes_the_others_and_tells_its_place(
    connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "play.sql"
    path.write_text("insert into play values (1);\n\nselect %(long)s,\n\tn + wrod from play;\n")

    with pytest.raises(StatementError) as caught:
        transform(connection, sql_file=path, parameters={"long": "x" * 300})

    assert (caught.value.line, caught.value.column, caught.value.sqlstate) == (4, 6, "42703")
    assert str(caught.value).splitlines()[1:3] == ["    4 |  n + wrod from play;", "      |      ^"]
    assert f"{path}:4:6: column" in str(pickle.loads(pickle.dumps(caught.value)))
    assert connection.execute("select count(*) from play").fetchone() == (0,)


def test_an_error_without_a_position_points_at_its_statement(connection: Connection) -> None:
    with pytest.raises(StatementError, match=r"<sql>:2:2: division by zero"):
        transform(connection, sql="select 1;\n select n / 0 from generate_series(1, 2) as n")


def test_parameters_are_bound_and_never_pasted(connection: Connection) -> None:
    evil = "'; drop table play; --"
    values = {
        "evil": evil,
        "day": dt.date(2024, 2, 29),
        "list": [1, 2],
        "object": {"a": "'"},
        "minus": -1,
        "none": None,
    }
    result = transform(
        connection,
        sql="comment on table play is %(evil)s; "
        "select %(evil)s as e, %(day)s + 1 as d, %(list)s as l, %(object)s -> 'a' as o, 1-%(minus)s as "
        "m, %(none)s as n",
        parameters=values,
    )
    assert result.result == ({"e": evil, "d": "2024-03-01", "l": [1, 2], "o": "'", "m": 2, "n": None},)
    assert connection.execute("select obj_description('play'::regclass)").fetchone() == (evil,)


def test_the_tasks_identity_is_always_there(connection: Connection) -> None:
    run = RunContext("d", "r", "t", 3, 2, dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number", "logical_date")
    (row,) = transform(
        connection, sql="select " + ", ".join(f"%({n})s as {n}" for n in names), context=run
    ).result
    assert list(row.values()) == ["d", "r", "t", 3, 2, "2024-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("sql", "parameters", "error", "told"),
    [
        ("select\n%(nope)s", {}, StatementError, r"<sql>:2:1: Parameter 'nope' has no value"),
        ("select 1", {"spare": 1}, ParameterError, "'spare' is given but <sql> does not use it"),
        ("select %(run_id)s", {"run_id": 1}, ParameterError, "always bound"),
        ("select '%(a)s'", {"a": 1}, StatementError, "inside quotes"),
        ("select $$%(a)s$$", {"a": 1}, StatementError, "inside quotes"),
        ("select %(a)s", {"a": object()}, ParameterError, "'a' cannot be bound"),
        ("select 1; Commit", {}, StatementError, r"<sql>:1:11: COMMIT is refused"),
        ("select 'a", {}, StatementError, "<sql>:1:8: This quote never ends"),
        ('select "a', {}, StatementError, "<sql>:1:8: This quote never ends"),
        ("select $a$ $b$", {}, StatementError, "<sql>:1:8: This dollar quote never ends"),
        ("select 1 /* /* */", {}, StatementError, "<sql>:1:10: This comment never ends"),
        ("select * from nope", {}, StatementError, "windlass-warehouse status"),
        ("select n from generate_series(1, 101) as n", {}, LoadError, "more than 100 rows"),
        ("select 'infinity'::timestamptz as t", {}, LoadError, "Cast it to text"),
    ],
)
def test_what_cannot_run_says_what_to_do(
    connection: Connection, sql: str, parameters: dict[str, Any], error: type[LoadError], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        transform(connection, sql=sql, parameters=parameters)
    assert caught.value.advice or told in str(caught.value)
    assert connection.execute("select 1").fetchone() == (1,)


def test_results_are_values_of_json(connection: Connection) -> None:
    (row,) = transform(
        connection,
        sql="select 1.50 as a, 2.00 as b, 'NaN'::numeric as c, 1e-400::numeric as d, "
        "'Infinity'::float8 as e, "
        "interval '1 minute' as f, gen_random_uuid() as g, '{\"x\": [1.5]}'::jsonb as h, 0.1::float8 as i, "
        "'\\x01'::bytea as j",
    ).result
    assert (row["a"], row["b"], row["c"], row["e"], row["f"], row["i"]) == (1.5, 2, "NaN", "inf", 60.0, 0.1)
    assert row["d"].endswith("1E-400")
    assert len(row["g"]) == 36
    assert row["h"] == {"x": [1.5]}
    assert row["j"] == "b'\\x01'"


@pytest.mark.parametrize("sql", ["", " -- nothing\n;;"])
def test_a_text_without_a_statement_is_refused(connection: Connection, sql: str) -> None:
    with pytest.raises(StatementError, match="<sql> has no statement"):
        transform(connection, sql=sql)


@pytest.mark.parametrize(
    "rest", ["from stdin", "From\n STDIN with (format csv)", "(n) to stdout", "to stdin"]
)
def test_copy_through_the_client_is_refused_before_anything_runs(connection: Connection, rest: str) -> None:
    with pytest.raises(StatementError, match=r"<sql>:2:1: COPY") as caught:
        transform(connection, sql=f"insert into play values (1);\ncopy play {rest}")
    assert "load_file" in caught.value.advice
    assert connection.execute("select count(*) from play").fetchone() == (0,)


def test_copy_within_the_server_is_none_of_that(connection: Connection, tmp_path: Path) -> None:
    connection.execute("create table stdin (n int)")
    result = transform(connection, sql="copy (select n from stdin) to program 'cat >/dev/null'")
    assert result.statements == (StatementResult(0, "COPY"),)


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), (b"select '\xe4'", "not UTF-8: byte 8 is 0xe4")]
)
def test_a_file_that_cannot_be_read_is_told(
    connection: Connection, tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "play.sql"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoadError, match=told):
        transform(connection, sql_file=path)


def test_exactly_one_of_text_and_file_is_needed(connection: Connection) -> None:
    for given in ({}, {"sql": "select 1", "sql_file": "x"}):
        with pytest.raises(LoadError, match="Exactly one"):
            transform(connection, **given)


def test_a_query_hands_its_rows_on(connection: Connection) -> None:
    rows = query(
        connection, sql="select n, n / 4.0 as q from generate_series(1, %(n)s::int) as n", parameters={"n": 2}
    )
    assert rows == ({"n": 1, "q": 0.25}, {"n": 2, "q": 0.5})
    assert query(connection, sql="select 1 as one where false") == ()
    assert query(connection, sql="table pg_am limit 0; -- no more") == ()
    with pytest.raises(LoadError, match="returns more than 3 rows"):
        query(connection, sql="select generate_series(1, 10000000)", max_rows=3)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("insert into t values (1)", 'syntax error at or near "insert"'),
        ("with w as (insert into t values (1) returning *) select * from w", "data-modifying"),
        ("select 1;\nselect 2", "One query is needed here, and there are 2"),
        ("select\n  nope from t", 'column "nope" does not exist'),
        ("select pg_temp.write()", "read-only transaction"),
    ],
)
def test_a_query_only_reads(connection: Connection, sql: str, message: str) -> None:
    connection.execute(
        "create table t (a int);"
        "create function pg_temp.write() returns int language sql "
        "as 'insert into public.t values (1); select 1'"
    )
    with pytest.raises(StatementError, match=message) as caught:
        query(connection, sql=sql)
    if "nope" in sql:
        assert "2:3" in str(caught.value)
    assert connection.execute("select count(*) from t").fetchone() == (0,)

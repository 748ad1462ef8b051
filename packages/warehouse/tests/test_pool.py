"""A pool opens few connections for many callers, and replaces those that break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from windlass.warehouse.errors import ConnectionFailedError, ServerUnreachableError
from windlass.warehouse.pool import connection_pool

pytestmark = pytest.mark.integration


def backend(pool) -> int:
    with pool.connection() as connection:
        return connection.info.backend_pid


def test_many_callers_share_few_connections(warehouse):
    with connection_pool(warehouse.dsn, size=2) as pool, ThreadPoolExecutor(8) as threads:
        used = set(threads.map(lambda _: backend(pool), range(40)))
        assert len(used) <= 2
    with warehouse.connect() as connection:
        open_ = "select count(*) from pg_stat_activity where pid = any(%s)"
        assert connection.execute(open_, [list(used)]).fetchone() == (0,)


def test_callers_at_once_have_connections_of_their_own(warehouse):
    together = Barrier(3)

    def borrow(pool) -> int:
        with pool.connection() as connection:
            together.wait(20)
            return connection.info.backend_pid

    with connection_pool(warehouse.dsn, size=3) as pool, ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(borrow, [pool] * 3))) == 3


def test_what_a_caller_leaves_open_is_rolled_back(warehouse):
    with connection_pool(warehouse.dsn, size=1) as pool:
        with pool.connection() as connection:
            connection.execute("create table public.left_behind ()")
            connection.execute("begin")
            connection.execute("drop table public.left_behind")
        with pool.connection() as connection:
            assert connection.execute("select count(*) from public.left_behind").fetchone() == (0,)


def test_a_connection_that_broke_is_replaced(warehouse):
    with connection_pool(warehouse.dsn, size=1) as pool:
        first = backend(pool)
        with warehouse.connect(autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 10000)", [first])
        assert backend(pool) != first


def test_a_caller_that_waits_too_long_is_told_what_is_busy(warehouse):
    with connection_pool(warehouse.dsn, size=1, timeout=0.1) as pool, pool.connection():
        with pytest.raises(ConnectionFailedError, match="1 of 1 are open") as waited, pool.connection():
            pass
        assert "make the pool larger" in waited.value.advice


def test_a_server_that_is_not_there_is_told_at_once():
    with pytest.raises(ServerUnreachableError), connection_pool("host=127.0.0.1 port=1 dbname=x"):
        pass


def test_an_exception_gives_the_connection_back(warehouse):
    def fail(pool) -> None:
        with pool.connection() as connection:
            connection.execute("select 1 / 0")

    with connection_pool(warehouse.dsn, size=1, timeout=2) as pool:
        with pytest.raises(psycopg.errors.DivisionByZero):
            fail(pool)
        assert backend(pool)


def test_what_a_borrower_left_in_its_session_does_not_reach_the_next(warehouse):
    def open_connection() -> psycopg.Connection:
        connection = warehouse.connect(autocommit=True)
        connection.execute("set application_name to 'sweeper'; set datestyle to 'ISO, DMY'")
        return connection

    with connection_pool(size=1, open_connection=open_connection) as pool:
        with pool.connection() as left:
            for _ in range(9):
                left.execute("select 1")  # prepared by now
            left.execute("set search_path to ops; set statement_timeout to '1s'; set datestyle to 'German'")
            left.execute("create temporary table leftover (a integer); select pg_advisory_lock(4711)")
            left.execute("set application_name to 'other'")
            left.autocommit = False
            left.row_factory = psycopg.rows.dict_row
            left.commit()
        with pool.connection() as found:
            assert found is left
            assert found.autocommit
            asked = "select current_setting('search_path'), current_setting('statement_timeout')"
            assert found.execute(asked).fetchone() == ('"$user", public', "0")
            asked = "select current_setting('application_name'), current_setting('datestyle')"
            assert found.execute(asked).fetchone() == ("sweeper", "ISO, DMY")
            locks = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
            asked = f"select to_regclass('leftover'), ({locks})"
            assert found.execute(asked).fetchone() == (None, 0)
            assert found.execute("select 1").fetchone() == (1,)

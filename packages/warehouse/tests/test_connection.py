"""Connecting: each failure a user can act on says so, and no password gets out."""

from __future__ import annotations

import pickle
import socket
import traceback
from datetime import UTC, date, datetime

import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from windlass.warehouse.connection import DSN_VARIABLE, connect, mask_dsn, resolve_dsn, translated_privileges
from windlass.warehouse.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DatabaseMissingError,
    InvalidDsnError,
    PermissionDeniedError,
    ServerUnreachableError,
)

SECRET = "hunter2-hunter2"


def _everything_shown(error: BaseException) -> str:
    return (
        "".join(traceback.format_exception(error))
        + repr(error)
        + repr(vars(error))
        + str(pickle.dumps(error))
    )


@pytest.mark.unit
class TestDsn:
    def test_the_given_dsn_wins_over_the_environment(self, monkeypatch):
        monkeypatch.setenv(DSN_VARIABLE, "host=elsewhere")
        assert resolve_dsn("host=here") == "host=here"
        assert resolve_dsn() == "host=elsewhere"

    @pytest.mark.parametrize("value", [None, "", "   "])
    def test_no_dsn_at_all_says_where_to_give_one(self, monkeypatch, value):
        monkeypatch.delenv(DSN_VARIABLE, raising=False)
        with pytest.raises(InvalidDsnError, match="--dsn or WINDLASS_WAREHOUSE_DSN"):
            resolve_dsn(value)

    @pytest.mark.parametrize(
        "dsn",
        [
            f"postgresql://etl:{SECRET}@[::1/warehouse",
            f"host=h passwrod={SECRET}",
            f"password={SECRET} {SECRET}",
            f"password='{SECRET}",
            SECRET,
        ],
    )
    def test_an_unreadable_dsn_is_refused_without_showing_it(self, dsn):
        with pytest.raises(InvalidDsnError, match="cannot be read") as caught:
            resolve_dsn(dsn)
        assert SECRET not in _everything_shown(caught.value)

    @pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "5432,x"])
    def test_an_impossible_port_is_refused(self, port):
        with pytest.raises(InvalidDsnError, match="no valid port"):
            resolve_dsn(f"host=h port={port}")

    @pytest.mark.parametrize(
        "dsn",
        [
            f"postgresql://etl:{SECRET}@h:5432/warehouse?sslpassword={SECRET}",
            f"host=h user=etl password={SECRET} dbname=warehouse",
        ],
    )
    def test_masking_hides_secrets_and_keeps_the_rest(self, dsn):
        masked = mask_dsn(dsn)
        assert SECRET not in masked
        assert conninfo_to_dict(masked)["password"] == "***"
        assert conninfo_to_dict(masked)["user"] == "etl"

    def test_masking_what_cannot_be_read_shows_nothing(self):
        assert SECRET not in mask_dsn(f"password='{SECRET}")


@pytest.mark.unit
class TestUnreachable:
    @pytest.fixture
    def silent_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            yield taken.getsockname()[1]

    def test_a_closed_port_is_named(self, silent_port):
        with pytest.raises(ServerUnreachableError, match=f"127.0.0.1, port {silent_port}"):
            connect(f"host=127.0.0.1 port={silent_port} user=u dbname=d password={SECRET}")

    def test_a_host_that_does_not_exist_is_named(self):
        with pytest.raises(ServerUnreachableError, match=r"nowhere\.invalid"):
            connect("host=nowhere.invalid user=u dbname=d connect_timeout=5")

    def test_a_folder_without_a_socket_is_unreachable(self, tmp_path):
        with pytest.raises(ServerUnreachableError):
            connect(make_conninfo("", host=str(tmp_path), user="u", dbname="d"))

    def test_a_server_that_never_answers_is_given_up(self):
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            dsn = f"host=127.0.0.1 port={mute.getsockname()[1]} user=u dbname=d"
            with pytest.raises(ServerUnreachableError):
                connect(dsn, connect_timeout=2)

    def test_neither_password_nor_drivers_error_travels_along(self, silent_port):
        with pytest.raises(ConnectionFailedError) as caught:
            connect(f"host=127.0.0.1 port={silent_port} password={SECRET} user=u dbname=d")
        assert SECRET not in _everything_shown(caught.value)
        assert caught.value.__context__ is None

    def test_a_parameter_with_an_impossible_value_is_a_bad_dsn(self, silent_port):
        with pytest.raises(InvalidDsnError, match="sslmode"):
            connect(f"host=127.0.0.1 port={silent_port} user=u dbname=d sslmode=sometimes")


@pytest.mark.integration
class TestServerRefuses:
    def test_wrong_password(self, warehouse_server):
        dsn = make_conninfo(warehouse_server.dsn(), password=SECRET)
        with pytest.raises(AuthenticationError, match="does not accept user 'windlass'") as caught:
            connect(dsn)
        assert SECRET not in _everything_shown(caught.value)

    def test_unknown_user(self, warehouse_server):
        with pytest.raises(AuthenticationError, match="user 'stranger'"):
            connect(make_conninfo(warehouse_server.dsn(), user="stranger"))

    def test_missing_database(self, warehouse_server):
        with pytest.raises(DatabaseMissingError, match="no database 'nowhere'") as caught:
            connect(warehouse_server.dsn("nowhere"))
        assert "createdb nowhere" in caught.value.advice

    def test_database_that_the_user_may_not_enter(self, warehouse, limited_role):
        with warehouse.connect(autocommit=True) as connection:
            connection.execute("revoke connect on database " + warehouse.name + " from public")
        with pytest.raises(PermissionDeniedError, match=f"may not connect to database '{warehouse.name}'"):
            connect(limited_role(warehouse.dsn))

    def test_another_refusal_is_told_as_the_server_tells_it(self, warehouse):
        with warehouse.connect(autocommit=True) as connection:
            connection.execute(f"alter database {warehouse.name} connection limit 0")
            connection.execute("create role crowded login password 'x'")
            try:
                with pytest.raises(ConnectionFailedError, match="too many connections") as caught:
                    connect(make_conninfo(warehouse.dsn, user="crowded", password="x"))
                assert caught.value.code == "WWH100"
            finally:
                connection.execute("drop role crowded")

    def test_a_refused_privilege_says_what_to_do(self, warehouse, limited_role):
        with connect(limited_role(warehouse.dsn)) as connection:
            expected = pytest.raises(PermissionDeniedError, match="while counting: permission denied")
            with expected as caught, translated_privileges("counting"):
                connection.execute("select count(*) from warehouse.fact_sales")
            assert "granted" in caught.value.advice


@pytest.mark.integration
def test_a_session_carries_the_name_of_its_program(warehouse):
    query = "select current_setting('application_name')"
    with connect(warehouse.dsn, application_name="nightly") as connection:
        assert connection.execute(query).fetchone() == ("nightly",)
    with connect(make_conninfo(warehouse.dsn, application_name="mine")) as connection:
        assert connection.execute(query).fetchone() == ("mine",)


@pytest.mark.integration
def test_autocommit_is_asked_for(warehouse):
    with connect(warehouse.dsn, autocommit=True) as connection:
        assert connection.autocommit
    with connect(warehouse.dsn) as connection:
        assert not connection.autocommit


@pytest.mark.integration
@pytest.mark.parametrize("autocommit", [False, True])
def test_text_and_dates_come_as_python_ones_whatever_the_environment_says(warehouse, monkeypatch, autocommit):
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    monkeypatch.setenv("PGDATESTYLE", "German")
    # An ordinary DSN inherits the variables.
    address = ("host", "port", "dbname", "user", "password")
    parameters = conninfo_to_dict(warehouse.dsn)
    dsn = make_conninfo("", **{key: parameters[key] for key in address})
    with connect(dsn, autocommit=autocommit) as connection:
        assert connection.info.transaction_status is pq.TransactionStatus.IDLE
        row = connection.execute("select 'é'::text, date '2026-02-01', timestamptz '2026-02-01Z'").fetchone()
        assert row == ("é", date(2026, 2, 1), datetime(2026, 2, 1, tzinfo=UTC))
        connection.rollback()
        assert connection.execute("show datestyle").fetchone()[0].startswith("ISO")


@pytest.mark.integration
def test_an_ordinary_dsn_takes_from_the_environment_what_it_leaves_open(warehouse, monkeypatch):
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    parameters = conninfo_to_dict(warehouse.dsn)
    monkeypatch.setenv("PGPASSWORD", parameters["password"])
    dsn = make_conninfo("", **{key: parameters[key] for key in ("host", "port", "dbname", "user")})
    with connect(dsn) as connection:
        assert connection.execute("show timezone").fetchone() == ("Asia/Tokyo",)

"""A scratch database to apply migrations into: on the same server if allowed, else on an embedded one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from windlass.warehouse.connection import connect, resolve_dsn
from windlass.warehouse.errors import MissingExtraError, ScratchError
from windlass.warehouse.migrations.ledger import Connection

__all__ = ["Scratch", "scratch_database"]

_PREFIX = "windlass_check_"
_APPLICATION = "windlass-warehouse check"

_MAY_CREATE = """
select (rolcreatedb or rolsuper) and not pg_is_in_recovery()
from pg_roles where rolname = current_user
"""
# As JSON, because the locale's column has another name since version 17.
_LOCALE = "select to_jsonb(d) from pg_database as d where datname = current_database()"
# What a literal means, and how a definition is worded, is a matter of the session: a database may have
# settings of its own, which its scratch database has not.
_SPOKEN_SETTINGS = (
    "array_nulls",
    "backslash_quote",
    "DateStyle",
    "extra_float_digits",
    "IntervalStyle",
    "search_path",
    "standard_conforming_strings",
    "TimeZone",
    "xmloption",
)
_SPOKEN = "select name, setting from pg_settings where name = any(%s)"
_UNSAFE_IN_OPTIONS, _ESCAPED = re.compile(r"[\\\s]"), r"\\\g<0>"
# A check that runs holds the advisory lock whose key is the number in its database's name, from before the
# database is there until after it is gone; pg_locks shows those of all databases, a key in two halves.
_LEFT_BEHIND = r"""
select d.datname
from pg_database as d
cross join lateral (
    select case when d.datname ~ '^windlass_check_[0-9a-f]{16}$'
        then ('x' || right(d.datname, 16))::bit(64)::bigint end as key
) as k
where k.key is not null and pg_has_role(d.datdba, 'usage')
  and not exists (select from pg_stat_activity as a where a.datid = d.oid)
  and not exists (
    select from pg_locks as l
    where l.locktype = 'advisory' and l.objsubid = 1
      and l.classid = ((k.key >> 32) & 4294967295)::oid and l.objid = (k.key & 4294967295)::oid
  )
"""


@dataclass(frozen=True)
class Scratch:
    """A database to apply migrations into.

    Attributes:
        dsn: A DSN for it, with the password in it.
        is_elsewhere: Whether it is on another server.
    """

    dsn: str = field(repr=False)
    is_elsewhere: bool


@contextmanager
def scratch_database(dsn: str | None, *, scratch_dsn: str | None = None) -> Iterator[Scratch]:
    """Make an empty database, and drop it afterwards; one of a killed run is dropped by the next.

    Args:
        dsn: The database it shall be like: encoding and locale are the same.
        scratch_dsn: A server to make it on; by default that of `dsn` if the role may create databases
            there, else an embedded one.

    Raises:
        ScratchError: There is nowhere to make it.
        ConnectionFailedError: A server cannot be reached.
    """
    target = resolve_dsn(dsn)
    with connect(target, application_name=_APPLICATION, autocommit=True) as connection:
        like = connection.execute(_LOCALE).fetchall()[0][0]
        spoken = connection.execute(_SPOKEN, (list(_SPOKEN_SETTINGS),)).fetchall()
        if scratch_dsn is None and _may_create(connection):
            with _created(connection, target, like, is_elsewhere=False) as scratch:
                yield replace(scratch, dsn=_speaking_alike(scratch.dsn, spoken))
            return
    with (
        nullcontext(resolve_dsn(scratch_dsn)) if scratch_dsn else _embedded() as server,
        connect(server, application_name=_APPLICATION, autocommit=True) as connection,
    ):
        if not _may_create(connection):
            raise _nowhere("the role may not create databases on the server of --scratch-dsn")
        with _created(connection, server, like, is_elsewhere=True) as scratch:
            yield replace(scratch, dsn=_speaking_alike(scratch.dsn, spoken))


def _speaking_alike(dsn: str, spoken: Sequence[tuple[str, str]]) -> str:
    """A DSN whose sessions read and write SQL with these settings, also after `reset all`."""
    settings = [*spoken, ("default_transaction_read_only", "off")]
    options = [str(conninfo_to_dict(dsn).get("options") or "")]
    options += (f"-c{name}={_UNSAFE_IN_OPTIONS.sub(_ESCAPED, value)}" for name, value in settings)
    return make_conninfo(dsn, options=" ".join(options).strip())


def _embedded() -> AbstractContextManager[str]:
    try:
        from windlass.warehouse.embedded.binaries import find_binaries

        find_binaries()
    except MissingExtraError as error:
        raise _nowhere(
            "the role may not create databases here, and the extra 'embedded' is not installed"
        ) from error
    from windlass.warehouse.migrations.throwaway import throwaway_server

    return throwaway_server()


def _nowhere(reason: str) -> ScratchError:
    return ScratchError(
        f"There is nowhere to apply the migrations for comparison: {reason}.",
        advice="Name a server with --scratch-dsn on which a role may create databases (CREATEDB), of the "
        "same major version at best, or install the extra: pip install 'windlass-warehouse[embedded]'.",
    )


def _may_create(connection: Connection) -> bool:
    found = connection.execute(_MAY_CREATE).fetchone()
    return found is not None and bool(found[0])


@contextmanager
def _created(
    connection: Connection, server: str, like: dict[str, Any], *, is_elsewhere: bool
) -> Iterator[Scratch]:
    _drop_left_behind(connection)
    key = secrets.randbits(63)
    name = f"{_PREFIX}{key:016x}"
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    connection.execute("set default_transaction_read_only to off")
    connection.execute("select pg_advisory_lock(%s)", (key,))
    try:
        _create(connection, name, like, is_elsewhere=is_elsewhere)
        yield Scratch(make_conninfo(server, dbname=name), is_elsewhere)
    finally:
        # A broken connection leaves it to the next run.
        if not connection.closed:
            connection.execute(drop)
            connection.execute("select pg_advisory_unlock(%s)", (key,))


def _create(connection: Connection, name: str, like: dict[str, Any], *, is_elsewhere: bool) -> None:
    encoding = connection.execute("select pg_encoding_to_char(%s)", (like["encoding"],)).fetchall()[0][0]
    options: list[sql.Composable] = [sql.SQL("template template0 encoding {}").format(sql.Literal(encoding))]
    if not is_elsewhere:
        options.append(_locale_options(like))
    elif encoding != "UTF8":
        # Another server may not have the locale; the C locale goes with every encoding.
        options.append(sql.SQL("locale 'C'"))
    statement = sql.SQL("create database {} {}").format(sql.Identifier(name), sql.SQL(" ").join(options))
    try:
        connection.execute(statement)
        # Nobody misses it after a crash: its commits need not wait for the disk.
        hasty = sql.SQL("alter database {} set synchronous_commit to off")
        connection.execute(hasty.format(sql.Identifier(name)))
    except pg_errors.InsufficientPrivilege:
        raise
    except psycopg.Error as error:
        if connection.broken:
            raise
        raise ScratchError(
            f"The scratch database cannot be made: {error.diag.message_primary or error}.",
            advice="Mend what the message names, or name another server with --scratch-dsn.",
        ) from error


_PROVIDERS = {
    "c": "locale_provider libc",
    "i": "locale_provider icu icu_locale {locale}",
    "b": "locale_provider builtin builtin_locale {locale}",
}


def _locale_options(like: dict[str, Any]) -> sql.Composed:
    provider = sql.SQL(_PROVIDERS[like["datlocprovider"]]).format(
        locale=sql.Literal(like.get("datlocale") or like.get("daticulocale"))
    )
    return sql.SQL("lc_collate {} lc_ctype {} {}").format(
        sql.Literal(like["datcollate"]), sql.Literal(like["datctype"]), provider
    )


def _drop_left_behind(connection: Connection) -> None:
    for (name,) in connection.execute(_LEFT_BEHIND).fetchall():
        # Another check may be dropping it at this moment, which is as good.
        with suppress(pg_errors.ObjectInUse, pg_errors.InvalidCatalogName):
            connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))

"""Connections to the warehouse, whose failures say what to do and never show a password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from windlass.warehouse.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DatabaseMissingError,
    InvalidDsnError,
    PermissionDeniedError,
    ServerUnreachableError,
)
from windlass.warehouse.isolation import without_environment

__all__ = ["DSN_VARIABLE", "connect", "mask_dsn", "resolve_dsn", "translated_privileges"]

DSN_VARIABLE = "WINDLASS_WAREHOUSE_DSN"

_LAST_PORT = 65535
_SECRET_KEYS = ("password", "sslpassword", "oauth_client_secret")
_HOW = (
    f"Give a libpq DSN or URI with --dsn or {DSN_VARIABLE}, for example "
    "'host=127.0.0.1 port=5432 dbname=warehouse user=etl' (the password better in PGPASSFILE or PGPASSWORD)."
)


def resolve_dsn(dsn: str | None = None) -> str:
    """Find the DSN to use: the one given, else the environment's.

    Args:
        dsn: A libpq keyword string or `postgresql://` URI.

    Returns:
        The DSN, checked to be readable.

    Raises:
        InvalidDsnError: There is none, or it cannot be parsed.
    """
    found = dsn or os.environ.get(DSN_VARIABLE, "")
    if not found.strip():
        raise InvalidDsnError("No warehouse was named.", advice=_HOW)
    _parse(found)
    return found


def _parse(dsn: str) -> dict[str, Any]:
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        parameters = None
    # libpq's message quotes the part it stumbles over, which can be the password: nothing of it is passed on.
    if parameters is None:
        origin = "" if "=" in dsn or "://" in dsn else ": it has neither 'keyword=value' nor '://'"
        raise InvalidDsnError(f"The warehouse's DSN cannot be read{origin}.", advice=_HOW)
    for port in str(parameters.get("port") or "").split(","):
        if port and not (port.isdecimal() and 0 < int(port) <= _LAST_PORT):
            raise InvalidDsnError(f"The warehouse's DSN has no valid port: '{port}'.", advice=_HOW)
    return parameters


def mask_dsn(dsn: str) -> str:
    """Write a DSN as keyword string that can be shown: secrets become `***`.

    Args:
        dsn: A libpq keyword string or URI.

    Returns:
        The same parameters with every secret replaced.
    """
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "(unreadable DSN)"
    return make_conninfo(
        "", **{key: "***" if key in _SECRET_KEYS else value for key, value in parameters.items()}
    )


def connect(
    dsn: str | None = None,
    *,
    application_name: str = "windlass-warehouse",
    connect_timeout: int = 10,
    autocommit: bool = False,
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the warehouse. The session speaks UTF-8 and ISO dates, whatever the environment says.

    Args:
        dsn: A libpq keyword string or URI; by default that of `WINDLASS_WAREHOUSE_DSN`.
        application_name: How the session is named in `pg_stat_activity`, unless the DSN names it.
        connect_timeout: Seconds to wait for the server, unless the DSN sets it.
        autocommit: Whether each statement is a transaction of its own.

    Returns:
        An open connection; use it as a context manager.

    Raises:
        ConnectionFailedError: With a subclass for each cause a user can act on.
    """
    parameters = _parse(resolve_dsn(dsn))
    parameters.setdefault("application_name", application_name)
    parameters.setdefault("connect_timeout", connect_timeout)
    # In SQL_ASCII text arrives as bytes.
    parameters["client_encoding"] = "utf8"
    try:
        with without_environment(parameters):
            connection = psycopg.connect("", autocommit=True, **parameters)
        _speak_iso(connection)
        connection.autocommit = autocommit
    except psycopg.OperationalError as error:
        failure = _explain(error, parameters)
    else:
        return connection
    # Outside the handler: psycopg's error holds the connection's parameters, and must not travel along.
    raise failure


def _speak_iso(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    # psycopg reads timestamps in no other style. The server reports the style, so asking costs no round trip.
    if (connection.info.parameter_status("DateStyle") or "").startswith("ISO"):
        return
    try:
        connection.execute("set datestyle to 'ISO'")
    except BaseException:
        connection.close()
        raise


def _explain(error: psycopg.OperationalError, parameters: dict[str, Any]) -> ConnectionFailedError:
    where = _address(parameters)
    user = parameters.get("user") or os.environ.get("PGUSER") or "the system user"
    database = parameters.get("dbname") or os.environ.get("PGDATABASE") or user
    text = " ".join(str(error).split())
    # libpq hands over no SQLSTATE for a refused connection (psycopg#331), so its English text must serve.
    if "invalid" in text and "value" in text:
        return InvalidDsnError(
            f"The warehouse's DSN is not valid: {_without_secrets(text, parameters)}", advice=_HOW
        )
    if 'database "' in text and "does not exist" in text:
        return DatabaseMissingError(
            f"The server at {where} has no database '{database}'.",
            advice=f"Create it (createdb {database}), or name another one in the DSN.",
        )
    if any(sign in text for sign in _AUTHENTICATION_SIGNS):
        return AuthenticationError(
            f"The server at {where} does not accept user '{user}' with the password given.",
            advice="Check the user in the DSN and the password in PGPASSWORD, PGPASSFILE or the DSN.",
        )
    if "permission denied for database" in text or "no pg_hba.conf entry" in text:
        return PermissionDeniedError(
            f"User '{user}' may not connect to database '{database}' at {where}.",
            advice="Have an administrator grant CONNECT, or admit this address in pg_hba.conf.",
        )
    if any(sign in text for sign in _UNREACHABLE_SIGNS):
        return ServerUnreachableError(
            f"Nothing answers as PostgreSQL at {where}.",
            advice="Check host and port, and that the server runs "
            "(windlass-warehouse serve starts an embedded one).",
        )
    return ConnectionFailedError(
        f"Cannot connect to database '{database}' at {where}: {_without_secrets(text, parameters)}"
    )


_AUTHENTICATION_SIGNS = (
    "password authentication failed",
    "no password supplied",
    "Peer authentication failed",
    "authentication failed for user",
    'role "',
)
_UNREACHABLE_SIGNS = (
    "Connection refused",
    "could not translate host name",
    "failed to resolve host",
    "Name or service not known",
    "timeout",
    "No such file or directory",
    "No route to host",
    "Network is unreachable",
    "server closed the connection unexpectedly",
    "invalid response to SSL negotiation",
)


def _address(parameters: dict[str, Any]) -> str:
    host = (
        parameters.get("host") or parameters.get("hostaddr") or os.environ.get("PGHOST") or "the local socket"
    )
    port = parameters.get("port") or os.environ.get("PGPORT") or 5432
    return f"{host}, port {port}"


def _without_secrets(text: str, parameters: dict[str, Any]) -> str:
    for key in _SECRET_KEYS:
        if parameters.get(key):
            text = text.replace(str(parameters[key]), "***")
    return text


@contextmanager
def translated_privileges(doing: str) -> Iterator[None]:
    """Turn a refused privilege into an error that says what to grant.

    Args:
        doing: What is being done, e.g. `migrating`.

    Raises:
        PermissionDeniedError: The role lacks a privilege for a statement inside the block.
    """
    try:
        yield
    except pg_errors.InsufficientPrivilege as error:
        detail = (error.diag.message_primary or "permission denied").rstrip(".")
        raise PermissionDeniedError(
            f"The role may not do this while {doing}: {detail}.",
            advice="Connect as the owner of the warehouse, or have the privilege granted.",
        ) from error

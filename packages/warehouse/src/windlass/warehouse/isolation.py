"""Keep what libpq takes from its environment (PGSSLMODE, PGSERVICE, ...) from a DSN that needs none of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address

from psycopg import pq

__all__ = ["isolated", "without_environment"]

# Keywords that libpq 13 knows already: psql and drivers of any age get this DSN too. For the newer ones
# (require_auth, sslnegotiation, ...) and for those that no keyword overrides, the variables are taken away.
_STATED = {
    "sslmode": "disable",
    # "system" is refused together with sslmode=disable; a file's name is not looked at.
    "sslrootcert": "none",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "target_session_attrs": "any",
    "client_encoding": "utf8",
    "options": "-cdatestyle=ISO",
}
_WITHOUT_KEYWORD = ("PGSERVICEFILE", "PGDATESTYLE", "PGTZ", "PGGEQO")

_environment_lock = threading.Lock()


def isolated(*, host: str) -> dict[str, str]:
    """Connection parameters that state what must not be inherited, for a server without TLS and GSSAPI.

    Args:
        host: Its IP address, its name, or the folder of its Unix socket.

    Returns:
        Parameters to put into its DSN, `host` among them.
    """
    parameters = {"host": host, "hostaddr": host if _is_address(host) else "", **_STATED}
    if host.startswith("/"):
        parameters["requirepeer"] = ""
    return parameters


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@contextmanager
def without_environment(parameters: Mapping[str, object]) -> Iterator[None]:
    """Hide libpq's variables while a connection is made, if its parameters are of `isolated` making.

    An empty `service` does not stop libpq from looking up PGSERVICE, so the variables have to go. Other
    threads do not see them meanwhile either; the environment is left alone when there is nothing to hide.

    Args:
        parameters: What the DSN says.
    """
    names = _inherited(parameters) if parameters.keys() >= _STATED.keys() else []
    if not names:
        yield
        return
    with _environment_lock:
        hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(hidden)


def _inherited(parameters: Mapping[str, object]) -> list[str]:
    variables = [
        option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar and option.keyword.decode() not in parameters
    ]
    return [name for name in (*variables, *_WITHOUT_KEYWORD) if name in os.environ]

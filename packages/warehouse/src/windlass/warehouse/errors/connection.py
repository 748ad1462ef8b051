"""Failures to reach the warehouse."""

from __future__ import annotations

from windlass.warehouse.errors.base import WarehouseError

__all__ = [
    "AuthenticationError",
    "ConnectionFailedError",
    "DatabaseMissingError",
    "InvalidDsnError",
    "PermissionDeniedError",
    "ServerUnreachableError",
]


class ConnectionFailedError(WarehouseError):
    """No connection to the warehouse."""

    code = "WWH100"


class InvalidDsnError(ConnectionFailedError):
    """The DSN cannot be read, or none was given."""

    code = "WWH101"


class ServerUnreachableError(ConnectionFailedError):
    """Nothing answers at the address."""

    code = "WWH102"


class AuthenticationError(ConnectionFailedError):
    """The server does not accept the user or the password."""

    code = "WWH103"


class DatabaseMissingError(ConnectionFailedError):
    """The server has no database of that name."""

    code = "WWH104"


class PermissionDeniedError(ConnectionFailedError):
    """The role lacks a privilege."""

    code = "WWH105"

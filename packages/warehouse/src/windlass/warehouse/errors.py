"""Every way the warehouse package fails, so that callers can catch as narrowly or as widely as they need.

```
WarehouseError                    WWH000  base of all
+-- MissingExtraError             WWH001  an optional part of the package is not installed
+-- ConnectionFailedError         WWH100  no connection to the warehouse, for another reason than these:
|   +-- InvalidDsnError           WWH101  the DSN cannot be read, or there is none
|   +-- ServerUnreachableError    WWH102  nothing answers at the address
|   +-- AuthenticationError       WWH103  wrong user or password
|   +-- DatabaseMissingError      WWH104  the server has no such database
|   +-- PermissionDeniedError     WWH105  the role may not do this
+-- MigrationError                WWH200  the schema cannot be migrated, for another reason than these:
|   +-- MigrationEditedError      WWH201  an applied migration's file was changed afterwards
|   +-- MigrationUnknownError     WWH202  the database is newer than this package
|   +-- MigrationLockedError      WWH203  someone else is migrating, or holds a table
|   +-- MigrationFailedError      WWH204  a migration's SQL failed; it was rolled back
|   +-- MigrationFilesError       WWH205  files of migrations are misnamed, unreadable or at odds
|   +-- MigrationUnfinishedError  WWH206  a migration outside a transaction has left something to clear up
|   +-- BaselineRefusedError      WWH207  the database does not hold what would be noted as applied
|   +-- ScratchError              WWH208  there is no scratch database to compare with
+-- EmbeddedError                 WWH300  the embedded server cannot be run, for another reason than these:
|   +-- PortTakenError            WWH301  another process listens on the port
|   +-- StartFailedError          WWH302  the server ended, or was not ready in time
|   +-- NotRunningError           WWH303  the server is needed and does not run
+-- SeedError                     WWH400  seeding failed
+-- LoadError                     WWH500  moving data failed, for another reason than these:
    +-- TableError                WWH510  a table or column is not there, or not as it is needed
    +-- FileRejectedError         WWH520  a file has problems; none of it was loaded
    +-- StatementError            WWH530  a SQL statement failed; its transaction was rolled back
    +-- ParameterError            WWH531  a bound parameter is missing, unknown or cannot be bound
    +-- PublishError              WWH540  rows would have been lost, doubled or published ambiguously
    +-- WatermarkError            WWH550  new rows cannot be told from old ones
    +-- HistoryError              WWH560  a slowly changing dimension's history would be ambiguous or lost
    +-- FencedError               WWH600  a later try of the task has taken over
```

Each message says what happened and where; `advice` says what to do next. All of them pickle, attributes
included, because Airflow sends exceptions between processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from windlass.warehouse.identity import TaskIdentity

__all__ = [
    "AuthenticationError",
    "BaselineRefusedError",
    "ConnectionFailedError",
    "DatabaseMissingError",
    "EmbeddedError",
    "FencedError",
    "FileProblem",
    "FileRejectedError",
    "HistoryError",
    "InvalidDsnError",
    "LoadError",
    "MigrationEditedError",
    "MigrationError",
    "MigrationFailedError",
    "MigrationFilesError",
    "MigrationLockedError",
    "MigrationUnfinishedError",
    "MigrationUnknownError",
    "MissingExtraError",
    "NotRunningError",
    "ParameterError",
    "PermissionDeniedError",
    "PortTakenError",
    "PublishError",
    "ScratchError",
    "SeedError",
    "ServerUnreachableError",
    "StartFailedError",
    "StatementError",
    "TableError",
    "WarehouseError",
    "WatermarkError",
]


def _rebuild(cls: type[WarehouseError], args: tuple[Any, ...], state: dict[str, Any]) -> WarehouseError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class WarehouseError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: Stable identifier of the kind of failure, `WWH...`.
        message: What happened and where, without secrets.
        advice: What to do next; empty when the message says it.
    """

    code: ClassVar[str] = "WWH000"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text}\n{self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with `args`, which fails for keyword-only arguments.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class MissingExtraError(WarehouseError):
    """An optional part of the package is needed and not installed.

    Attributes:
        extra: Name of the extra that brings it.
    """

    code = "WWH001"

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}', which is not installed.",
            advice=f"Install it: pip install 'windlass-warehouse[{extra}]'",
        )
        self.extra = extra


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


class MigrationError(WarehouseError):
    """The schema cannot be migrated.

    Attributes:
        migration: Name of the migration concerned; empty when it is none in particular.
    """

    code = "WWH200"

    def __init__(self, message: str, *, migration: str = "", advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.migration = migration


class MigrationEditedError(MigrationError):
    """Applied migrations' files are not what was applied.

    Attributes:
        migrations: Names of all of them, in order; `migration` is the first.
    """

    code = "WWH201"

    def __init__(self, message: str, *, migrations: tuple[str, ...], advice: str = "") -> None:
        super().__init__(message, migration=migrations[0], advice=advice)
        self.migrations = migrations


class MigrationUnknownError(MigrationError):
    """The database holds a migration that this package does not know."""

    code = "WWH202"


class MigrationLockedError(MigrationError):
    """A lock was not free in time.

    Attributes:
        holders: Who holds it, e.g. `pid 4711 (windlass-warehouse migrate)`.
    """

    code = "WWH203"

    def __init__(
        self, message: str, *, migration: str = "", holders: tuple[str, ...] = (), advice: str = ""
    ) -> None:
        super().__init__(message, migration=migration, advice=advice)
        self.holders = holders


class MigrationFailedError(MigrationError):
    """A migration's SQL failed and was rolled back."""

    code = "WWH204"


class MigrationFilesError(MigrationError):
    """Files of migrations cannot be used; nothing was applied.

    Attributes:
        problems: All that is wrong with them, each beginning with a path.
    """

    code = "WWH205"

    def __init__(self, problems: tuple[str, ...], *, advice: str = "") -> None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(
            "\n".join([f"Nothing was done: {count} with migration files.", *problems]), advice=advice
        )
        self.problems = problems


class MigrationUnfinishedError(MigrationError):
    """A migration that runs outside a transaction stopped in the middle.

    Attributes:
        leftovers: What it left, e.g. the names of invalid indexes, quoted where needed.
    """

    code = "WWH206"

    def __init__(self, message: str, *, migration: str, leftovers: tuple[str, ...], advice: str = "") -> None:
        super().__init__(message, migration=migration, advice=advice)
        self.leftovers = leftovers


class BaselineRefusedError(MigrationError):
    """Migrations cannot be noted as applied.

    Attributes:
        objects: What the database lacks or has otherwise, one line each; empty when the ledger is in the way.
    """

    code = "WWH207"

    def __init__(self, message: str, *, objects: tuple[str, ...] = (), advice: str = "") -> None:
        super().__init__("\n".join([message, *objects]), advice=advice)
        self.objects = objects


class ScratchError(MigrationError):
    """There is no scratch database to apply migrations into, or they do not apply there."""

    code = "WWH208"


class EmbeddedError(WarehouseError):
    """The embedded server cannot be run."""

    code = "WWH300"


class PortTakenError(EmbeddedError):
    """Another process listens on the port.

    Attributes:
        port: The port that is taken.
    """

    code = "WWH301"

    def __init__(self, port: int, *, listen: str) -> None:
        super().__init__(
            f"Port {port} on {listen} is taken by another process.",
            advice="Choose another one with --port, or 0 for any free one.",
        )
        self.port = port


class StartFailedError(EmbeddedError):
    """The embedded server ended while starting, or was not ready in time."""

    code = "WWH302"


class NotRunningError(EmbeddedError):
    """The embedded server is needed and does not run."""

    code = "WWH303"


class SeedError(WarehouseError):
    """Seeding failed."""

    code = "WWH400"


class LoadError(WarehouseError):
    """Loading, transforming or publishing failed."""

    code = "WWH500"


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One problem of a file.

    Attributes:
        line: Line of the file, from 1.
        column: Character position within the line, from 1.
        message: What is wrong there.
    """

    line: int
    column: int
    message: str


class TableError(LoadError):
    """A table or column is missing, or is not what the operation needs.

    Attributes:
        table: Name of the table, as the user wrote it.
    """

    code = "WWH510"

    def __init__(self, message: str, *, table: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.table = table


class FileRejectedError(LoadError):
    """A file has problems, so nothing of it was loaded.

    Attributes:
        file: Path of the file.
        problems: The first problems, in the order of the file.
    """

    code = "WWH520"

    def __init__(self, file: str, problems: tuple[FileProblem, ...], *, advice: str = "") -> None:
        lines = [f"{file}:{item.line}:{item.column}: {item.message}" for item in problems]
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n".join([f"Nothing of {file} was loaded: {count}.", *lines]), advice=advice)
        self.file = file
        self.problems = problems


class StatementError(LoadError):
    """A statement of a SQL text failed.

    Attributes:
        file: Path or name of the SQL text.
        line: Line of the failure, from 1.
        column: Character position within the line, from 1.
        sqlstate: PostgreSQL's five-character code; empty when the text was refused before it was sent.
    """

    code = "WWH530"

    def __init__(
        self, message: str, *, file: str, line: int, column: int, sqlstate: str = "", advice: str = ""
    ) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}", advice=advice)
        self.file = file
        self.line = line
        self.column = column
        self.sqlstate = sqlstate


class ParameterError(LoadError):
    """A bound parameter is missing, unknown, or of a type that cannot be bound.

    Attributes:
        parameter: Name of the parameter.
    """

    code = "WWH531"

    def __init__(self, message: str, *, parameter: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.parameter = parameter


class PublishError(LoadError):
    """Publishing stopped because a row would have been lost, doubled or chosen at random."""

    code = "WWH540"


class WatermarkError(LoadError):
    """New rows cannot be told from old ones, so that some could be missed."""

    code = "WWH550"


class HistoryError(LoadError):
    """A slowly changing dimension's history would be ambiguous, or some of it lost."""

    code = "WWH560"


class FencedError(LoadError):
    """A try that was given up still lives and wanted to write; a later try of its task has taken over.

    Attributes:
        identity: The task instance.
        ti_id: Airflow's id of the try that was refused.
    """

    code = "WWH600"

    def __init__(self, identity: TaskIdentity, *, ti_id: str) -> None:
        super().__init__(
            f"A later try of {identity} has taken over; what this one ({ti_id}) wrote was rolled back.",
            advice="Nothing to do: the later try does the work. "
            "Its log is under the same task instance, with a higher try number.",
        )
        self.identity = identity
        self.ti_id = ti_id

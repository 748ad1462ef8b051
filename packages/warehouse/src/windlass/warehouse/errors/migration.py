"""Failures of migrations, baselines and checks."""

from __future__ import annotations

from windlass.warehouse.errors.base import WarehouseError

__all__ = [
    "BaselineRefusedError",
    "MigrationEditedError",
    "MigrationError",
    "MigrationFailedError",
    "MigrationFilesError",
    "MigrationLockedError",
    "MigrationUnfinishedError",
    "MigrationUnknownError",
    "ScratchError",
]


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

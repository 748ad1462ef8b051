"""Failures of seeding, loading, transforming and publishing."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.warehouse.errors.base import WarehouseError
from windlass.warehouse.identity import TaskIdentity

__all__ = [
    "FencedError",
    "FileProblem",
    "FileRejectedError",
    "HistoryError",
    "LoadError",
    "ParameterError",
    "PublishError",
    "SeedError",
    "StatementError",
    "TableError",
    "WatermarkError",
]


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

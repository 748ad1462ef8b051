"""What fails while data moves, told precisely enough to be repaired without opening a database console.

```
LoadError                         WWH500  base, in `windlass.warehouse.errors`
+-- TableError                    WWH510  a table or column is not there, or not as the load needs it
+-- FileRejectedError             WWH520  a file has problems; none of it was loaded
+-- StatementError                WWH530  a SQL statement failed; its transaction was rolled back
+-- ParameterError                WWH531  a bound parameter is missing, unknown or cannot be bound
+-- PublishError                  WWH540  rows would have been lost, doubled or published ambiguously
```
"""

from __future__ import annotations

from dataclasses import dataclass

from windlass.warehouse.errors import LoadError

__all__ = [
    "FileProblem",
    "FileRejectedError",
    "ParameterError",
    "PublishError",
    "StatementError",
    "TableError",
]


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

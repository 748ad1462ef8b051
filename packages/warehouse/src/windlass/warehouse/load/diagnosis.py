"""Problems of a file, gathered until there are enough of them to show."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import FileProblem
from windlass.warehouse.load.table import Column, PgConnection, doubled

__all__ = ["MAX_PROBLEMS", "MAX_VALUES", "Diagnosis", "Value"]

MAX_PROBLEMS = 20
"""How many problems of a file are told at once."""

MAX_VALUES = 100_000
"""About how many values are examined, from the first line that can have a problem."""

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a file and its place."""

    line: int
    column: int
    target: Column
    text: str | None


@dataclass
class Diagnosis:
    """Gathers problems, and asks PostgreSQL in batches which values it could not read.

    Attributes:
        connection: Connection to the warehouse, in a working transaction.
        limit: How many problems are enough.
    """

    connection: PgConnection
    limit: int = MAX_PROBLEMS
    _problems: list[FileProblem] = field(default_factory=list)
    _values: list[Value] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether there are enough problems."""
        return len(self._problems) >= self.limit

    def add(self, line: int, column: int, message: str) -> None:
        """Note a problem."""
        self._problems.append(FileProblem(line, column, message))

    def check(self, value: Value) -> None:
        """Have a value checked against its column's type."""
        if value.text is None:
            if value.target.not_null:
                self.add(value.line, value.column, f"{value.target.name} is null, and the table needs it.")
        elif "\0" not in value.text and value.target.type_name != "text":
            self._values.append(value)
            if len(self._values) >= _BATCH:
                self._flush()

    def problems(self) -> tuple[FileProblem, ...]:
        """The first problems in the order of the file."""
        self._flush()
        ordered = sorted(set(self._problems), key=lambda item: (item.line, item.column, item.message))
        return tuple(ordered[: self.limit])

    def _flush(self) -> None:
        by_type: dict[str, list[Value]] = {}
        for value in self._values:
            by_type.setdefault(value.target.type_name, []).append(value)
        self._values = []
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            for type_name, values in by_type.items():
                texts = [(value.text or "").encode("utf-8", "replace").decode() for value in values]
                cursor.execute(
                    sql.SQL(
                        "select n from unnest(%s::text[]) with ordinality as t (v, n) "
                        "where not ops.is_valid_input(v, {}) order by n limit {}"
                    ).format(doubled(sql.Literal(type_name), self.connection), self.limit),
                    [texts],
                )
                for (number,) in cursor:
                    value = values[number - 1]
                    shown = repr((value.text or "")[:60])
                    self.add(value.line, value.column, f"{shown} is not a {type_name} ({value.target.name}).")

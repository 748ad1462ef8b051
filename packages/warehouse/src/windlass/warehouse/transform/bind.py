"""Parameters put into SQL as literals, and positions in the result led back to the file.

Client-side binding, because PostgreSQL's own knows no parameters in utility statements (`comment on`,
`set`, ...)
and because a lone % then needs no doubling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from windlass.warehouse.errors import ParameterError, StatementError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.transform.script import Placeholder, Script, Statement

__all__ = ["BoundStatement", "advice_for", "bind", "check_parameters", "explain_failure", "single_query"]

_ADVICE = {
    "42P01": "Check the table's name, and that the database is migrated: windlass-warehouse status",
    "42703": "Check the column's name.",
    "42883": "Check the function's name and the types of its arguments; a cast may be missing.",
    "42501": "Ask the owner for the privilege, or use a connection of another role.",
    "40001": "Run it again: another transaction changed the same rows.",
    "40P01": "Run it again: it waited for another transaction that waited for it.",
    "55P03": "Run it again when the lock is free.",
    "57014": "It was cancelled, or took longer than statement_timeout allows.",
}


@dataclass(frozen=True, slots=True)
class BoundStatement:
    """A statement with its parameters in place.

    Attributes:
        script: Where it comes from.
        statement: Its place there.
        text: The SQL to send.
        replaced: For each parameter: where its literal starts and ends in `text`, and the placeholder.
    """

    script: Script
    statement: Statement
    text: str
    replaced: tuple[tuple[int, int, Placeholder], ...]

    def offset(self, position: int) -> int:
        """The script's offset of a position (from 0) in `text`."""
        shift = self.statement.start
        for start, end, placeholder in self.replaced:
            if position < start:
                break
            if position < end:
                return placeholder.start
            shift = placeholder.end - end
        return min(position + shift, self.statement.end)


def check_parameters(
    script: Script, statements: Iterable[Statement], given: Mapping[str, Any], always: Mapping[str, Any]
) -> dict[str, Any]:
    """The values to bind, once it is sure that none is missing, unknown or quoted.

    Args:
        script: The SQL text.
        statements: Its statements.
        given: The user's parameters; each must be used.
        always: Parameters that may be used.

    Raises:
        ParameterError: A given parameter is not used, or hides one that is always there.
        StatementError: The text uses a parameter nobody gave, or quotes one.
    """
    values = {**always, **given}
    used = set()
    for statement in statements:
        for place in statement.quoted:
            if place.name in values:
                raise script.failure(
                    f"Parameter %({place.name})s stands inside quotes, where nothing is bound.",
                    place.start,
                    advice=f"Write %({place.name})s without quotes; join texts with ||.",
                )
        for place in statement.placeholders:
            if place.name not in values:
                raise script.failure(
                    f"Parameter {place.name!r} has no value.",
                    place.start,
                    advice=f"Give it under parameters. There are: {', '.join(sorted(values)) or 'none'}.",
                )
            used.add(place.name)
    for name in given:
        if name in always:
            raise ParameterError(
                f"Parameter {name!r} is always bound to the task's own value.",
                parameter=name,
                advice="Choose another name.",
            )
        if name not in used:
            raise ParameterError(
                f"Parameter {name!r} is given but {script.name} does not use it.",
                parameter=name,
                advice=f"Remove it, or write %({name})s in the SQL.",
            )
    return values


def bind(
    connection: PgConnection, script: Script, statement: Statement, values: Mapping[str, Any]
) -> BoundStatement:
    """Put the values into one statement.

    Raises:
        ParameterError: A value is of a type that PostgreSQL cannot take.
    """
    pieces: list[str] = []
    replaced: list[tuple[int, int, Placeholder]] = []
    length, start = 0, statement.start
    for place in statement.placeholders:
        literal = _literal(connection, place.name, values[place.name])
        pieces += [script.text[start : place.start], literal]
        length += place.start - start
        replaced.append((length, length + len(literal), place))
        length, start = length + len(literal), place.end
    pieces.append(script.text[start : statement.end])
    return BoundStatement(script, statement, "".join(pieces), tuple(replaced))


def _literal(connection: PgConnection, name: str, value: Any) -> str:
    try:
        return sql.Literal(Jsonb(value) if isinstance(value, dict) else value).as_string(connection)
    except (psycopg.ProgrammingError, psycopg.DataError) as error:
        raise ParameterError(
            f"Parameter {name!r} cannot be bound: {error}.",
            parameter=name,
            advice="Use text, numbers, booleans, dates, lists of these, or objects (bound as jsonb).",
        ) from error


def single_query(
    connection: PgConnection,
    script: Script,
    *,
    parameters: Mapping[str, Any],
    always: Mapping[str, Any],
) -> BoundStatement:
    """The one statement of a script, bound; to be used inside another query.

    Raises:
        StatementError: The script has no statement, or more than one.
        ParameterError: See `check_parameters` and `bind`.
    """
    statements = script.statements()
    if len(statements) != 1:
        raise script.failure(
            f"One query is needed here, and there are {len(statements)} statements.",
            statements[1].start if statements else 0,
            advice="Use warehouse.transform for more than one statement.",
        )
    values = check_parameters(script, statements, parameters, always)
    return bind(connection, script, statements[0], values)


def explain_failure(error: psycopg.Error, bound: BoundStatement, *, prefix: int = 0) -> StatementError:
    """The error of a statement, led back to its place in the file.

    Args:
        error: What psycopg raised.
        bound: The statement.
        prefix: Characters that were sent before the statement's own text.
    """
    diag = error.diag
    position = int(diag.statement_position) - 1 - prefix if diag.statement_position else 0
    inside = 0 <= position <= len(bound.text)
    parts = [diag.message_primary or str(error).strip() or type(error).__name__]
    parts += [text for text in (diag.message_detail, diag.message_hint) if text]
    return bound.script.failure(
        ". ".join(part.rstrip(".") for part in parts) + ".",
        bound.offset(position if inside else 0),
        sqlstate=error.sqlstate or "",
        advice=advice_for(error),
    )


def advice_for(error: psycopg.Error) -> str:
    """What to do after an error of PostgreSQL."""
    return _ADVICE.get(error.sqlstate or "", "Nothing was changed: the transaction was rolled back.")

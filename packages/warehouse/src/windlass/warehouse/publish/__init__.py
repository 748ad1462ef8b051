"""Write, audit, publish: rows reach a table only if every constraint of that table accepts them.

The audit is derived from the target's own constraints, so it cannot drift from them. Rows with problems go to
`ops.rejected_row` with every reason; the others are upserted in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import psycopg

from windlass.warehouse.bookkeeping import read_committed
from windlass.warehouse.errors import PublishError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.table import PgConnection, describe_table
from windlass.warehouse.publish.model import Lookup, LookupOptions, PublishResult
from windlass.warehouse.publish.plan import make_plan
from windlass.warehouse.publish.rejects import write_rejects
from windlass.warehouse.publish.rules import Inputs, make_rules
from windlass.warehouse.publish.stage import audit, land, workspace
from windlass.warehouse.publish.upsert import publish_good_rows
from windlass.warehouse.transform.bind import advice_for, single_query
from windlass.warehouse.transform.script import read_script

__all__ = ["Lookup", "LookupOptions", "PublishResult", "publish"]


def publish(
    connection: PgConnection,
    *,
    table: str,
    source_table: str,
    key: Sequence[str],
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    row_key: str | None = None,
    lookups: Mapping[str, Lookup | LookupOptions] | None = None,
    parameters: Mapping[str, Any] | None = None,
    context: RunContext = NO_TASK,
) -> PublishResult:
    """Publish landed rows into a table whose constraints judge them.

    The query gives one row for each row of `source_table`, in order of arrival, with columns named as the
    target's or as inputs of lookups. A row that breaks a constraint of the target is rejected with all its
    problems; of rows that claim the same key the first good arrival is kept. Good rows are inserted, or
    updated where something differs. All in one transaction: nothing is published in part.

    Whoever writes to the target meanwhile waits; the tables it refers to stay free. PostgreSQL checks every
    constraint again as the rows are written, so a parent that is deleted during the audit makes an orphan
    that is rejected, not one that is published.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The target, `schema.name`.
        source_table: Where the rows were landed. Its row count must be the query's: nothing disappears.
        key: The target's natural key, the columns of its primary key or of a unique constraint.
        sql: The query.
        sql_file: A UTF-8 file with it, instead of `sql`.
        row_key: The query's column that names a row in the rejects; the first of `key` if not given.
        lookups: For target columns found in other tables: where.
        parameters: Values for `%(name)s` in the query.
        context: Who publishes: noted with the rejects, and bound like parameters.

    Returns:
        What became of the rows; `landed` is the sum of the rest.

    Raises:
        StatementError: The query failed, at file:line:column.
        TableError: A column is unknown, missing or cannot be written.
        PublishError: The query loses or doubles rows, a lookup is ambiguous, the key is no key, or PostgreSQL
            failed for no row's fault.
    """
    script = read_script(sql=sql, sql_file=sql_file)
    given = {
        name: item if isinstance(item, Lookup) else Lookup(**item) for name, item in (lookups or {}).items()
    }
    query = single_query(connection, script, parameters=parameters or {}, always=context.parameters())
    if not key:
        raise PublishError("No key is given.", advice="Give the columns of the target's primary key.")
    try:
        # One that waited for another publish must see what that one wrote.
        with read_committed(connection), writing(connection, context), workspace(connection):
            target = describe_table(connection, table)
            candidate = land(connection, query, source_table=source_table)
            plan = make_plan(
                connection, target=target, candidate=candidate.table, key=key, row_key=row_key, lookups=given
            )
            inputs = Inputs(plan)
            book = make_rules(plan, inputs)
            audit(connection, plan, inputs, book, rows=candidate.rows)
            written = publish_good_rows(connection, plan, book, rows=candidate.rows)
            rejected, by_kind = write_rejects(
                connection,
                plan,
                book,
                source_table=str(describe_table(connection, source_table)),
                context=context,
            )
            result = PublishResult(
                table=str(target),
                landed=candidate.rows,
                inserted=written.inserted,
                updated=written.updated,
                unchanged=written.good - written.inserted - written.updated,
                rejected=rejected,
                rejected_by_kind=by_kind,
            )
            _assert_complete(result, good=written.good)
            return result
    except psycopg.Error as error:
        raise PublishError(
            f"Publishing into {table} failed: {error.diag.message_primary or error}. Nothing was published.",
            advice=advice_for(error),
        ) from error


def _assert_complete(result: PublishResult, *, good: int) -> None:
    if result.landed != good + result.rejected or result.unchanged < 0:
        raise PublishError(
            f"The rows do not add up: {result.landed} landed, {good} good ({result.inserted} inserted, "
            f"{result.updated} updated), {result.rejected} rejected. Nothing was published.",
            advice="Please report this with the target's definition: a constraint was audited wrongly.",
        )

"""Landed rows set aside and judged, in temporary tables that vanish with the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import PublishError
from windlass.warehouse.load.table import PgConnection, Table, describe_table
from windlass.warehouse.publish.audit import AUDIT, CANDIDATE, GOOD, ORD, audit_query, positions
from windlass.warehouse.publish.plan import Plan
from windlass.warehouse.publish.refusal import note_refusals, refused_by
from windlass.warehouse.publish.rules import Inputs, RuleBook
from windlass.warehouse.transform.bind import BoundStatement, explain_failure

# Compiling takes longer than these queries run.
_SETTINGS = {"client_min_messages": "warning", "jit": "off"}
_RESTORED = (*_SETTINGS, "enable_mergejoin", "work_mem")
_GET_SETTINGS = "select name, current_setting(name) from unnest(%s::text[]) as name"
_SET = "select set_config(%s, %s, true)"
_ENOUGH_MEMORY = (
    "select set_config('work_mem', '64MB', true) where pg_size_bytes(current_setting('work_mem')) < 67108864"
)

__all__ = ["Candidate", "audit", "land", "workspace"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The rows set aside: their table and how many they are."""

    table: Table
    rows: int


@contextmanager
def workspace(connection: PgConnection) -> Iterator[None]:
    """Settings for a batch of this size, and no table left behind by it.

    An error leaves it to the rollback to restore both; otherwise the caller's transaction may go on for long.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        before = cursor.execute(_GET_SETTINGS, [list(_RESTORED)]).fetchall()
        cursor.executemany(_SET, list(_SETTINGS.items()))
        cursor.execute(_ENOUGH_MEMORY)
        yield
        cursor.execute("drop table windlass_candidate, windlass_audit, windlass_problem")
        cursor.executemany(_SET, before)


def land(connection: PgConnection, query: BoundStatement, *, source_table: str) -> Candidate:
    """Run the query and number its rows by arrival.

    Raises:
        StatementError: The query failed.
        PublishError: It gives more or fewer rows than the source table has, in the same snapshot.
    """
    source = describe_table(connection, source_table)
    prefix = (
        sql.SQL(
            "create temporary table windlass_candidate on commit drop as select row_number() over () as {}, "
            "case when row_number() over () = 1 then (select count(*) from {}) end as {}, "
            "windlass_row.* from (\n"
        )
        .format(ORD, source.name.identifier, sql.Identifier("windlass landed"))
        .as_string(connection)
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        try:
            cursor.execute(f"{prefix}{query.text}\n) as windlass_row".encode(connection.info.encoding))
        except psycopg.Error as error:
            raise explain_failure(error, query, prefix=len(prefix)) from error
        rows = cursor.rowcount
        cursor.execute(
            sql.SQL("select {} from {} where {} = 1 limit 1").format(
                sql.Identifier("windlass landed"), CANDIDATE, ORD
            )
            if rows
            else sql.SQL("select count(*) from {}").format(source.name.identifier)
        )
        (landed,) = cursor.fetchone() or (0,)
    if landed != rows:
        raise query.script.failure(
            f"The query gives {rows} rows, and {source} has {landed}: rows would be {_fate(rows, landed)}.",
            query.statement.start,
            advice="Let it give each landed row once: no where, no inner join, no join to several rows.",
        )
    return Candidate(describe_table(connection, "pg_temp.windlass_candidate"), rows)


def _fate(rows: int, landed: int) -> str:
    return "lost" if rows < landed else "doubled"


def audit(connection: PgConnection, plan: Plan, inputs: Inputs, book: RuleBook, *, rows: int) -> None:
    """Judge all candidates by the rules that need no other row.

    Raises:
        PublishError: A lookup finds several rows for one candidate.
    """
    # Without statistics the planner would sort everything for merge joins; gathering them costs more
    # than hashing.
    connection.execute("set local enable_mergejoin = off")
    connection.execute(
        sql.SQL(
            "create temporary table windlass_problem ({} bigint, rule integer, detail text) on commit drop;"
            "create temporary table windlass_audit on commit drop as {} with no data"
        ).format(ORD, audit_query(plan, inputs, book, within=sql.SQL("false")))
    )
    audited = 0

    def judge(first: int, last: int) -> None:
        nonlocal audited
        query = audit_query(plan, inputs, book, within=positions(first, last, rows=rows))
        done = connection.execute(sql.SQL("insert into {} {}").format(AUDIT, query))
        audited += done.rowcount

    if rows:
        refusals = tuple(refused_by(connection, 1, rows, judge))
        note_refusals(connection, book, refusals)
        connection.cursor().executemany(
            sql.SQL("insert into {} ({}, {}) values (%s, false)").format(AUDIT, ORD, GOOD),
            [(refusal.ord,) for refusal in refusals],
        )
        audited += len(refusals)
    if audited != rows:
        raise _ambiguous(connection, plan)


def _ambiguous(connection: PgConnection, plan: Plan) -> PublishError:
    """The error for a lookup that finds several rows, with one example."""
    counts = sql.SQL(", ").join(
        sql.SQL("count(distinct {})").format(sql.Identifier(item.target.name)) for item in plan.lookups
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                "select c.{row_key}::text, found.* from (select {ord}, {counts} from {audit} group by {ord} "
                "having count(*) > 1 order by {ord} limit 1) as found join {candidate} as c using ({ord})"
            ).format(
                row_key=sql.Identifier(plan.row_key), ord=ORD, counts=counts, audit=AUDIT, candidate=CANDIDATE
            )
        )
        row_key, _, *found = cursor.fetchone() or ("?", 0)
    culprits = [item for item, count in zip(plan.lookups, found, strict=False) if count > 1] or list(
        plan.lookups
    )
    told = ", ".join(f"{item.target.name} from {item.table}" for item in culprits)
    return PublishError(
        f"The lookup of {told} finds several rows, e.g. for {plan.row_key} = {row_key}. "
        "Nothing was published.",
        advice="Join on all columns of a unique key, and give valid_at for a dimension with history.",
    )

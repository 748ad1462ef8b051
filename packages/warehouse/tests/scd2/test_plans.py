"""How PostgreSQL runs it without ever having seen the tables: nothing grows with the square of the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from windlass.warehouse.scd2 import apply_scd2

pytestmark = pytest.mark.integration

ROWS = 20_000
QUERY = "select n as id, 'n' || n / %(of)s as name, 1 + n %% 9 as grade from play.numbers where n > %(less)s"


class Explaining(psycopg.Cursor[Any]):
    """Explains every statement that has a plan, just before it runs."""

    plans: list[dict[str, Any]] = []  # noqa: RUF012

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        text = text.decode() if isinstance(text, bytes) else text
        if "windlass_" in text and text.split()[0] != "drop":
            self._explain(text)
        return super().execute(query, params, **options)

    def _explain(self, text: str) -> None:
        try:
            with self.connection.transaction(), psycopg.Cursor(self.connection) as cursor:
                cursor.execute("explain (format json) " + text)
                (found,) = cursor.fetchone() or ("[]",)
        except psycopg.errors.SyntaxError:
            return  # a create table without a query has no plan
        plan = found if isinstance(found, list) else json.loads(found)
        self.plans.append(plan[0]["Plan"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@contextmanager
def explained(connection: psycopg.Connection[Any]) -> Iterator[list[dict[str, Any]]]:
    Explaining.plans = []
    before, connection.cursor_factory = connection.cursor_factory, Explaining
    yield Explaining.plans
    connection.cursor_factory = before


def quadratic(plans: list[dict[str, Any]]) -> list[str]:
    """Loops that read all of something for each row of something else."""
    return [
        f"{inner['Node Type']} of {inner.get('Relation Name', inner.get('CTE Name'))}"
        for plan in plans
        for node in nodes(plan)
        if node["Node Type"] == "Nested Loop"
        for inner in nodes(node["Plans"][1])
        if inner["Node Type"] in ("Seq Scan", "CTE Scan")
    ]


@pytest.mark.parametrize("rows", [ROWS, 500])
def test_no_statement_loops_over_a_whole_table(dim: Any, rows: int) -> None:
    dim.connection.execute(
        "alter table play.dim set (autovacuum_enabled = off);"
        "create table play.numbers with (autovacuum_enabled = off) as "
        f"select n from generate_series(1, {rows}) as n"
    )

    def apply(day: int, of: int, less: int) -> Any:
        return apply_scd2(
            dim.connection,
            table="play.dim",
            key=["id"],
            sql=QUERY.replace("%%", "%"),
            parameters={"of": of, "less": less},
            as_of=dim.day(day),
        )

    with explained(dim.connection) as plans:
        apply(1, 10, 0)
        apply(5, 11, rows // 100)
        late = apply(3, 12, 0)
        apply(3, 12, 0)
        apply(7, 11, 0)
        changes = QUERY.replace("%%", "%").replace(" from ", ", %(at)s as at from ", 1)
        dim.connection.execute("truncate play.dim")
        for day in (4, 2, 6):
            apply_scd2(
                dim.connection,
                table="play.dim",
                key=["id"],
                sql=changes,
                parameters={"of": 10 + day, "less": 0, "at": dim.day(day)},
                mode="changes",
                effective_at="at",
            )
    assert late.late == rows
    assert len(plans) > 40
    # Its unique index on open versions spares the join from being counted, which takes a tenth more.
    assert any(node.get("Join Type") == "Full" for plan in plans for node in nodes(plan))
    assert [node for node in quadratic(plans) if rows > 1000 or "Seq Scan of dim" in node] == []

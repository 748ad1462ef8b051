"""`warehouse.scd2` as Airflow runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = [pytest.mark.integration, pytest.mark.slow]

QUERY = (
    "select 1 as customer_id, 'Ann' as name, 'a@b.c' as email, 'DE' as country_code, 'consumer' as segment"
)
LOGICAL = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_operator_takes_the_runs_instant_or_the_one_given(
    warehouse: WarehouseDatabase, in_task: Any
) -> None:
    from windlass.warehouse.operators import Scd2Operator

    def operator(**options: Any) -> Scd2Operator:
        return Scd2Operator(
            task_id="history", table="warehouse.dim_customer", key=["customer_id"], sql=QUERY, **options
        )

    def body(context: Any) -> Any:
        first = operator().execute(context)
        given = operator(as_of="2026-01-05T00:00:00+00:00").execute(context)
        native = operator(as_of=datetime(2026, 1, 6, tzinfo=UTC)).execute(context)
        without_logical_date = operator().execute({**context, "logical_date": None})
        with pytest.raises(HistoryError, match="as_of 'tomorrow' is no instant"):
            operator(as_of="tomorrow").execute(context)
        nothing = operator(as_of="2026-01-07T00:00:00+00:00")
        nothing.sql = f"{QUERY} where false"
        with pytest.raises(HistoryError, match="would close 1 version of"):
            nothing.execute(context)
        nothing.allow_empty = True
        assert nothing.execute(context)["deleted"] == 1
        with pytest.raises(HistoryError, match="are for changes"):
            operator(effective_at="at").execute(context)
        changes = operator(mode="changes", effective_at="at")
        changes.sql = f"{QUERY}, now() as at"
        with pytest.raises(HistoryError, match="kept by snapshots"):
            changes.execute(context)
        return first, given, native, without_logical_date, context["dag_run"].run_after

    first, given, native, without, run_after = in_task(body, logical_date=LOGICAL)

    assert (first["as_of"], first["inserted"], first["rows"]) == ("2026-01-02 00:00:00+00", 1, 1)
    assert (given["as_of"], given["unchanged"], given["late"]) == ("2026-01-05 00:00:00+00", 1, 0)
    assert (native["as_of"], native["unchanged"]) == ("2026-01-06 00:00:00+00", 1)
    assert datetime.fromisoformat(without["as_of"]) == run_after
    with warehouse.connect() as connection:
        noted = connection.execute(
            "select dag_id, task_id from ops.scd2_snapshot where as_of = %s", [LOGICAL]
        ).fetchone()
    assert noted == ("in_task", "body")

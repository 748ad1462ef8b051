"""A Postgres warehouse for ETL; importing it loads no driver: Airflow's long-lived parents stay small."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass.warehouse.anomaly import AnomalyKind
    from windlass.warehouse.connection import connect
    from windlass.warehouse.embedded import EmbeddedPostgres
    from windlass.warehouse.errors import WarehouseError
    from windlass.warehouse.migrations import migrate, status

__all__ = ["AnomalyKind", "EmbeddedPostgres", "WarehouseError", "connect", "migrate", "status"]

_HOMES = {
    "AnomalyKind": "anomaly",
    "EmbeddedPostgres": "embedded",
    "WarehouseError": "errors",
    "connect": "connection",
    "migrate": "migrations",
    "status": "migrations",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The warehouse's schema, brought up to date by SQL files that are applied once and never edited."""

from __future__ import annotations

from windlass.warehouse.migrations.files import Migration, load_migrations
from windlass.warehouse.migrations.ledger import Applied
from windlass.warehouse.migrations.runner import MigrationState, MigrationStatus, migrate, status

__all__ = [
    "Applied",
    "Migration",
    "MigrationState",
    "MigrationStatus",
    "load_migrations",
    "migrate",
    "status",
]

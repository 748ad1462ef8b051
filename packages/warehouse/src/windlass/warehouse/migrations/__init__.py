"""The warehouse's schema, brought up to date by SQL files that are applied once and never edited."""

from __future__ import annotations

from windlass.warehouse.migrations.baseline import baseline
from windlass.warehouse.migrations.drift import DriftReport, check
from windlass.warehouse.migrations.files import Migration
from windlass.warehouse.migrations.folders import MigrationFolder, load_migrations
from windlass.warehouse.migrations.ledger import Applied
from windlass.warehouse.migrations.runner import MigrationProgress, migrate, pending
from windlass.warehouse.migrations.state import MigrationState, MigrationStatus, status

__all__ = [
    "Applied",
    "DriftReport",
    "Migration",
    "MigrationFolder",
    "MigrationProgress",
    "MigrationState",
    "MigrationStatus",
    "baseline",
    "check",
    "load_migrations",
    "migrate",
    "pending",
    "status",
]

"""The live catalog of a database as data: to compare it with another, to describe it, to draw it."""

from __future__ import annotations

from windlass.warehouse.catalog.compare import Change, Difference, Finding, compare
from windlass.warehouse.catalog.objects import CatalogObject, Kind, read_objects

__all__ = ["CatalogObject", "Change", "Difference", "Finding", "Kind", "compare", "read_objects"]

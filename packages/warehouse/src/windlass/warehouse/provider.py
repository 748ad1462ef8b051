"""What Airflow is told of this package; a leaf, because Airflow's long-lived parents import it."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, object]:
    """Describe the package to Airflow's providers manager."""
    return {
        "package-name": "windlass-warehouse",
        "name": "Windlass warehouse",
        "description": "Load, transform and publish into a Postgres warehouse without losing a row.",
        "versions": [version("windlass-warehouse")],
    }

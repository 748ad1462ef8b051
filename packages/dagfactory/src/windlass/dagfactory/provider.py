"""What Airflow asks of a provider package; a leaf, because Airflow's long-lived processes import it."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, object]:
    """Describe the package to Airflow's provider manager."""
    return {
        "package-name": "windlass-dagfactory",
        "name": "Windlass DAG factory",
        "description": "JSON configs become Airflow DAGs.",
        "versions": [version("windlass-dagfactory")],
    }

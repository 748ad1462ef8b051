"""Which DAG ids the other bundles of configs claim: Airflow serves of two DAGs the one it parsed last.

The bundle that stands first in `[dag_processor] dag_bundle_config_list` keeps a DAG id that two claim; the
config in the later one is an import error. What the earlier ones claim is read from the lists that lie beside
their stubs, so bundles whose dag processors share no storage know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import get_bundle_base_folder

from windlass.dagfactory.ledger import Claims, read_claims

__all__ = ["claimed_before"]


def claimed_before(bundle: str) -> Callable[[str], Sequence[str]] | None:
    """Make a look-up of DAG ids that bundles before this one claim.

    Args:
        bundle: The bundle's name.

    Returns:
        What `StubFolder.sync` takes as `claimed`; None where there is no earlier bundle of configs.
    """
    claims = [(name, known) for name, stubs in _before(bundle) if (known := _known(stubs)).names]
    if not claims:
        return None

    def claimed(dag_id: str) -> Sequence[str]:
        return [
            f"{config} in the bundle {name!r}, which is listed first,"
            for name, known in claims
            if (config := known.names.get(dag_id)) is not None
            and (known.configs / config).exists()  # else nobody keeps that bundle's stubs up to date here
        ]

    return claimed


def _before(bundle: str) -> list[tuple[str, Path]]:
    """List the bundles before one in Airflow's configuration, with where their stubs are or would be."""
    found: list[tuple[str, Path]] = []
    bundles: Any = conf.getjson("dag_processor", "dag_bundle_config_list")
    for item in bundles or []:
        name, kwargs = item["name"], item.get("kwargs", {})
        if name == bundle:
            return found
        found.append((name, Path(kwargs.get("stubs") or get_bundle_base_folder(name) / "stubs")))
    return []


def _known(stubs: Path) -> Claims:
    try:
        return read_claims(stubs, release=version("windlass-dagfactory"))
    except OSError:  # no bundle of configs, or one whose stubs are on another machine
        return Claims()

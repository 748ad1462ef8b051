"""Operators by entry point and by class path."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from windlass.dagfactory import Registry
from windlass.dagfactory.errors import UnknownOperatorError, UnusableOperatorError
from windlass.dagfactory.registry import GROUP, OperatorSpec, file_parameters, is_class_path

pytestmark = pytest.mark.unit


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_installed_specs_are_found_and_loaded_when_asked_for() -> None:
    registry = Registry()
    assert "trial.load_file" in registry.names()
    spec = registry.get("trial.load_file")
    assert isinstance(spec, OperatorSpec)
    assert registry.get("trial.load_file") is spec
    assert file_parameters(spec.parameters) == {"file"}
    assert file_parameters(registry.get("trial.run_sql").parameters) == {"sql_file", "scripts"}


def test_a_broken_entry_costs_only_its_own_name() -> None:
    registry = Registry()
    with pytest.raises(UnusableOperatorError, match="cannot be imported"):
        registry.get("trial.unimportable")
    with pytest.raises(UnusableOperatorError, match="no operator spec"):
        registry.get("trial.no_spec")
    assert registry.get("trial.note").summary == "Write a note."


def test_an_unknown_name_is_suggested() -> None:
    with pytest.raises(UnknownOperatorError) as caught:
        Registry().get("trial.laod_file")
    assert caught.value.suggestions == ('did you mean "trial.load_file"?',)


def test_a_name_that_two_packages_register_is_refused() -> None:
    one, other = "windlass_test_operators:NOTE", "windlass_test_operators:RUN_SQL"
    with pytest.raises(UnusableOperatorError, match="uninstall one"):
        Registry([entry("x.y", one), entry("x.y", other)]).get("x.y")
    assert Registry([entry("x.y", one), entry("x.y", one)]).get("x.y").name == "trial.note"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b.Class", True),
        ("a.Class", True),
        ("Class", False),
        ("a.b", False),
        ("a..B", False),
        ("a.B()", False),
    ],
)
def test_class_paths_are_told_by_their_shape(name: str, expected: bool) -> None:
    assert is_class_path(name) is expected

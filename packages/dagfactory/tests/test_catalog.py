"""What is installed, for people: problems are entries, and packages are named."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
from pydantic import BaseModel, ConfigDict

from windlass.dagfactory.catalog import Entry, catalog
from windlass.dagfactory.registry import GROUP, NotifierRegistry, Registry

pytestmark = pytest.mark.unit


class Opaque:
    """A type that pydantic can hold and no JSON schema can tell of."""


class Parameters(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: Opaque


@dataclass(frozen=True)
class Spec:
    name: str = "odd.thing"
    operator: str = "nowhere.Thing"
    parameters: type[BaseModel] = Parameters
    summary: str = "Odd."


SPEC = Spec()


def operators(entries: list[EntryPoint]) -> list[Entry]:
    return catalog(Registry(entries), NotifierRegistry([]))


def test_parameters_without_a_json_schema_are_a_problem() -> None:
    [entry] = operators([EntryPoint("odd.thing", f"{__name__}:SPEC", GROUP)])
    assert entry.problem is not None
    assert "has no JSON schema" in entry.problem
    assert (entry.package, entry.parameters) == (None, [])


def test_a_name_that_two_packages_register_is_a_problem() -> None:
    twice = [EntryPoint("a.b", "one:SPEC", GROUP), EntryPoint("a.b", "two:SPEC", GROUP)]
    [entry] = operators(twice)
    assert entry.problem == "two packages register it: one:SPEC and two:SPEC; uninstall one"

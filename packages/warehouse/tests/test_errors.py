"""Errors cross process boundaries and tell what to do."""

from __future__ import annotations

import pickle
import re
from collections import Counter

import pytest

from windlass.warehouse import errors
from windlass.warehouse.errors import (
    FencedError,
    FileProblem,
    FileRejectedError,
    MigrationLockedError,
    MissingExtraError,
    ParameterError,
    PortTakenError,
    ServerUnreachableError,
    StatementError,
    TableError,
    WarehouseError,
)
from windlass.warehouse.identity import TaskIdentity

pytestmark = pytest.mark.unit


def _tree(base: type[WarehouseError]) -> list[type[WarehouseError]]:
    return [base, *(found for child in base.__subclasses__() for found in _tree(child))]


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachableError("Nothing answers.", advice="Start it."),
        MissingExtraError("Seeding", extra="seed"),
        PortTakenError(5432, listen="127.0.0.1"),
        MigrationLockedError("Locked.", migration="0001_ops", holders=("pid 1",), advice="Wait."),
        TableError("There is no table.", table="staging.sale", advice="Migrate."),
        FileRejectedError("sales.csv", (FileProblem(3, 7, "No number."),), advice="Correct it."),
        StatementError("No such column.", file="a.sql", line=2, column=4, sqlstate="42703"),
        ParameterError("No value.", parameter="first_day"),
        FencedError(TaskIdentity("sales", "manual", "load", 3), ti_id="0190"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_type_text_and_attributes_when_pickled(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_a_subclass_with_a_signature_of_its_own_pickles():
    copy = pickle.loads(pickle.dumps(MissingExtraError("The embedded server", extra="embedded")))
    assert copy.extra == "embedded"
    assert "pip install 'windlass-warehouse[embedded]'" in copy.advice


def test_text_holds_code_message_and_advice():
    assert (
        str(ServerUnreachableError("Nothing answers.", advice="Start it."))
        == "WWH102: Nothing answers.\nStart it."
    )
    assert str(WarehouseError("Odd.")) == "WWH000: Odd."


def test_the_docstring_shows_the_tree_as_it_is():
    drawn = dict(re.findall(r"(\w+Error) +(WWH\d{3})", errors.__doc__))
    defined = {kind.__name__: kind.code for kind in _tree(WarehouseError)}
    assert drawn == defined
    assert defined.keys() == {name for name in errors.__all__ if name.endswith("Error")}


def test_every_error_has_a_code_of_its_own_and_its_home_here():
    kinds = _tree(WarehouseError)
    codes = Counter(kind.code for kind in kinds)
    assert [code for code, uses in codes.items() if uses > 1] == []
    assert {kind.__module__ for kind in kinds} == {errors.__name__}

"""Operator classes by path: what cannot be imported, what is no operator, and what a constructor takes."""

from __future__ import annotations

import pytest

import windlass.dagfactory
from windlass.dagfactory.errors import UnknownOperatorError, UnusableOperatorError
from windlass.dagfactory.signature import import_operator, signature_of

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("windlass_test_nowhere.Operator", UnknownOperatorError, "no module 'windlass_test_nowhere'"),
        ("airflow.sdk.nowhere.Operator", UnknownOperatorError, "no module 'airflow.sdk.nowhere'"),
        ("windlass_test_operators_airflow.Nte", UnknownOperatorError, "has no 'Nte'"),
        (
            "windlass_test_operators_raising.Operator",
            UnusableOperatorError,
            "RuntimeError: of the wrong release",
        ),
        (
            "windlass_test_operators_lacking.Operator",
            UnusableOperatorError,
            "windlass_test_operators_not_installed",
        ),
        (
            "windlass_test_operators.LoadFile",
            UnusableOperatorError,
            "no subclass of airflow.sdk.BaseOperator",
        ),
        ("airflow.providers.standard.operators.branch.BaseBranchOperator", None, ""),
    ],
)
def test_what_is_wrong_with_a_class_path_is_said(
    path: str, error: type[Exception] | None, reason: str
) -> None:
    if error is None:
        assert import_operator(path).__name__ == "BaseBranchOperator"
        return
    with pytest.raises(error, match=reason):
        signature_of(path)


def test_the_parameters_of_a_constructor_are_told_from_those_of_airflow() -> None:
    signature = signature_of("windlass_test_operators_airflow.LoadFile")
    assert signature.accepted == {"file", "table", "mode", "limits"}
    assert signature.required == {"file", "table"}
    assert "trigger_rule" in signature.airflow


def test_the_base_operator_takes_nothing_of_its_own() -> None:
    signature = signature_of("airflow.sdk.BaseOperator")
    assert (signature.accepted, signature.required, signature.open_ended) == (frozenset(), frozenset(), False)


def test_public_names_are_all_there() -> None:
    for name in windlass.dagfactory.__all__:
        assert getattr(windlass.dagfactory, name) is not None
    assert set(windlass.dagfactory.__all__) <= set(dir(windlass.dagfactory))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = windlass.dagfactory.nothing

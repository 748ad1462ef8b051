"""What Airflow or an operator refuses although the checks passed, on its way to a diagnostic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from windlass.dagfactory.errors import DagFactoryError

__all__ = ["Refusal", "RefusedError"]


class Refusal(NamedTuple):
    """One thing that is refused.

    Attributes:
        kind: By whom: what went wrong with what.
        path: Where it stands in the config.
        message: What and why.
        suggestion: What to do about it, or None.
    """

    kind: Literal["airflow", "notifier", "operator", "unusable"]
    path: tuple[str | int, ...]
    message: str
    suggestion: str | None = None


class RefusedError(DagFactoryError):
    """Airflow, an operator or a notifier refuses what a plan says.

    Attributes:
        refusals: What, where and why.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__("; ".join(refusal.message for refusal in self.refusals))

    def __reduce__(self) -> tuple[type[RefusedError], tuple[tuple[Refusal, ...]]]:
        return type(self), (self.refusals,)

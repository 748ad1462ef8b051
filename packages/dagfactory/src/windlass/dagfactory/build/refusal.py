"""What Airflow or an operator refuses although the checks passed, on its way to a diagnostic."""

from __future__ import annotations

from windlass.dagfactory.diagnostics import Finding
from windlass.dagfactory.errors import DagFactoryError

__all__ = ["RefusedError"]


class RefusedError(DagFactoryError):
    """Airflow or an operator refuses what the config says.

    Attributes:
        finding: What, where and why.
    """

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)

    def __reduce__(self) -> tuple[type[RefusedError], tuple[Finding]]:
        return type(self), (self.finding,)

"""What an operator class accepts: its import, and the parameters its constructor's signature names.

Classes given by path have no spec; the signature is what there is to check `args` against before a run.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.diagnostics import did_you_mean
from windlass.dagfactory.errors import UnknownOperatorError, UnusableOperatorError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["Signature", "import_operator", "signature_of"]


@dataclass(frozen=True)
class Signature:
    """What a class's constructor takes under `args`.

    Attributes:
        accepted: Names of all parameters of its own, without Airflow's.
        required: Those without default.
        airflow: Parameters of Airflow's BaseOperator that do not belong under `args`.
        open_ended: Whether it takes names that no signature tells of.
    """

    accepted: frozenset[str]
    required: frozenset[str]
    airflow: frozenset[str]
    open_ended: bool


@cache
def import_operator(path: str) -> type[BaseOperator]:
    """Import an operator class by its path.

    Raises:
        UnknownOperatorError: The module or the class does not exist.
        UnusableOperatorError: The import fails, or the class is no operator.
    """
    module_name, _, class_name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownOperatorError(
                path, f"there is no module {error.name!r}; install its package"
            ) from error
        raise UnusableOperatorError(path, f"its module cannot be imported: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() too: it must not end the check of others
        reason = f"its module cannot be imported: {type(error).__name__}: {error}"
        raise UnusableOperatorError(path, reason) from error
    found = getattr(module, class_name, None)
    if found is None:
        near = did_you_mean(class_name, [name for name in vars(module) if name[:1].isupper()])
        reason = f"the module {module_name!r} has no {class_name!r}"
        raise UnknownOperatorError(path, reason, [near] if near else [])
    return _checked(path, found)


def _checked(path: str, found: Any) -> type[BaseOperator]:
    from airflow.sdk import BaseOperator

    if not (isinstance(found, type) and issubclass(found, BaseOperator)):
        raise UnusableOperatorError(path, "it is no subclass of airflow.sdk.BaseOperator")
    if inspect.isabstract(found):
        raise UnusableOperatorError(path, "it is abstract; use one of its subclasses")
    return found


@cache
def signature_of(path: str) -> Signature:
    """Read the parameters of an operator class's constructor, following **kwargs up its bases.

    Raises:
        UnknownOperatorError: The module or the class does not exist.
        UnusableOperatorError: The import fails, or the class is no operator.
    """
    from airflow.sdk import BaseOperator

    operator = import_operator(path)
    airflow = frozenset(_named(BaseOperator))
    accepted: dict[str, inspect.Parameter] = {}
    required: frozenset[str] | None = None
    open_ended = True
    for base in operator.__mro__:
        if base is BaseOperator:
            open_ended = False
            break
        if "__init__" not in vars(base):
            continue
        own = _named(base)
        if required is None:
            required = frozenset(name for name, p in own.items() if p.default is p.empty)
        accepted = own | accepted
        if not _takes_more(base):
            open_ended = False
            break
    return Signature(
        frozenset(accepted) - {"task_id"}, (required or frozenset()) - {"task_id"}, airflow, open_ended
    )


def _named(base: type) -> dict[str, inspect.Parameter]:
    parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p for p in parameters if p.kind in named}


def _takes_more(base: type) -> bool:
    parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
    return any(p.kind is p.VAR_KEYWORD for p in parameters)

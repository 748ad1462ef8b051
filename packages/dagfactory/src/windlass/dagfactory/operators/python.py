"""Python functions named by import path: run, to branch, or to go on only if they say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from airflow.providers.standard.operators.python import (
    BranchPythonOperator,
    PythonOperator,
    ShortCircuitOperator,
)

from windlass.dagfactory.diagnostics import did_you_mean
from windlass.dagfactory.operators.expressions import as_ids, as_truth

__all__ = ["BranchOperator", "CallableOperator", "ConditionOperator"]


class CallableOperator(PythonOperator):
    """Call a function given by import path.

    Args:
        callable: Import path of the function.
        op_args: Positional arguments; rendered.
        op_kwargs: Keyword arguments; rendered. Names of Airflow's context that it takes are passed too.
        show_return_value_in_logs: Whether the log shows what it returns.
    """

    def __init__(
        self,
        *,
        callable: str,  # noqa: A002 - the name that configs use
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        show_return_value_in_logs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=_function(callable),
            op_args=op_args,
            op_kwargs=op_kwargs,
            show_return_value_in_logs=show_return_value_in_logs,
            **kwargs,
        )


class BranchOperator(BranchPythonOperator):
    """Go on with the chosen tasks or groups among those right after it; skip the others.

    Args:
        choose: Jinja expression that gives a task id, a list of task ids, or nothing to skip all.
        callable: Import path of a function that returns the same, instead of `choose`.
        op_args: The function's positional arguments; rendered.
        op_kwargs: Its keyword arguments; rendered.

    Ids may be written as in `depends_on`: without the names of the groups around both tasks.
    """

    template_fields: Sequence[str] = ("choose", *BranchPythonOperator.template_fields)

    def __init__(
        self,
        *,
        choose: Any = None,
        callable: str | None = None,  # noqa: A002 - the name that configs use
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        function = _expression if callable is None else _function(callable)
        super().__init__(python_callable=function, op_args=op_args, op_kwargs=op_kwargs, **kwargs)
        self.choose = choose

    def execute_callable(self) -> Any:
        """Take the choice, and give it in full ids."""
        called = self.python_callable is not _expression
        chosen = as_ids(super().execute_callable() if called else self.choose)
        return None if chosen is None else [self._full(name) for name in chosen]

    def _full(self, name: str) -> str:
        known = {*self.dag.task_dict, *self.dag.task_group_dict}
        group = self.task_group
        while group is not None and group.group_id:
            if f"{group.group_id}.{name}" in known:
                return f"{group.group_id}.{name}"
            group = group.parent_group
        if name in known:
            return name
        after = sorted(self.downstream_task_ids)
        near = did_you_mean(name, after) or f"after it come {', '.join(after) or 'no tasks'}"
        message = f'the DAG has no task or group "{name}" that {self.task_id} could choose; {near}'
        raise ValueError(message)


class ConditionOperator(ShortCircuitOperator):
    """Go on only if a condition holds; skip what comes after otherwise.

    Args:
        condition: Jinja expression that is true or false.
        callable: Import path of a function whose result is true or false, instead of `condition`.
        op_args: The function's positional arguments; rendered.
        op_kwargs: Its keyword arguments; rendered.
        ignore_downstream_trigger_rules: Whether all that follows is skipped, whatever its trigger rule.
    """

    template_fields: Sequence[str] = ("condition", *ShortCircuitOperator.template_fields)

    def __init__(
        self,
        *,
        condition: Any = None,
        callable: str | None = None,  # noqa: A002 - the name that configs use
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        ignore_downstream_trigger_rules: bool = True,
        **kwargs: Any,
    ) -> None:
        function = _expression if callable is None else _function(callable)
        super().__init__(
            python_callable=function,
            op_args=op_args,
            op_kwargs=op_kwargs,
            ignore_downstream_trigger_rules=ignore_downstream_trigger_rules,
            **kwargs,
        )
        self.condition = condition

    def execute_callable(self) -> Any:
        """Tell whether to go on."""
        if self.python_callable is _expression:
            return as_truth(self.condition)
        return super().execute_callable()


def _expression() -> Iterable[str]:
    """Stand in for a function where an expression is used: Airflow's operator must have one."""
    return []


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    return cast("Callable[..., Any]", getattr(import_module(module), name))

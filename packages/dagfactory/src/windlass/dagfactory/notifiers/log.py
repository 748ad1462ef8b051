"""A notifier that needs no service: one structured event in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, get_args

import structlog
from airflow.sdk import BaseNotifier
from jinja2 import TemplateError

from windlass.dagfactory.notifiers.specs import Level, LogParameters
from windlass.dagfactory.policies.subject import subject_of

__all__ = ["LogNotifier"]

_MESSAGE: str = LogParameters.model_fields["message"].default


class LogNotifier(BaseNotifier):
    """Write the event `notification` with what it is about: DAG, run, task, map index, try, state and reason.

    Args:
        message: What to say; Jinja over Airflow's context. Where it cannot be rendered it is logged as it
            stands.
        level: `info`, `warning` or `error`.

    Raises:
        ValueError: No such level.
    """

    template_fields: Sequence[str] = ("message",)

    def __init__(self, message: str = _MESSAGE, *, level: Level = "info") -> None:
        super().__init__()
        if level not in get_args(Level):
            raise ValueError(f'write "info", "warning" or "error" instead of {level!r}')
        self.message = message
        self.level = level

    def __call__(self, *args: Any) -> None:
        """Notify; Airflow renders in place, and one notifier may be called for several runs of a process."""
        one = copy(self)
        context: Mapping[str, Any] = args[0]
        problem: dict[str, str] = {}
        try:
            rendered: Any = dict(context)
            one.render_template_fields(rendered)
        except TemplateError as error:
            problem = {"message_error": f"{type(error).__name__}: {error}"}
        one._tell(context, **problem)  # noqa: SLF001 - its own copy

    def notify(self, context: Mapping[str, Any]) -> None:
        """Write the event."""
        self._tell(context)

    def _tell(self, context: Mapping[str, Any], **more: str) -> None:
        log = structlog.get_logger(__name__)
        getattr(log, self.level)(
            "notification", message=self.message, **subject_of(context).as_event(), **more
        )

"""What is wrong with folders' defaults whatever configs are below: of what belongs to a config, nothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from windlass.dagfactory.checks.jinja import check_jinja
from windlass.dagfactory.checks.notify import check_notifiers
from windlass.dagfactory.checks.operators import check_default_operators
from windlass.dagfactory.checks.schedule import check_schedule
from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Code, Finding
from windlass.dagfactory.registry import Registry, notifier_registry

__all__ = ["check_shared"]

_ENOUGH = 100
_OF_A_CONFIG = (Code.SCHEDULE_SETTINGS, Code.DATE_ORDER)
"""What goes with what, where a config may say the rest."""


def check_shared(data: Mapping[str, Any], *, registry: Registry) -> list[Finding]:
    """Check defaults, those around them included.

    Args:
        data: What they say together.
        registry: Where short operator names are looked up.
    """
    tree = Tree.of(None)
    findings = [finding for finding in check_schedule(data) if finding.code not in _OF_A_CONFIG]
    for check in (
        check_jinja(data, tree, None),
        check_notifiers(data, tree, notifier_registry()),
        check_default_operators(data, tree, registry),
    ):
        findings.extend(islice(check, _ENOUGH))
    return findings

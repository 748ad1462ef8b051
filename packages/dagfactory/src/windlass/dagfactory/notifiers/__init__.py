"""The notifier that this package brings: `log`. Others register theirs under `windlass.notifiers`."""

from __future__ import annotations

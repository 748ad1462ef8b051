"""New pipelines from templates: a folder with a config, its SQL and a README, ready to be changed."""

from __future__ import annotations

from windlass.dagfactory.scaffold.template import Template, templates
from windlass.dagfactory.scaffold.write import Pipeline, Words, proposed_id, remove_pipeline, write_pipeline

__all__ = ["Pipeline", "Template", "Words", "proposed_id", "remove_pipeline", "templates", "write_pipeline"]

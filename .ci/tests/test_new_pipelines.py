"""With all packages installed, every template makes a valid pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.registry import default_registry
from windlass.dagfactory.scaffold import Words, templates, write_pipeline
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", sorted(templates()))
def test_a_new_pipeline_is_valid(name: str, tmp_path: Path) -> None:
    template = templates()[name]
    assert template.missing(default_registry().names()) == []
    pipeline = write_pipeline(template, Words("sales_daily_load_v1", "2026-01-01"), folder=tmp_path)
    assert validate_configs([ConfigFile.at(pipeline.config)])[1] == []

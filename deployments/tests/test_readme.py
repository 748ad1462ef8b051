"""README's example is a config that the factory accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from windlass.deployments.local.target import find_target
from windlass.deployments.settings import project_root

README = project_root(Path(__file__).parent) / "README.md"

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not README.is_file(), reason="README is in the source tree, not in the wheel"),
]


def test_the_pipeline_in_readme_has_no_mistake(tmp_path: Path) -> None:
    found = re.search(r"```json\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found
    home = tmp_path / json.loads(found[1])["dag_id"]
    home.mkdir()
    (home / "dag.json").write_text(found[1])
    (home / "sales.csv").touch()
    assert find_target(tmp_path, None).dag_id == home.name

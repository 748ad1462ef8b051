"""The README's example does what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import metadata

import pytest

pytestmark = pytest.mark.integration


def test_the_example_from_the_readme_runs(server_folder):
    # The text that the wheel carries, so that it is tested without the source too.
    readme = metadata("windlass-warehouse").get_payload()
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    server_folder.mkdir()
    code = example.replace('"warehouse-data"', repr(str(server_folder)))
    assert code != example
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["1 Keg 99.90", "up to date: True"]

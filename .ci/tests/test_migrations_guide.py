"""The guide to migrations does what it shows: all its commands and statements are run, in order."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "migrations.md").read_text()
BLOCKS = re.findall(r"^( *)```(sh|sql|python)\n(.*?)^ *```", GUIDE, flags=re.DOTALL | re.MULTILINE)


def test_every_command_and_statement_of_the_guide_runs(warehouse_server, tmp_path) -> None:
    assert len(BLOCKS) > 8
    with warehouse_server.database() as database:
        environment = {
            **os.environ,
            "WINDLASS_WAREHOUSE_DSN": database.dsn,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        shown = ""
        for _, language, text in BLOCKS:
            block = textwrap.dedent(text)
            if language == "sql":
                with database.connect(autocommit=True) as connection:
                    for statement in block.split(";\n"):
                        connection.execute(statement.encode())
                continue
            expecting = re.sub(
                r"^(.+?) +# exit code (\d)$",
                r"{ \1; } && code=0 || code=$?; [ $code = \2 ]",
                block,
                flags=re.MULTILINE,
            )
            interpreter = [sys.executable] if language == "python" else ["bash", "-e"]
            done = subprocess.run(
                [*interpreter, "-c", expecting],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            shown += done.stdout
    (output,) = re.findall(r"^```\n(changed .*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)
    assert output in shown

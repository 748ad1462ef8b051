"""The command as a user runs it: a process of its own, its output and its exit code."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from windlass.warehouse.connection import DSN_VARIABLE
from windlass.warehouse.seed.manifest import read
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

pytestmark = pytest.mark.integration

COMMAND = [str(Path(sys.executable).with_name("windlass-warehouse")), "seed"]


def run(*arguments: str, dsn: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != DSN_VARIABLE}
    env |= {DSN_VARIABLE: dsn} if dsn else {}
    return subprocess.run(
        [*COMMAND, *arguments], env=env, capture_output=True, text=True, check=False, **options
    )


def test_seeding_tells_what_was_loaded_and_where_it_is(warehouse: WarehouseDatabase, tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    done = run("--seed", "7", "--scale", "0.02", "--manifest", str(path), dsn=warehouse.dsn)
    assert done.returncode == 0, done.stderr
    assert "Seed 7, scale 0.02: loaded" in done.stdout
    assert f"Manifest: {path}" in done.stdout
    assert "staging.sale: 2,000 of 2,000 rows\n" in done.stderr
    with warehouse.connect() as connection:
        (customers,) = connection.execute("select count(*) from source.customer").fetchone() or (None,)
    assert customers == 20


def test_json_is_one_object_and_nothing_else(warehouse: WarehouseDatabase, tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    done = run("--scale", "0.02", "--manifest", str(path), "--json", "--dsn", warehouse.dsn)
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert (report["seed"], report["scale"], report["manifest"]) == (42, 0.02, str(path))
    assert report["rows"]["source.product"] == 10
    assert sum(report["anomalies"].values()) == len(list(read(path)))


def test_without_a_manifest_it_says_so(warehouse: WarehouseDatabase) -> None:
    done = run("--scale", "0.01", dsn=warehouse.dsn)
    assert "No manifest was written" in done.stdout


def test_a_warehouse_with_rows_is_refused_with_exit_code_1_until_replaced(
    warehouse: WarehouseDatabase,
) -> None:
    assert run("--scale", "0.01", dsn=warehouse.dsn).returncode == 0
    refused = run("--scale", "0.01", dsn=warehouse.dsn)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run("--scale", "0.01", "--replace", dsn=warehouse.dsn).returncode == 0


def test_an_unmigrated_database_is_told_the_command(warehouse_server: WarehouseServer) -> None:
    with warehouse_server.database() as database:
        done = run(dsn=database.dsn)
    assert done.returncode == 1
    assert "windlass-warehouse migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "0"], "not above 0"),
        (["--scale", "nan"], "not above 0"),
        (["--scale", "10001"], "at most 10000"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--seed", "x"], "Invalid value for '--seed'"),
        (["--nonsense"], "No such option"),
    ],
)
def test_misuse_has_exit_code_2_and_says_what_is_wrong(arguments: list[str], message: str) -> None:
    done = run(*arguments, dsn="host=127.0.0.1 port=1")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_help_has_an_example() -> None:
    assert "windlass-warehouse seed --seed 42 --scale 1 --manifest manifest.jsonl" in " ".join(
        run("--help").stdout.replace("│", " ").split()
    )


def test_a_terminal_gets_bars(warehouse: WarehouseDatabase) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, DSN_VARIABLE: warehouse.dsn, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(
        [*COMMAND, "--scale", "0.05"], env=env, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # Linux's way to say that nobody holds the other end any more
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert "staging.sale" in shown.decode()
    assert "5000/5000" in shown.decode()
    assert "━" in shown.decode()


def test_ctrl_c_is_told_and_leaves_nothing(warehouse: WarehouseDatabase, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--scale", "20", "--manifest", str(tmp_path / "manifest.jsonl")],
        env={**os.environ, DSN_VARIABLE: warehouse.dsn},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process:
        assert process.stderr.readline().startswith("source.calendar")
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode not in (0, -signal.SIGINT)
    assert "Interrupted: rolled back, nothing was loaded." in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
    with warehouse.connect() as connection:
        (rows,) = connection.execute("select count(*) from source.calendar").fetchone() or (None,)
    assert rows == 0


WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
from windlass.warehouse.cli import main
main(["seed", "--dsn", "host=127.0.0.1 port=1"])
"""


def test_a_missing_extra_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMPY], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'windlass-warehouse[seed]'" in done.stderr


def test_importing_the_package_and_the_command_imports_neither_numpy_nor_faker() -> None:
    script = "import sys, windlass.warehouse.seed, windlass.warehouse.seed.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "faker", "rich.progress", "pydantic"} & set(done.stdout.split())


def test_the_package_offers_its_names_and_no_others() -> None:
    import windlass.warehouse.seed as package

    assert {"seed", "SeedReport", "Progress", "SCALE_LIMIT"} <= set(dir(package))
    assert callable(package.seed)
    with pytest.raises(AttributeError, match="nonsense"):
        package.nonsense  # noqa: B018

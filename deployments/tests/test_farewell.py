"""What the demo says at its end, and how its command answers to misuse, signals and a bad disk."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from windlass.deployments.local import cli
from windlass.deployments.local.farewell import KeptStack, say_end
from windlass.deployments.local.messages import TaskOutcome
from windlass.deployments.local.report import DemoReport, Rows
from windlass.deployments.settings import Settings
from windlass.warehouse.seed.manifest import Anomaly, ManifestComparison, compare

pytestmark = pytest.mark.unit


def ended(state: str, *tasks: TaskOutcome, anomalies: ManifestComparison | None = None) -> DemoReport:
    """A report of a run that ended in `state`."""
    return DemoReport(state, 1.0, "shop_trial_v1", "demo__1", list(tasks), Rows(0, 0, 0), anomalies)


def said(report: DemoReport, kept: KeptStack | None = None, config: Path | None = None) -> str:
    """What a person reads."""
    console = Console(file=io.StringIO(), width=200)
    say_end(console, report, kept, Settings(run_timeout=7), config=config)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_success_leads_on() -> None:
    text = said(ended("success"))
    assert "demo --keep" in text
    assert "--config FOLDER" in text


def test_success_with_ones_own_config_leads_on_with_that_config() -> None:
    text = said(ended("success"), config=Path("mine"))
    assert "demo --config mine --keep" in text
    assert "FOLDER" not in text


def test_a_failed_task_is_named_with_what_its_log_says(tmp_path: Path) -> None:
    log = tmp_path / "attempt=1.log"
    log.write_text(json.dumps({"level": "error", "event": "it broke [1/2]"}))
    failed = TaskOutcome(task_id="load", state="failed", seconds=1, tries=1, log=str(log))
    silent = TaskOutcome(task_id="lost", state="failed", seconds=None, tries=1)
    text = said(ended("failed", failed, silent))
    assert "load failed:\nit broke [1/2]" in text
    assert "lost failed:\nIt left no log." in text
    assert "run the command again" in text


def test_a_time_out_names_its_setting() -> None:
    assert "longer than 7 s (WINDLASS_RUN_TIMEOUT)" in said(ended("timed_out"))


def test_differences_from_the_manifest_are_shown_with_the_way_out() -> None:
    missed = Anomaly("staging.sale", "17", "quantity", "null")
    extra = Anomaly("staging.sale", "18", "channel", "unknown_value")
    text = said(ended("success", anomalies=compare([missed], [extra])))
    assert "missed: null in staging.sale.quantity, key 17" in text
    assert "not in the manifest: unknown_value in staging.sale.channel, key 18" in text
    assert "--state-dir" in text
    assert "demo --keep" not in text


def test_exact_findings_need_no_word() -> None:
    anomaly = Anomaly("staging.sale", "17", "quantity", "null")
    assert "manifest" not in said(ended("success", anomalies=compare([anomaly], [anomaly])))


def test_a_kept_stack_is_told_with_its_ways_in_and_out() -> None:
    kept = KeptStack("http://127.0.0.1:8080", "admin", "pw", "host=127.0.0.1 dbname=warehouse")
    text = said(ended("success"), kept)
    assert "http://127.0.0.1:8080  user admin, password pw" in text
    assert 'psql "host=127.0.0.1 dbname=warehouse"' in text
    assert "deployments/local down" in text


def test_a_state_folder_of_ones_own_is_named_where_it_is_needed(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    settings = Settings(state_dir=tmp_path / "my state")
    kept = KeptStack("http://127.0.0.1:8080", "admin", "pw", "host=127.0.0.1 dbname=warehouse")
    say_end(console, ended("success"), kept, settings, config=None)
    say_end(console, ended("success"), None, settings, config=None)
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert f"deployments/local down --state-dir '{tmp_path}/my state'" in text
    assert f"deployments/local demo --state-dir '{tmp_path}/my state' --keep" in text


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CliRunner]:
    """The command in this process, whose signal handlers are put back."""
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield CliRunner()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_misuse_exits_with_2_and_names_flag_or_variable(
    command: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = command.invoke(cli.app, ["demo", "--api-port", "99999"])
    assert (result.exit_code, "--api-port: " in result.stderr) == (2, True)
    result = command.invoke(cli.app, ["demo", "--api-port", "5000", "--postgres-port", "5000"])
    assert (result.exit_code, "cannot share one port" in result.stderr) == (2, True)
    monkeypatch.setenv("WINDLASS_SEED", "-1")
    result = command.invoke(cli.app, ["down"])
    assert (result.exit_code, "WINDLASS_SEED: " in result.stderr) == (2, True)


def test_down_tells_of_nothing_and_of_a_path_that_is_no_folder(command: CliRunner, tmp_path: Path) -> None:
    result = command.invoke(cli.app, ["down", "--state-dir", str(tmp_path / "never"), "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"stopped": []})
    (tmp_path / "file").touch()
    result = command.invoke(cli.app, ["down", "--state-dir", str(tmp_path / "file"), "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["state"] == "error"


def test_a_folder_of_something_else_is_refused_before_anything_starts(
    command: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "letter").touch()
    result = command.invoke(cli.app, ["demo", "--state-dir", str(tmp_path)])
    assert (result.exit_code, "holds something else" in result.stderr) == (2, True)


def test_a_disk_error_is_told_without_a_traceback(command: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = command.invoke(cli.app, ["demo", "--state-dir", str(tmp_path / "file" / "below"), "--json"])
    assert result.exit_code == 1
    assert "--state-dir" in json.loads(result.stdout)["advice"]


def test_the_first_ctrl_c_stops_and_the_second_is_asked_for_patience(
    command: CliRunner, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", "nosuch")

    def impatient() -> int:
        assert "PGSERVICE" not in os.environ
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        return 0

    assert cli._guarded(impatient, as_json=False) == 130
    err = capfd.readouterr().err
    assert err.count("Stopping; one moment.") == 2
    assert "no process is left" in err

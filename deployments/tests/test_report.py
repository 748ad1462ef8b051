"""What a demo's report says, to programs and to people."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from windlass.deployments.errors import ConfigRejectedError, MisuseError
from windlass.deployments.local.messages import Boot, Respawned, TaskOutcome, commands, events
from windlass.deployments.local.progress import Progress
from windlass.deployments.local.report import DemoReport, Rows, count_rows
from windlass.deployments.local.target import find_target
from windlass.warehouse.seed.manifest import Anomaly, ManifestComparison, compare

pytestmark = pytest.mark.unit

PUBLISHED = {"table": "warehouse.fact_sales", "landed": 10, "rejected": 2}


def outcome(task_id: str, *, state: str = "success", result: Any = None, map_index: int = -1) -> TaskOutcome:
    """One task's end."""
    return TaskOutcome(task_id=task_id, map_index=map_index, state=state, seconds=1.5, tries=1, result=result)


def report(
    *tasks: TaskOutcome, state: str = "success", anomalies: ManifestComparison | None = None
) -> DemoReport:
    """A report on `tasks`."""
    return DemoReport(
        state=state,
        seconds=9.876,
        dag_id="shop_trial_v1",
        run_id="demo__1",
        tasks=list(tasks),
        rows=count_rows(list(tasks)),
        anomalies=anomalies,
    )


def anomaly(key: str) -> Anomaly:
    """One bad row."""
    return Anomaly("staging.sale", key, "quantity", "out_of_range")


def printed(subject: DemoReport) -> str:
    """What a person sees."""
    console = Console(file=io.StringIO(), width=120)
    subject.print(console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("result", "note"),
    [
        ({"rows": 1200}, "1,200"),
        ({"rows": 7, "skipped": True, "rejected": 0}, "7 (already loaded)"),
        ({"rows": 7, "rejected": 2}, "7 loaded, 2 rejected"),
        ({"landed": 7, "rejected": 0}, "7 landed"),
        ({"read": 9, "inserted": 4, "updated": 2, "unchanged": 3}, "9 read, 4 inserted, 2 updated"),
        ({"rows": 9, "inserted": 0, "changed": 1, "deleted": 2}, "9 read, 1 changed, 2 deleted"),
        ({"statements": []}, ""),
        (None, ""),
    ],
)
def test_a_tasks_rows_are_told_in_a_few_words(result: Any, note: str) -> None:
    line = next(line for line in printed(report(outcome("one", result=result))).splitlines() if "one" in line)
    assert line.split("│")[4].strip() == note


def test_rows_are_those_of_the_tasks_that_publish() -> None:
    loaded = outcome("load", result={"table": "staging.sale", "rows": 99})
    tasks = [
        loaded,
        outcome("one", result=PUBLISHED),
        outcome("two", result=PUBLISHED),
        outcome("three", result="x"),
    ]
    assert count_rows(tasks) == Rows(landed=20, published=16, rejected=4)


def test_the_json_object_has_the_promised_shape() -> None:
    found = compare([anomaly("1"), anomaly("2")], [anomaly("1"), anomaly("3")])
    assert json.loads(report(outcome("one", result=PUBLISHED), anomalies=found).to_json()) == {
        "state": "success",
        "seconds": 9.876,
        "dag_id": "shop_trial_v1",
        "run_id": "demo__1",
        "tasks": [{"task_id": "one", "state": "success", "seconds": 1.5}],
        "rows": {"landed": 10, "published": 8, "rejected": 2},
        "anomalies": {"injected": 2, "found": 2, "missed": 1, "false_positives": 1},
    }


def test_a_run_succeeds_only_if_it_found_all_and_nothing_else() -> None:
    exact = compare([anomaly("1")], [anomaly("1")])
    assert report(anomalies=exact).succeeded
    assert report().succeeded
    assert not report(anomalies=compare([anomaly("1")], [])).succeeded
    assert not report(anomalies=compare([], [anomaly("1")])).succeeded
    assert not report(state="failed", anomalies=exact).succeeded


def test_people_see_tasks_rows_and_anomalies() -> None:
    text = printed(
        report(
            outcome("load", result={"rows": 1200, "skipped": True}),
            outcome("extract", result={"rows": 5}),
            outcome("publish", result=PUBLISHED, map_index=3),
            outcome("odd", state="failed", result={"else": 1}),
            anomalies=compare([anomaly("1"), anomaly("1")], [anomaly("1")]),
        )
    )
    assert "1,200 (already loaded)" in text
    assert "publish[3]" in text
    assert "10 landed, 2 rejected" in text
    assert "10 landed = 8 published + 2 rejected" in text
    assert [cell.strip() for cell in text.split("out_of_range")[1].splitlines()[0].split("│")[1:5]] == [
        "2", "1", "1", "0",
    ]  # fmt: skip


def test_a_run_whose_every_row_was_rejected_says_so_with_the_kinds() -> None:
    refused = {"landed": 3, "rejected": 3, "rejected_by_kind": {"orphan": 2, "null": 1}}
    text = printed(report(outcome("publish", result=refused)))
    assert "Nothing was published" in text
    assert "2 orphan" in text


def test_a_run_that_published_nothing_tells_of_no_rows() -> None:
    assert "Rows:" not in printed(report(outcome("one")))


def test_progress_is_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    with progress.step("Step one"), progress.running() as running:
        running.add("task")
        running.remove("task")
    progress.done("[bold]", 1.25, state="failed", indent=1)
    progress.say("said")
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    lines = err.splitlines()
    assert lines[0].startswith("✓ Step one")
    assert lines[1].startswith("  ✗ [bold]")
    assert lines[1].endswith("failed")
    assert lines[2] == "said"


def test_messages_survive_the_line_and_unknown_ones_are_refused() -> None:
    boot = Boot(warehouse_dsn="dbname=warehouse", apps="all")
    assert commands.validate_json(boot.line()) == boot
    respawned = Respawned(service="scheduler", reason="killed")
    assert events.validate_json(respawned.line()) == respawned
    assert boot.line().count(b"\n") == 1
    with pytest.raises(ValidationError):
        commands.validate_json(b'{"do": "dance"}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two configs, one of them broken."""
    config = {"schema_version": 1, "schedule": None, "start_date": "2026-01-01"}
    tasks = {"one": {"operator": "airflow.providers.standard.operators.empty.EmptyOperator"}}
    (tmp_path / "shop_good_v1.dag.json").write_text(
        json.dumps({**config, "dag_id": "shop_good_v1", "tasks": tasks})
    )
    (tmp_path / "shop_bad_v1.dag.json").write_text(
        json.dumps({**config, "dag_id": "shop_bad_v1", "taks": tasks})
    )
    return tmp_path


def test_of_several_configs_one_is_chosen_and_the_others_mistakes_do_not_matter(folder: Path) -> None:
    with pytest.raises(MisuseError, match="holds 2 configs: shop_bad_v1, shop_good_v1"):
        find_target(folder, None)
    target = find_target(folder, "shop_good_v1")
    assert (target.dag_id, target.folder, target.built_in) == ("shop_good_v1", folder, False)


def test_a_broken_config_is_refused_with_every_place(folder: Path) -> None:
    with pytest.raises(ConfigRejectedError) as caught:
        find_target(folder, "shop_bad_v1")
    assert "taks" in caught.value.diagnostics
    assert Counter(caught.value.diagnostics)["^"] > 0


def test_without_a_checkout_the_example_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.deployments.local.target.project_root", lambda: tmp_path)
    with pytest.raises(MisuseError, match="--config"):
        find_target(None, None)

"""Nothing shows a secret: secrets in every position of configs, and all that is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from windlass.dagfactory import ConfigError, ConfigFile
from windlass.dagfactory.analysis import Analysis, analyse_bytes
from windlass.dagfactory.cli import app
from windlass.dagfactory.diagnostics import CODES
from windlass.dagfactory.diagnostics.sarif import to_sarif
from windlass.dagfactory.explain import explain
from windlass.dagfactory.graph import read_graph, to_mermaid, to_svg
from windlass.dagfactory.secrets import hide

pytestmark = pytest.mark.unit

FILE = ConfigFile("sales_daily_load_v1/dag.json", "/configs/sales_daily_load_v1/dag.json")
RICH: dict[str, Any] = {
    "$schema": "../dag.schema.json",
    "schema_version": 1,
    "dag_id": "sales_daily_load_v1",
    "dag_display_name": "Sales",
    "description": "Land sales.",
    "doc_md": "# Sales",
    "schedule": {"any": [{"asset": "orders", "uri": "s3://lake/orders", "group": "g"}, {"alias": "a"}]},
    "timezone": "Europe/Berlin",
    "start_date": "2026-01-01",
    "end_date": "2027-01-01",
    "catchup": False,
    "dagrun_timeout": "2h",
    "tags": ["sales"],
    "owner": "data",
    "owner_links": {"data": "https://example.org/team"},
    "params": {
        "region": "eu",
        "day": {"type": "string", "default": "a", "enum": ["a"], "description": "Day."},
    },
    "variables": ["REGION"],
    "notify": {"on_failure": [{"notifier": "log", "args": {"text": "x"}}]},
    "compensate": {"operator": "trial.note", "args": {"text": "undo"}},
    "defaults": {
        "retry": {"attempts": 3, "delay": "30s", "on": ["ValueError"]},
        "pool": "p",
        "operators": {"trial.note": {"queue": "q", "args": {"text": "x"}}},
    },
    "tasks": {
        "begin": {
            "operator": "trial.note",
            "setup": True,
            "task_display_name": "B",
            "trigger_rule": "all_done",
        },
        "load": {
            "tooltip": "All.",
            "group_display_name": "L",
            "depends_on": ["begin"],
            "tasks": {
                "run": {"operator": "trial.run_sql", "args": {"sql": "select '${REGION}'", "scripts": []}}
            },
        },
        "each": {
            "operator": "trial.note",
            "expand": {"text": ["a", "b"]},
            "map_index_template": "{{ task.text }}",
            "depends_on": ["load.run"],
            "outlets": [{"asset": "loaded", "uri": "s3://lake/loaded"}],
        },
        "rows": {"operator": "trial.note", "expand_kwargs": [{"text": "a"}], "executor_config": {"a": "b"}},
        "more": {"operator": "trial.note", "expand": {"text": {"output_of": "begin"}}},
        "end": {"operator": "trial.note", "teardown": {"setups": ["begin"]}, "depends_on": ["each", "rows"]},
        "exact": {
            "operator": "airflow.branch",
            "args": {"choose": "{{ 'each' }}"},
            "timeout": "5m",
            "doc_md": "x",
        },
    },
}
MARK = "hunter2-Hunter2-hunter2"
MARKED = {"token": f"ghp_{'a1B2' * 9}", "url": f"amqp://me:{MARK}@host/x"}
MARKS = (MARK, "a1B2a1B2a1B2")


def positions(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in inner for found in ((*path, key), *positions(value, (*path, key)))]


def changed(data: Any, path: tuple[Any, ...], text: str, *, key: bool) -> Any:
    """Put a text in place of the value at a path, or of its key."""
    if not path:
        return text
    first, rest = path[0], path[1:]
    if isinstance(data, list):
        return [changed(v, rest, text, key=key) if i == first else v for i, v in enumerate(data)]
    if key and not rest:
        return {text if name == first else name: value for name, value in data.items()}
    return {n: changed(v, rest, text, key=key) if n == first else v for n, v in data.items()}


def variants() -> Iterator[tuple[str, dict[str, Any]]]:
    """Put a secret in place of each value, and another of each key."""
    token, url = MARKED.values()
    for path in positions(RICH):
        yield f"value {path}", changed(RICH, path, url, key=False)
        if isinstance(path[-1], str):
            yield f"key {path}", changed(RICH, path, token, key=True)
        token, url = url, token


def broken(text: str) -> Iterator[str]:
    """Make a text malformed at the place of the secret, just before and just after."""
    line = next(line for line in text.splitlines() if any(mark in line for mark in MARKS))
    for wrong in (
        f"{line} oops",
        f"{line}\n\toops: [",
        line.replace('"', "", 1),
        f"?{line}",
        line.rstrip('",'),
    ):
        yield text.replace(line, wrong, 1)
    yield text[: text.index(line) + len(line) - 1]
    yield text.replace(line, f"{line}\n{line}", 1)


def shown(analysis: Analysis) -> str:
    diagnostics = analysis.diagnostics()
    parts = [json.dumps(to_sarif(diagnostics)), str(ConfigError(diagnostics)), repr(diagnostics)]
    parts += [json.dumps(each.as_dict(), ensure_ascii=False) for each in diagnostics]
    if isinstance(analysis.document.data, dict):
        parts += [json.dumps(origin.as_dict(), ensure_ascii=False) for origin in explain(analysis)]
        graph = read_graph(analysis.data)
        parts += [json.dumps(graph.as_dict()), to_svg(graph), to_mermaid(graph)]
    return "\n".join(parts)


def leaks(text: str) -> list[str]:
    return [text[max(0, text.index(mark) - 200) : text.index(mark) + 60] for mark in MARKS if mark in text]


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_nothing_shows_a_secret_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setenv("REGION", "eu")
    file = ConfigFile(f"sales_daily_load_v1/dag{suffix}", f"/configs/sales_daily_load_v1/dag{suffix}")
    leaked: dict[str, list[str]] = {}
    step = 1 if suffix == ".json" else 5
    for index, (name, data) in enumerate(islice(variants(), 0, None, step)):
        text = json.dumps(data, indent=2) if suffix == ".json" else as_yaml(data)
        for number, content in enumerate([text, *(broken(text) if index % 11 == 0 else ())]):
            analysis = analyse_bytes(content.encode(), file=file)
            if found := leaks(shown(analysis)):
                leaked[f"{name} {number}"] = found
            if number == 0:
                assert not analysis.sound, name
    assert leaked == {}


def as_yaml(data: Any) -> str:
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000)


SHORT = [
    '{"dag_id": "sales_daily_load_v1", "password": "hunter2" oops}',
    '{"dag_id": "sales_daily_load_v1", "password":\n"hunter2", "password": "hunter2"}',
    '{"args": {"bash_command": "x\\nexport PGPASSWORD=hunter2 psql"} "tasks": hunter2}',
    '{"args": {"bash_command": "curl -u me:hunter2 x',
    "{'password': 'hunter2'}",
    '{"password": hunter2}',
    '{"env": {"DB_PASSWORD: "hunter2"}}',
]
SHORT_YAML = [
    "dag_id: a\npassword: hunter2: x\n",
    "dag_id: a\npassword: |\n  hunter2\n\tx: 1\n",
    "password: !tag hunter2\n",
    "run: psql postgresql://me:hunter2@db: x\n",
    "- bash_command: export PGPASSWORD=hunter2\n  - x\n",
    "password: &a hunter2\ntoken: *a\nx: *b\n",
]


@pytest.mark.parametrize(
    ("text", "suffix"), [*((t, ".json") for t in SHORT), *((t, ".yaml") for t in SHORT_YAML)]
)
def test_excerpts_of_malformed_files_show_no_secret(text: str, suffix: str) -> None:
    path = f"sales_daily_load_v1/dag{suffix}"
    analysis = analyse_bytes(text.encode(), file=ConfigFile(path, f"/configs/{path}"))
    assert not analysis.sound
    assert "hunter2" not in shown(analysis)


def test_values_of_variables_are_no_way_for_secrets(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    monkeypatch.setenv("PLACE", MARKED["url"])
    config |= {"variables": ["PLACE"], "timezone": "${PLACE}", "description": "At ${PLACE}."}
    analysis = analyse_bytes(json.dumps(config, indent=1).encode(), file=FILE)
    found = [(each.code, each.path, each.column) for each in analysis.diagnostics()]
    assert found == [
        ("WDF502", "$.description", 21),
        ("WDF202", "$.timezone", 14),
        ("WDF502", "$.timezone", 15),
    ]
    assert leaks(shown(analysis)) == []


def test_no_command_prints_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGION", "eu")
    (tmp_path / "defaults.json").write_text(json.dumps({"owner": MARKED["url"], MARKED["token"]: 1}))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "defaults.yaml").write_text(f"defaults:\n  pool: {MARKED['url']}\n  queue: [\n")
    for index, (_, data) in enumerate(islice(variants(), 0, None, 15)):
        folder = tmp_path / "a" / f"sales_daily_load_v{index}"
        folder.mkdir()
        (folder / "dag.json").write_text(json.dumps(data, indent=2))
        (folder / "other.dag.json").write_text(next(broken(json.dumps(data, indent=2))))
    runs = [["validate", "."], ["validate", ".", "--json"], ["validate", ".", "--format", "sarif"]]
    for one in ("a/sales_daily_load_v0/dag.json", "a/sales_daily_load_v9/dag.json"):
        runs += [["explain", one], ["explain", one, "--json"], ["explain", one, "ghp"]]
        runs += [["graph", one], ["graph", one, "--json"], ["graph", one, "--format", "mermaid"]]
    runs += [["stubs", ".", "stubs", "--json"]]
    for run in runs:
        done = CliRunner().invoke(app, run)
        assert done.exit_code in (1, 2) or run[0] == "stubs", (run, done.output)
        assert leaks(done.output) == [], run
    for stub in (tmp_path / "stubs").rglob("*"):
        assert stub.is_dir() or leaks(stub.read_bytes().decode("utf-8", "replace")) == []


def test_advice_stays_as_it_is() -> None:
    assert [info.code for info in CODES.values() if hide(info.advice) != info.advice] == []


def test_short_secrets_are_taken_out_as_words_only(config: dict[str, Any]) -> None:
    config["tasks"]["run"]["args"] = {"password": "a", "sql": "select 1"}
    del config["start_date"], config["dag_id"]
    found = {
        each.code: each.message
        for each in analyse_bytes(json.dumps(config).encode(), file=FILE).diagnostics()
    }
    assert found["WDF102"] == 'the key "dag_id" is missing'

"""Folders' defaults and variables: what holds in the end, and in which file a mistake is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse, analyse_all
from windlass.dagfactory.discovery import discover
from windlass.dagfactory.layers import merge
from windlass.dagfactory.layers.variables import raw_offset
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.unit

NAME = "sales_daily_load_v1"


def config(**keys: Any) -> dict[str, Any]:
    task = {"operator": "trial.note", "args": {"text": "begin"}}
    return {"dag_id": NAME, "schedule": "@daily", "start_date": "2026-01-01", "tasks": {"note": task}} | keys


def write(root: Path, files: dict[str, Any]) -> list[ConfigFile]:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return discover(root).configs


def found(root: Path, files: dict[str, Any]) -> list[tuple[str, str, int, int, str]]:
    _, diagnostics = validate_configs(write(root, files))
    return [(d.file, d.code, d.line, d.column, d.path) for d in diagnostics]


def resolved(root: Path, files: dict[str, Any]) -> dict[str, Any]:
    [analysis] = analyse_all(write(root, files))
    assert analysis.diagnostics() == []
    return dict(analysis.data)


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        ({"owner": "a"}, {"owner": "b"}, {"owner": "b"}),
        ({"owner": "a"}, {}, {"owner": "a"}),
        ({"owner": "a"}, {"owner": None}, {}),
        ({}, {"owner": None}, {"owner": None}),
        ({"tags": ["a"]}, {"tags": ["b"]}, {"tags": ["b"]}),
        ({"owner_links": {"a": "x"}}, {"owner_links": {"b": "y"}}, {"owner_links": {"b": "y"}}),
        ({"schedule": {"every": "1h"}}, {"schedule": {"asset": "x"}}, {"schedule": {"asset": "x"}}),
        ({"params": {"a": 1, "b": 2}}, {"params": {"a": None, "c": 3}}, {"params": {"b": 2, "c": 3}}),
        (
            {"params": {"a": {"type": "x"}}},
            {"params": {"a": {"default": 1}}},
            {"params": {"a": {"default": 1}}},
        ),
        (
            {"defaults": {"pool": "p", "retry": {"attempts": 3, "delay": "1m"}}},
            {"defaults": {"queue": "q", "retry": {"attempts": 5, "delay": None}}},
            {"defaults": {"pool": "p", "queue": "q", "retry": {"attempts": 5}}},
        ),
        (
            {"defaults": {"operators": {"x.y": {"pool": "p", "args": {"a": {"b": 1}, "c": 2}}}}},
            {"defaults": {"operators": {"x.y": {"args": {"a": {"d": 1}}}, "z": {}}}},
            {"defaults": {"operators": {"x.y": {"pool": "p", "args": {"a": {"d": 1}, "c": 2}}, "z": {}}}},
        ),
        ({"defaults": {"retry": {"attempts": 3}}}, {"defaults": None}, {}),
        ({"defaults": {"retry": {"attempts": 3}}}, {"defaults": {"retry": 1}}, {"defaults": {"retry": 1}}),
    ],
)
def test_the_nearer_layer_wins_key_by_key_where_it_should(
    base: dict[str, Any], own: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = json.dumps([base, own])
    assert merge(base, own) == expected
    assert json.dumps([base, own]) == before


def test_defaults_come_from_every_folder_down_to_the_config(tmp_path: Path) -> None:
    files = {
        "defaults.json": {"$schema": "x", "owner": "all", "tags": ["a"], "timezone": "Europe/Berlin"},
        "sales/defaults.yaml": "tags: [b]\ndefaults: {pool: sales}\n",
        f"sales/{NAME}/defaults.yml": "defaults: {queue: fast}\n",
        f"sales/{NAME}/dag.json": config(),
        "other/defaults.json": {"owner": "others"},
    }
    data = resolved(tmp_path, files)
    assert data["owner"] == "all"
    assert data["tags"] == ["b"]
    assert data["timezone"] == "Europe/Berlin"
    assert data["defaults"] == {"pool": "sales", "queue": "fast"}
    assert "$schema" not in data


def test_defaults_above_the_root_do_not_count(tmp_path: Path) -> None:
    files = {"defaults.json": {"owner": "all"}, f"sales/{NAME}.dag.json": config()}
    write(tmp_path, files)
    path = tmp_path / "sales" / f"{NAME}.dag.json"
    assert "owner" not in analyse(ConfigFile.at(path)).data
    assert analyse(ConfigFile.at(path, root=tmp_path)).data["owner"] == "all"
    assert analyse(ConfigFile.at(path, name=f"sales/{NAME}.dag.json")).data["owner"] == "all"
    assert "owner" not in analyse(ConfigFile.at(path, root=tmp_path / "elsewhere")).data


def test_a_config_that_is_wrong_without_its_folder_is_right_with_it(tmp_path: Path) -> None:
    whole = config()
    del whole["start_date"]
    files = {"defaults.json": {"start_date": "2026-01-01"}, f"{NAME}.dag.json": whole}
    assert resolved(tmp_path, files)["start_date"] == "2026-01-01"


def test_a_mistake_in_defaults_is_shown_in_their_file_once_for_all_below(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "sales/defaults.json": '{\n  "ownr": "x",\n  "defaults": {"retry": {"attempts": 0}}\n}',
        f"sales/{NAME}.dag.json": config(),
        "sales/sales_hourly_load_v1.dag.json": config(dag_id="sales_hourly_load_v1"),
        "hr_daily_load_v1.dag.json": config(dag_id="hr_daily_load_v1"),
    }
    assert found(tmp_path, files) == [
        ("sales/defaults.json", "WDF101", 2, 3, "$.ownr"),
        ("sales/defaults.json", "WDF104", 3, 38, "$.defaults.retry.attempts"),
    ]
    broken = [
        analysis.file.name for analysis in analyse_all(discover(tmp_path).configs) if not analysis.sound
    ]
    assert broken == ["sales/sales_daily_load_v1.dag.json", "sales/sales_hourly_load_v1.dag.json"]


def test_a_default_that_a_config_overrides_is_checked_all_the_same(tmp_path: Path) -> None:
    files = {"defaults.json": {"catchup": "no"}, f"{NAME}.dag.json": config(catchup=True)}
    assert found(tmp_path, files) == [("defaults.json", "WDF103", 2, 14, "$.catchup")]


def test_a_mistake_that_only_shows_together_is_placed_where_its_value_is(tmp_path: Path) -> None:
    files = {
        "defaults.json": {"timezone": "Europe/Berlln"},
        f"a/{NAME}.dag.json": config(end_date="2025-01-01"),
        "a/defaults.yaml": "schedule: 61 * * * *\n",
    }
    del files[f"a/{NAME}.dag.json"]["schedule"]
    assert found(tmp_path, files) == [
        ("defaults.json", "WDF202", 2, 15, "$.timezone"),
        ("a/defaults.yaml", "WDF201", 1, 11, "$.schedule"),
        (f"a/{NAME}.dag.json", "WDF209", 12, 15, "$.end_date"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("defaults.json", '{"owner": "x",}', "WDF007"),
        ("defaults.yaml", "a:\n\tb: 1", "WDF020"),
        ("defaults.yml", "[]", "WDF012"),
    ],
)
def test_malformed_defaults_break_what_is_below(tmp_path: Path, name: str, content: str, code: str) -> None:
    own = config(tasks={"note": {"operator": "trial.note", "args": {"text": "${PERHAPS_DECLARED_THERE}"}}})
    shown = [
        (file, found_code)
        for file, found_code, *_ in found(tmp_path, {name: content, f"{NAME}.dag.json": own})
    ]
    assert (name, code) in shown
    assert ((f"{NAME}.dag.json", "WDF701") in shown) == (code == "WDF007")


def test_defaults_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"owner": "x"}')
    for name, make in {
        "fifo": os.mkfifo,
        "loop": lambda path: path.symlink_to(path),
        "folder": Path.mkdir,
        "link": lambda path: path.symlink_to(outside),
    }.items():
        root = tmp_path / name
        write(root, {f"{NAME}.dag.json": config()})
        make(root / "defaults.json")  # type: ignore[operator]
        assert found(root, {}) == [("defaults.json", "WDF001", 1, 1, "$")], name


def test_defaults_that_are_linked_within_the_root_count(tmp_path: Path) -> None:
    write(tmp_path, {"shared.json": {"owner": "x"}, f"a/{NAME}.dag.json": config()})
    (tmp_path / "a" / "defaults.json").symlink_to("../shared.json")
    assert resolved(tmp_path, {})["owner"] == "x"


def test_files_are_named_from_where_the_config_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "defaults.json": "[]",
            "a/defaults.json": "[]",
            f"a/b/{NAME}.dag.json": config(),
            "a/b/defaults.json": "[]",
        },
    )
    monkeypatch.chdir(tmp_path / "a")
    for shown, expected in {
        f"b/{NAME}.dag.json": ["../defaults.json", "defaults.json", "b/defaults.json"],
        f"../a/b/{NAME}.dag.json": ["../defaults.json", "../a/defaults.json", "../a/b/defaults.json"],
    }.items():
        file = ConfigFile.at(shown, root=tmp_path)
        assert [d.file for d in analyse(file).diagnostics()] == expected
    monkeypatch.chdir(tmp_path / "a" / "b")
    file = ConfigFile.at(f"{NAME}.dag.json", root=tmp_path)
    assert [d.file for d in analyse(file).diagnostics()] == [
        "../../defaults.json",
        "../defaults.json",
        "defaults.json",
    ]


def test_a_secret_in_defaults_is_found_and_its_line_never_quoted(tmp_path: Path) -> None:
    files = {
        "defaults.json": '{"params": {"db_password": "hunter2"}, "timezone": "X"}',
        f"{NAME}.dag.json": config(),
    }
    _, diagnostics = validate_configs(write(tmp_path, files))
    assert [(d.file, d.code, d.source_line) for d in diagnostics] == [
        ("defaults.json", "WDF501", None),
        ("defaults.json", "WDF202", None),
    ]
    assert "hunter2" not in str(diagnostics)


def test_variables_are_replaced_in_values_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.setenv("TEAM", "${REGION}")
    args = {"text": "in ${REGION}, $${REGION} and $REGION; ${REGION:-x}", "${REGION}": ["${TEAM}", 1]}
    files = {
        "defaults.json": {"variables": ["TEAM"], "owner": "${TEAM}"},
        f"{NAME}.dag.json": config(
            variables=["REGION"], tasks={"note": {"operator": "trial.note", "args": args}}
        ),
    }
    data = resolved(tmp_path, files)
    assert data["owner"] == "${REGION}"  # a value is not looked through again
    assert data["variables"] == ["REGION", "TEAM"]
    assert data["tasks"]["note"]["args"] == {
        "text": "in eu, ${REGION} and $REGION; ${REGION:-x}",
        "${REGION}": ["${REGION}", 1],
    }


def test_a_variable_counts_below_its_folder_and_not_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "eu")
    files = {
        "defaults.json": '{"owner": "${REGION}"}',
        "a/defaults.json": '{"variables": ["REGION"], "description": "${REGION}"}',
        f"a/{NAME}.dag.json": config(doc_md="${REGION} ${REGOIN}"),
    }
    assert found(tmp_path, files) == [
        ("defaults.json", "WDF701", 1, 12, "$.owner"),
        (f"a/{NAME}.dag.json", "WDF701", 13, 24, "$.doc_md"),
    ]
    assert analyse_all(discover(tmp_path).configs)[0].diagnostics()[1].suggestion == 'did you mean "REGION"?'


@pytest.mark.parametrize(
    "string", ['"${X}"', '"a\\n\\"b\\" ${X}"', '"\\u00e9\\ud83d\\ude80 \\u0020${X}"', '"é🚀 $${X} ${X}"']
)
def test_the_column_is_that_of_the_reference(tmp_path: Path, string: str) -> None:
    text = json.dumps(config())[:-1] + f',\n"owner": {string}}}'
    [(_, code, line, at, _)] = found(tmp_path, {f"{NAME}.dag.json": text})
    assert (code, line) == ("WDF701", 2)
    assert at == text.splitlines()[1].rindex("${X}") + 1


@pytest.mark.parametrize(
    "block",
    [
        "|\n  one\n\n  two ${X}\n",
        ">-\n  one\n  two ${X}\n",
        "one\n  two ${X}\n",
        "'it''s one\n  two ${X}'\n",
        '"one\\t\\x20 two\\\n  ${X}"\n',
        "&anchor\n  two ${X}\n",
    ],
)
def test_a_reference_in_yaml_is_shown_on_its_own_line(tmp_path: Path, block: str) -> None:
    head = f'dag_id: {NAME}\nschedule: "@daily"\nstart_date: 2026-01-01\n'
    head += "tasks: {note: {operator: trial.note}}\n"
    text = f"{head}description: {block}"
    [(_, code, line, column, path)] = found(tmp_path, {f"{NAME}.dag.yaml": text})
    row = next(number for number, content in enumerate(text.splitlines(), 1) if "${X}" in content)
    assert (code, line, path) == ("WDF701", row, "$.description")
    assert column == text.splitlines()[row - 1].index("${X}") + 1


def test_variables_without_a_value_are_told_of_where_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGION", raising=False)
    monkeypatch.setenv("API_TOKEN", "x")
    os.environb[b"ODD"] = b"\xff"
    try:
        own = config(variables=["REGION", "API_TOKEN", "ODD", "2X"], owner="${REGION}${API_TOKEN}")
        assert [entry[1:] for entry in found(tmp_path, {f"{NAME}.dag.json": own})] == [
            ("WDF702", 14, 5, "$.variables[0]"),
            ("WDF705", 15, 5, "$.variables[1]"),
            ("WDF702", 16, 5, "$.variables[2]"),
            ("WDF104", 17, 5, "$.variables[3]"),
        ]
    finally:
        del os.environb[b"ODD"]


def test_wrong_kinds_of_variables_are_told_of(tmp_path: Path) -> None:
    own = [("WDF103", "$.variables")]
    assert [(c, p) for _, c, _, _, p in found(tmp_path, {f"{NAME}.dag.json": config(variables="X")})] == own
    files = {"defaults.json": {"variables": []}, f"{NAME}.dag.json": config(variables=[1])}
    assert [(c, p) for _, c, _, _, p in found(tmp_path, files)] == [("WDF103", "$.variables[0]")]


def test_an_offset_leads_back_to_the_text_before_replacement() -> None:
    text = "a ${X} b $${X} c"
    became = "a long value b ${X} c"
    known = {"X": "long value"}
    assert raw_offset(text, known, became.index("b")) == text.index("b")
    assert raw_offset(text, known, became.index("value")) == text.index("${X}")
    assert raw_offset(text, known, became.index("c")) == text.rindex("c")
    assert raw_offset(text, known, 999) == len(text)


def test_files_that_change_while_they_are_read_never_raise(tmp_path: Path) -> None:
    """Writers that do not rename leave half a file to see: a located mistake, or one state or the other."""
    texts = [json.dumps(config(description=letter * 60_000)) for letter in "ab"]
    [file] = write(tmp_path, {f"{NAME}.dag.json": texts[0], "defaults.json": '{"owner": "a"}'})
    code = (
        "import sys\n"
        "while True:\n"
        "  for letter in 'ab':\n"
        "    for path, text in zip(sys.argv[1::3], sys.argv[2 if letter == 'a' else 3::3]):\n"
        "      open(path, 'w').write(text)\n"
    )
    defaults = tmp_path / "defaults.json"
    command = [sys.executable, "-c", code, file.path, *texts, defaults, '{"owner": "a"}', '{"owner": "bb"}']
    with subprocess.Popen(command) as writer:
        try:
            deadline = time.monotonic() + 20
            seen = []
            while len(seen) < 300 or len({str(analysis.data.get("owner")) for analysis in seen}) < 3:
                assert time.monotonic() < deadline
                seen.append(analyse(file))
        finally:
            writer.kill()
    for analysis in seen:
        codes = {found.code for found in analysis.diagnostics()}
        assert codes <= {"WDF003", "WDF009", "WDF006"}
        if not codes:
            assert analysis.data["description"][:1] in "ab"
            assert analysis.data["owner"] in ("a", "bb")
    assert {str(analysis.data.get("owner")) for analysis in seen} == {"a", "bb", "None"}


def test_a_file_that_may_not_be_read_is_told_of() -> None:
    with tempfile.TemporaryDirectory() as folder:
        [file] = write(Path(folder), {f"{NAME}.dag.json": config(), "defaults.json": {"owner": "x"}})
        Path(folder).chmod(0o755)
        Path(folder, "defaults.json").chmod(0)
        code = (
            "import os, sys; import windlass.dagfactory.checks.templates, windlass.dagfactory.validation\n"
            "from windlass.dagfactory import ConfigFile, analyse\n"
            "os.geteuid() or os.setuid(65534)\n"  # root may read everything
            "print([(d.file, d.code, d.message) for d in analyse(ConfigFile.at(sys.argv[1])).diagnostics()])"
        )
        command = [sys.executable, "-c", code, file.path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "defaults.json', 'WDF001', 'the file cannot be read: Permission denied'" in done.stdout

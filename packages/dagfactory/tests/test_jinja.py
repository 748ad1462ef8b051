"""Templates are checked before a run: syntax, names, filters, at the character concerned."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse_bytes
from windlass.dagfactory.checks.jinja import CONTEXT_NAMES, check_jinja
from windlass.dagfactory.checks.rendered import included_files
from windlass.dagfactory.checks.templates import FILTERS, find_mistakes
from windlass.dagfactory.checks.tree import Tree

pytestmark = pytest.mark.unit

NAME = "sales_daily_load_v1"


def mistakes(template: str) -> list[tuple[str, str]]:
    """Kind of each mistake, and the text it points at."""
    found = find_mistakes(template, CONTEXT_NAMES)
    return [(m.kind, template[m.inside[0] : sum(m.inside)] if m.inside else "") for m in found]


def shown(args: dict[str, Any] | str, suffix: str = "json") -> list[tuple[str, int, int]]:
    config = {
        "dag_id": NAME,
        "schedule": None,
        "tasks": {"note": {"operator": "trial.note", "args": args}},
    }
    text = json.dumps(config, indent=1) if isinstance(args, dict) else args
    file = ConfigFile(f"{NAME}.dag.{suffix}", f"/configs/{NAME}.dag.{suffix}")
    return [(d.code, d.line, d.column) for d in analyse_bytes(text.encode(), file=file).diagnostics()]


@pytest.mark.parametrize(
    "template",
    [
        "{{ ds }}",
        "{{ dag_run.conf['x'] | default('y') }} {# nothing #}",
        "{% set y = 1 %}{{ y }}{% for i in range(3) %}{{ loop.index }} {{ i }}{% endfor %}",
        "{% if foo is defined %}{{ foo }}{% endif %} {{ bar | default(1) }} {{ baz | d }}",
        "{% macro m(a) %}{{ a }}{{ caller() }}{% endmacro %}{{ m(1) }}",
        "{% do params.update({}) %}{{ macros.ds_add(ds, 1) }} {{ logical_date | ts_nodash }}",
        "{% raw %}{{ x }}{% endraw %} }} {{- ds -}} {{ ti.xcom_pull(task_ids='x') }}",
        "{{ params.x }} {{ var.value.y }} {{ conn.z.host }}",
    ],
)
def test_what_airflow_renders_is_fine(template: str) -> None:
    assert mistakes(template) == []
    assert shown({"text": template}) == []


@pytest.mark.parametrize(
    ("template", "pointed_at"),
    [
        ("a {{ ds", "{{"),
        ("{{ ds }} {{ ds }", "{{"),
        ("{% if ds %}{% for x in params %}{% endfor %}", "{%"),
        ("{{ ds ts }}", "ts"),
        ("{{ }}", "}}"),
        ("{{ ds }}{% endfor %}", "endfor"),
        ("{{ 'ds }}", "'"),
        ("{{ ds }} {# ds", "{#"),
        ("{{.Name}}", "."),
        ("{{ ds -}}\n\n {{- ts ? }}", "?"),
        ("{{ ds -}}\n\n {{- ts ts }}", "ts"),
    ],
)
def test_malformed_templates_are_located(template: str, pointed_at: str) -> None:
    assert mistakes(template) == [("syntax", pointed_at)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ dss }}", [("name", "dss")]),
        ("{{ ds.dss }} {{ dss }}", [("name", "dss")]),
        ("{{ ds | tss }} {{ x }}", [("filter", "tss"), ("name", "x")]),
        ("{{ ds is not odddd }}", [("test", "odddd")]),
        ("{% for i in range(2) %}{% endfor %}{{ i }}", [("name", "i")]),
        ("{{ b }} {{ a }}", [("name", "a"), ("name", "b")]),
    ],
)
def test_names_that_are_not_there_are_located(template: str, expected: list[tuple[str, str]]) -> None:
    assert mistakes(template) == expected


def test_a_template_with_carriage_returns_is_shown_whole() -> None:
    assert mistakes("a\r\n{{ dss }}") == [("name", "")]
    assert mistakes("a\r\n{{ ds ts }}") == [("syntax", "")]


def test_line_and_column_are_those_of_the_file() -> None:
    assert shown({"text": 'é "\n\t {{ dss }}'}) == [("WDF704", 8, 31)]  # é is \\u00e9 there
    text = f"dag_id: {NAME}\nschedule: null\ntasks:\n  note:\n    operator: trial.note\n    args:\n"
    assert shown(f"{text}      text: |\n        one\n\n        two {{{{ dss }}}}\n", "yaml") == [
        ("WDF704", 10, 16)
    ]
    assert shown(f"{text}      text: >\n        one\n        two {{{{ ds ds }}}}\n", "yaml") == [
        ("WDF703", 9, 19)
    ]


def test_a_template_is_located_in_the_text_before_variables_were_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LONG", "a rather long value")
    config = {
        "dag_id": NAME,
        "schedule": None,
        "variables": ["LONG"],
        "tasks": {"note": {"operator": "trial.note", "args": {"text": "${LONG} {{ dss }}"}}},
    }
    text = json.dumps(config)
    assert shown(text) == [("WDF704", 1, text.index("dss") + 1)]


def test_every_place_that_is_rendered_is_looked_at() -> None:
    bad = {"text": ["{{ dss }}"]}
    notify = {"on_failure": [{"notifier": "x", "args": bad}, 1], "on_success": 1}
    task = {
        "operator": "x",
        "args": bad,
        "expand": bad,
        "expand_kwargs": [bad],
        "map_index_template": "{{ named_by_the_task }} {{ ds ds }}",
        "notify": notify,
        "compensate": {"operator": "x", "args": bad},
        "doc_md": "{{ dss }}",
    }
    data = {
        "description": "{{ dss }}",
        "notify": notify,
        "compensate": {"args": bad},
        "defaults": {"notify": notify, "operators": {"x": {"args": bad, "notify": notify}, "y": 1}},
        "tasks": {"group": {"tasks": {"inner": task}}, "wrong": 1},
    }
    found = [finding.path for finding in check_jinja(data, Tree.of(data["tasks"]), Path())]
    inner = ("tasks", "group", "tasks", "inner")
    event = ("notify", "on_failure", 0, "args", "text", 0)
    assert set(found) == {
        event,
        ("compensate", "args", "text", 0),
        ("defaults", *event),
        ("defaults", "operators", "x", "args", "text", 0),
        ("defaults", "operators", "x", *event),
        (*inner, "args", "text", 0),
        (*inner, "expand", "text", 0),
        (*inner, "expand_kwargs", 0, "text", 0),
        (*inner, "map_index_template"),
        (*inner, *event),
        (*inner, "compensate", "args", "text", 0),
    }
    assert len(found) == len(set(found))


def test_the_names_are_those_that_airflow_gives() -> None:
    from airflow.sdk.definitions._internal.templater import FILTERS as AIRFLOWS
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

    assert CONTEXT_NAMES == KNOWN_CONTEXT_KEYS
    assert set(FILTERS) == AIRFLOWS.keys()


def test_plain_templates_are_judged_without_jinja_or_airflow(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.dag.json"
    task = {"operator": "trial.note", "args": {"text": "{{ ds }} and {{params.x.y}}, {{ ti }}"}}
    path.write_text(json.dumps({"dag_id": NAME, "schedule": None, "tasks": {"note": task}}))
    code = (
        "import sys; from windlass.dagfactory import ConfigFile, analyse\n"
        "assert analyse(ConfigFile.at(sys.argv[1])).sound\n"
        "print([m for m in ('jinja2', 'airflow', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_a_compensation_knows_what_failed() -> None:
    args = {"text": "{{ failure.task_id }}"}
    data = {"compensate": {"operator": "x", "args": args}, "tasks": {"a": {"operator": "x", "args": args}}}
    found = [finding.path for finding in check_jinja(data, Tree.of(data["tasks"]), Path())]
    assert found == [("tasks", "a", "args", "text")]


BASH_CLASS = "airflow.providers.standard.operators.bash.BashOperator"


@pytest.fixture
def beside(tmp_path: Path) -> Callable[..., list[tuple[str, str, int, int, str]]]:
    """Check a config among files: code, file, line, column and text pointed at of each mistake."""

    def check(task: dict[str, Any], files: dict[str, str | bytes], **more: Any) -> Any:
        folder = tmp_path / NAME
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        config = {"dag_id": NAME, "schedule": None, **more, "tasks": {"run": task}}
        (folder / "dag.json").write_text(json.dumps(config, indent=1))
        file = ConfigFile(f"{NAME}/dag.json", str(folder / "dag.json"))
        found = analyse_bytes((folder / "dag.json").read_bytes(), file=file).diagnostics()
        return [(d.code, d.file.removeprefix(f"{NAME}/"), d.line, d.column, _pointed_at(d)) for d in found]

    return check


def _pointed_at(diagnostic: Any) -> str:
    line = diagnostic.source_line or ""
    return str(line[diagnostic.column - 1 : diagnostic.column - 1 + diagnostic.length])


@pytest.mark.parametrize("operator", ["airflow.bash", BASH_CLASS])
def test_scripts_that_airflow_renders_are_checked_at_their_own_lines(beside: Any, operator: str) -> None:
    files = {"load.sh": "set -e\r\necho {{ dss }}\r\n", "end.bash": "echo ${#files[@]}\n"}
    task = {"operator": operator, "expand": {"bash_command": ["load.sh", "end.bash", "echo"]}}
    assert beside(task, files) == [
        ("WDF703", "end.bash", 1, 7, "{#"),
        ("WDF704", "load.sh", 2, 9, "dss"),
    ]
    sound = {"load.sh": "echo {{ ds }} {% raw %}${#files[@]}{% endraw %}\n"}
    assert beside({"operator": operator, "args": {"bash_command": "load.sh"}}, sound) == []


def test_scripts_are_those_of_all_that_an_operator_renders(beside: Any) -> None:
    args = {"bash_command": "run.sh", "env": {"NEXT": "next.sh", "OTHER": "other.sh "}}
    task = {"operator": "airflow.bash", "args": args}
    assert beside(task, {"run.sh": b"echo \xe9", "other.sh": "{{ nothing }}"}) == [
        ("WDF403", "dag.json", 8, 21, '"run.sh"'),
        ("WDF402", "dag.json", 10, 14, '"next.sh"'),
    ]


def test_scripts_of_any_class_are_checked(beside: Any, tmp_path: Path) -> None:
    args = {"sql": ["load.sql", "select {{ dss }}"]}
    task = {"operator": "windlass_test_operators_airflow.Sql", "args": args}
    assert beside(task, {"load.sql": "select 1\nwhere '{{ ds }}' = {{ dz }}\n"}) == [
        ("WDF704", "dag.json", 10, 17, "dss"),
        ("WDF704", "load.sql", 2, 23, "dz"),
    ]
    own = {"operator": "windlass_test_operators_airflow.OwnWay", "args": {"sql": "none.sql"}}
    assert beside(own, {}) == []


def test_a_compensation_s_script_knows_what_failed(beside: Any) -> None:
    undo = {"operator": "airflow.bash", "args": {"bash_command": "undo.sh"}}
    files = {"undo.sh": "echo {{ failure.task_id }}"}
    assert beside({"operator": "airflow.empty", "compensate": undo}, files) == []
    assert beside(undo, files) == [("WDF704", "undo.sh", 1, 9, "failure")]


def test_what_templates_take_in_is_looked_for_and_checked(beside: Any) -> None:
    text = "{% import 'lib/macros.j2' as lib %}{% set x = 1 %}{% include \"part.txt\" %}{{ lib.m(1) }}"
    task = {"operator": "trial.note", "args": {"text": text}}
    files = {
        "lib/macros.j2": "{% macro m(a) %}\n{{ a }} {{ b }}\n{% endmacro %}",
        "part.txt": "{{ x }} {{ ds }}\n{% from '/lib/macros.j2' import m, n as o %}{{ m(1) }}{{ o() }}\n"
        "{% include ['none.txt', 'last.txt'] %}{% include 'part.txt' %}",
        "last.txt": "{{ x ~ o }}\n\n  {{ y }}",
    }
    assert beside(task, files) == [
        ("WDF704", "last.txt", 3, 6, "y"),
        ("WDF704", "lib/macros.j2", 2, 12, "b"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{% include 'none.txt' %}", "WDF402"),
        ("{%- extends 'none.txt' %}", "WDF402"),
        ("{% from 'none.txt' import x %}", "WDF402"),
        ("{% include ['none.txt', '../other.txt'] %}", "WDF402"),
        ("{% include '../other.txt' %}", "WDF401"),
        ("{% include 'link.txt' %}", "WDF401"),
        ("{% include 'lib/../there.txt' %}", "WDF402"),
        ("{% include 'lib' %}", "WDF403"),
        ("{% include 'none.txt' ignore missing %}", None),
        ("{% include params.file %}", None),
        ("{% include [] ignore missing %}", None),
        ("{% include ['none.txt', params.file] %}", None),
        ("{% include '/there.txt' %}", None),
        ("{% raw %}{% include 'none.txt' %}{% endraw %}", None),
        ("{# {% include 'none.txt' %} #}", None),
    ],
)
def test_what_templates_take_in_is_there_and_in_the_folder(
    beside: Any, tmp_path: Path, text: str, code: str | None
) -> None:
    (tmp_path / "other.txt").touch()
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "link.txt").symlink_to("../other.txt")
    files = {"there.txt": "", "lib/there.txt": ""}
    found = beside({"operator": "trial.note", "args": {"text": f"é {text}"}}, files)
    assert [(found_code, file) for found_code, file, *_ in found] == ([(code, "dag.json")] if code else [])
    assert all(pointed in text for *_, pointed in found)
    script = {"operator": "airflow.bash", "args": {"bash_command": "run.sh"}}
    found = beside(script, {**files, "run.sh": f"#!/bin/sh\n {text}"})
    assert [(found_code, file, line) for found_code, file, line, *_ in found] == (
        [(code, "run.sh", 2)] if code else []
    )


def test_a_line_that_holds_a_secret_is_not_quoted(beside: Any) -> None:
    script = "curl --user me:pw123456 https://me:pw123456@example.org/{{ dss }}\n"
    found = beside({"operator": "airflow.bash", "args": {"bash_command": "run.sh"}}, {"run.sh": script})
    assert ("WDF704", "run.sh", 1, 60, "") in found


def test_what_a_template_takes_in_is_named_for_those_who_watch_it(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("{% include 'b.sql' %} {% include '../c.sql' %}")
    (tmp_path / "b.sql").write_text("{%- from \"sub/d.sql\" import x %}{% include 'a.sql' %}{{ 'e.sql' }}")
    found = included_files(tmp_path, "{% include ['a.sql', 'f.sql'] ignore missing %}")
    assert found == {"a.sql", "b.sql", "f.sql", "sub/d.sql"}
    assert included_files(tmp_path, "select 'a.sql'") == set()

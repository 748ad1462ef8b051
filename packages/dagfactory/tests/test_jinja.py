"""Templates are checked before a run: syntax, names, filters, at the character concerned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse_bytes
from windlass.dagfactory.checks.jinja import CONTEXT_NAMES, check_jinja
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
    found = [finding.path for finding in check_jinja(data, Tree.of(data["tasks"]))]
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
    found = [finding.path for finding in check_jinja(data, Tree.of(data["tasks"]))]
    assert found == [("tasks", "a", "args", "text")]

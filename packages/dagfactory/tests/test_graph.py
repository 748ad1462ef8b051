"""Pictures of DAGs: what is read from a config, that nothing overlaps, and what mistakes look like."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.cli import app
from windlass.dagfactory.graph import read_graph, to_mermaid, to_svg
from windlass.dagfactory.graph.layout import Box, lay_out, shorten, text_width

pytestmark = pytest.mark.unit
WriteConfig = Callable[..., Path]

SVG = "{http://www.w3.org/2000/svg}"
OP = {"operator": "trial.note"}


def after(*names: str, **more: Any) -> dict[str, Any]:
    return {**OP, "depends_on": list(names), **more}


TASKS: dict[str, Any] = {
    "begin": {**OP, "setup": True},
    "load": {
        "depends_on": ["begin"],
        "tooltip": "All that is landed",
        "tasks": {
            "orders": OP,
            "items": after("orders"),
            "clean": {"tasks": {"dedupe": after("items"), "fill": after("dedupe", "orders")}},
        },
    },
    "files": OP,
    "score": {**OP, "expand": {"path": {"output_of": "files"}}, "depends_on": ["load.clean.dedupe"]},
    "flat": {"prefix_group_id": False, "tasks": {"inner": after("files")}},
    "join": after("load", "score", "inner", trigger_rule="all_done"),
    "end": after("join", teardown={"setups": ["begin"]}),
}
DATA = {"dag_id": "sales_daily_load_v1", "schedule": "0 5 * * *", "tasks": TASKS}


def edges(data: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.target, edge.kind) for edge in read_graph(data).edges}


def test_names_lead_to_siblings_first_then_outwards_then_from_the_top() -> None:
    assert edges(DATA) == {
        ("begin", "load", "depends"),
        ("load.orders", "load.items", "depends"),
        ("load.items", "load.clean.dedupe", "depends"),
        ("load.clean.dedupe", "load.clean.fill", "depends"),
        ("load.orders", "load.clean.fill", "depends"),
        ("files", "score", "depends"),
        ("load.clean.dedupe", "score", "depends"),
        ("files", "inner", "depends"),
        ("load", "join", "depends"),
        ("score", "join", "depends"),
        ("inner", "join", "depends"),
        ("join", "end", "depends"),
        ("begin", "end", "teardown"),
    }


def test_ids_are_those_that_airflow_gives() -> None:
    tasks = {"outer": {"tasks": {"flat": {"prefix_group_id": False, "tasks": {"inner": OP}}}}}
    assert list(read_graph({"tasks": tasks}).nodes) == ["outer", "outer.flat", "inner"]
    assert list(Tree.of(tasks).nodes) == ["outer", "outer.flat", "inner"]


def test_what_is_unusual_about_a_task_is_read() -> None:
    nodes = read_graph(DATA).nodes
    assert (nodes["begin"].role, nodes["end"].role, nodes["files"].role) == ("setup", "teardown", "")
    assert nodes["score"].mapped
    assert not nodes["files"].mapped
    assert nodes["join"].trigger_rule == "all_done"
    assert (nodes["load"].kind, nodes["load.clean"].parent) == ("group", "load")


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (None, "no schedule"),
        ({"every": "6h"}, "every 6h"),
        ({"asset": "orders"}, "orders"),
        ({"any": [{"asset": "a"}, {"all": [{"asset": "b"}, {"alias": "c"}]}]}, "any of a, all of b, c"),
        ({"timetable": "shop.calendar.Workdays"}, "Workdays"),
        ({"cron": 5}, "no schedule"),
    ],
)
def test_the_schedule_is_told_in_words(schedule: Any, words: str) -> None:
    assert read_graph({"schedule": schedule}).subtitle == words


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.x < inner.x
        and outer.y < inner.y
        and inner.x + inner.width < outer.x + outer.width
        and inner.y + inner.height < outer.y + outer.height
    )


def wide(groups: int) -> dict[str, Any]:
    tasks: dict[str, Any] = {"start": OP}
    for number in range(groups):
        inner = {
            "extract": OP,
            "more": OP,
            "clean": {"tasks": {"a": after("extract"), "b": after("a", "more")}},
            "publish": after("clean", "extract"),
        }
        tasks[f"load_{number}"] = {"tasks": inner, "depends_on": ["start"]}
    tasks["join"] = after(*(f"load_{number}" for number in range(groups)))
    tasks["report"] = after("join", "load_0.clean.a", "start")
    return {"tasks": tasks}


@pytest.mark.parametrize("data", [DATA, wide(7)])
def test_nothing_overlaps_and_groups_hold_what_is_theirs(data: dict[str, Any]) -> None:
    graph = read_graph(data)
    layout = lay_out(graph)
    for one, other in combinations(graph.nodes.values(), 2):
        if one.parent == other.parent:
            assert not overlap(layout.boxes[one.id], layout.boxes[other.id]), (one.id, other.id)
    for node in graph.nodes.values():
        if node.parent:
            assert inside(layout.boxes[node.id], layout.boxes[node.parent]), node.id


@pytest.mark.parametrize("data", [DATA, wide(7)])
def test_edges_lead_to_the_right_and_through_no_other_task(data: dict[str, Any]) -> None:
    graph = read_graph(data)
    layout = lay_out(graph)
    assert {wire.edge for wire in layout.wires} == set(graph.edges)
    for wire in layout.wires:
        start, end = layout.boxes[wire.edge.source], layout.boxes[wire.edge.target]
        assert wire.points[0][0] == pytest.approx(start.x + start.width)
        assert wire.points[-1][0] == pytest.approx(end.x)
        xs = [x for x, _ in wire.points]
        assert xs == sorted(xs)
        ends = {wire.edge.source, wire.edge.target}
        tasks = [n for n in graph.nodes.values() if n.kind == "task" and n.id not in ends]
        for (x0, y0), (x1, y1) in pairwise(wire.points):
            for node in tasks:
                box = layout.boxes[node.id]
                level = abs(y0 - y1) < 1  # curves run between columns only
                through = box.y < y0 < box.y + box.height and x0 < box.x + 1 and box.x + box.width - 1 < x1
                assert not (level and through), (wire.edge, node.id)


def test_a_picture_is_the_same_each_time_and_well_formed() -> None:
    picture = to_svg(read_graph(DATA))
    assert picture == to_svg(read_graph(json.loads(json.dumps(DATA))))
    root = ET.fromstring(picture)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[:2] == ["sales_daily_load_v1", "0 5 * * * · 10 tasks"]
    assert {"orders", "score [ ]", "trial.note · all_done", "trial.note · setup", "clean"} <= set(texts)
    kinds = [path.get("class") for path in root.iter(f"{SVG}path")]
    assert kinds.count("wire teardown") == 1


def test_a_family_has_its_colour_in_every_picture_and_a_legend_names_it() -> None:
    def inks(*operators: str) -> dict[str, str]:
        tasks = {f"t{index}": {"operator": name} for index, name in enumerate(operators)}
        root = ET.fromstring(to_svg(read_graph({"dag_id": "a_b_v1", "tasks": tasks})))
        parts = list(root)
        legend = {}
        for bar, text in itertools.pairwise(parts):
            if bar.get("fill") and text.tag == f"{SVG}text":
                legend[str(text.text)] = str(bar.get("fill"))
        drawn = {str(rect.get("fill")) for rect in root.iter(f"{SVG}rect") if rect.get("fill")}
        assert drawn == set(legend.values())
        return legend

    names = ("airflow.bash", "warehouse.publish", "quality.suite", "notify.email", "spark.submit")
    all_of_them = inks(*names)
    assert sorted(all_of_them) == ["airflow", "notify", "quality", "spark", "warehouse"]
    assert len(set(all_of_them.values())) == len(names)
    for name in names:
        family = name.partition(".")[0]
        assert inks(name) == {family: all_of_them[family]}
    standard = "airflow.providers.standard.operators.bash.BashOperator"
    http = "airflow.providers.http.operators.http.HttpOperator"
    assert inks(standard, "airflow.bash") == {"airflow": all_of_them["airflow"]}
    assert set(inks(http, "acme.operators.Push")) == {"acme", "http"}


def test_the_names_that_the_ui_shows_are_shown() -> None:
    tasks = {
        "g": {"group_display_name": "Land files", "tasks": {"a": OP | {"task_display_name": "Orders"}}},
        "b": OP,
    }
    graph = read_graph(
        {"dag_id": "a_b_v1", "dag_display_name": "Sales", "schedule": "@daily", "tasks": tasks}
    )
    root = ET.fromstring(to_svg(graph))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[:2] == ["Sales", "a_b_v1 · @daily · 2 tasks"]
    assert {"Land files", "Orders", "b"} <= set(texts)
    hovered = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert any(text.startswith("g.a\n") for text in hovered)
    mermaid = to_mermaid(graph)
    assert '["Land files"]' in mermaid
    assert '["Orders<br/>' in mermaid
    shown = {node["id"]: node["display_name"] for node in graph.as_dict()["nodes"]}
    assert shown == {"g": "Land files", "g.a": "Orders", "b": None}


def test_text_that_means_something_to_xml_is_only_text() -> None:
    tasks = {"a": {"operator": 'x.<y> & "z"\x00', "doc_md": "<script>alert(1)</script>"}}
    root = ET.fromstring(to_svg(read_graph({"dag_id": "<b>&\x1b", "tasks": tasks})))
    assert root.findtext(f"{SVG}title") == "<b>&"
    assert 'x.<y> & "z"' in [text.text for text in root.iter(f"{SVG}text")]
    assert list(root.iter(f"{SVG}script")) == []


def test_long_names_are_cut_in_the_middle() -> None:
    name = "a_very_long_name_of_a_task_that_nobody_would_want_to_read_" * 3
    cut = shorten(name, 200)
    assert text_width(cut) <= 200
    assert (cut[0], cut[-1]) == (name[0], name[-1])
    assert shorten("short", 200) == "short"
    box = lay_out(read_graph({"tasks": {name: OP}})).boxes[name]
    assert box.width <= 360


def test_mistakes_are_drawn() -> None:
    tasks = {"a": after("c", "lnad"), "b": after("a"), "c": after("b", "c"), "d": 7, "e": {"operator": 3}}
    graph = read_graph({"tasks": tasks})
    assert graph.nodes["? lnad"].kind == "missing"
    root = ET.fromstring(to_svg(graph))
    wires = [path.get("class") or "" for path in root.iter(f"{SVG}path")]
    assert sum(kind == "wire" for kind in wires) == 2
    assert sum(kind == "wire wrong" for kind in wires) == 2  # from what is not there, and the cycle's last
    assert any(rect.get("class") == "missing" for rect in root.iter(f"{SVG}rect"))


def test_a_task_that_waits_for_its_own_group_has_no_edge_to_draw() -> None:
    graph = read_graph({"tasks": {"g": {"tasks": {"a": after("g"), "b": after("a")}}}})
    assert [(wire.edge.source, wire.edge.target) for wire in lay_out(graph).wires] == [("g.a", "g.b")]


@pytest.mark.parametrize("tasks", [None, [], {}, "x", {"g": {"tasks": 5}}, {"g": {"tasks": {}}}])
def test_anything_can_be_drawn(tasks: Any) -> None:
    ET.fromstring(to_svg(read_graph({"dag_id": 5, "tasks": tasks})))


def test_two_tasks_of_one_id_are_both_drawn() -> None:
    tasks = {"g.a": OP, "g": {"tasks": {"a": OP}}}
    assert set(read_graph({"tasks": tasks}).nodes) == {"g.a", "g", "g.a'"}


def test_a_thousand_tasks_are_drawn_in_seconds() -> None:
    tasks = {f"t{n}": after(*(f"t{m}" for m in (n - 40, n - 7) if 0 <= m < n)) for n in range(1000)}
    assert to_svg(read_graph({"tasks": tasks})).count("<path class=") > 1900


def test_mermaid_has_groups_frames_and_arrows() -> None:
    text = to_mermaid(
        read_graph({"tasks": {k: TASKS[k] for k in ("begin", "files", "score", "end", "flat")}})
    )
    assert text == (
        "flowchart LR\n"
        '    n0["begin<br/><small>trial.note · setup</small>"]\n'
        '    n1["files<br/><small>trial.note</small>"]\n'
        '    n2[["score<br/><small>trial.note</small>"]]\n'
        '    n3["end<br/><small>trial.note · teardown</small>"]\n'
        '    subgraph n4["flat"]\n'
        '        n5["inner<br/><small>trial.note</small>"]\n'
        "    end\n"
        '    n6["load.clean.dedupe<br/><small>not there</small>"]\n'
        '    n7["join<br/><small>not there</small>"]\n'
        "    n6 --> n2\n"
        "    n1 --> n2\n"
        "    n7 --> n3\n"
        "    n0 -.-> n3\n"
        "    n1 --> n5\n"
        "    classDef missing stroke:#c62828,stroke-dasharray:4\n"
        "    class n6,n7 missing\n"
    )


def test_mermaid_text_is_no_syntax() -> None:
    text = to_mermaid(read_graph({"tasks": {'a"]\nend': OP}}))
    assert 'n0["a#34;#93;#10;end<br/>' in text


runner = CliRunner()


def test_the_command_draws(tmp_path: Path, config: dict[str, Any], write_config: WriteConfig) -> None:
    path = write_config(tmp_path, config)
    result = runner.invoke(app, ["graph", str(path.parent)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == to_svg(read_graph(config))
    result = runner.invoke(app, ["graph", str(path), "--format", "mermaid", "--out", str(tmp_path / "a.mmd")])
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "a.mmd").read_text() == to_mermaid(read_graph(config))
    data = json.loads(runner.invoke(app, ["graph", str(path), "--json"]).stdout)
    assert data["edges"] == [{"from": "note", "to": "run", "kind": "depends"}]


@pytest.mark.parametrize("name", ["a.png", "a.PDF", "a.mmd"])
def test_the_command_writes_no_svg_under_the_name_of_something_else(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig, name: str
) -> None:
    path = write_config(tmp_path, config)
    result = runner.invoke(app, ["graph", str(path), "--out", str(tmp_path / name)])
    assert (result.exit_code, (tmp_path / name).exists()) == (2, False)
    assert "--format mermaid" in result.stderr


def test_the_command_draws_a_config_with_mistakes_and_tells_them(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    config["tasks"]["run"]["depends_on"] = ["noet"]
    path = write_config(tmp_path, config)
    result = runner.invoke(app, ["graph", str(path)])
    assert result.exit_code == 1
    assert "WDF206" in result.stderr
    assert 'class="missing"' in result.stdout


def test_the_command_says_why_nothing_is_drawn(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    path = write_config(tmp_path, "[1]")
    result = runner.invoke(app, ["graph", str(path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "WDF012" in result.stderr
    write_config(tmp_path, config, "other_daily_load_v1")
    assert runner.invoke(app, ["graph", str(tmp_path)]).exit_code == 2
    result = runner.invoke(app, ["graph", str(path.parent.parent / "other_daily_load_v1"), "--out", "/"])
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_the_command_draws_what_folders_defaults_say_from_the_root_on(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    del config["schedule"]
    path = write_config(tmp_path / "configs", config)
    (tmp_path / "configs" / "defaults.json").write_text('{"schedule": "@weekly"}')
    own = runner.invoke(app, ["graph", str(path)])
    assert "no schedule" in own.stdout
    whole = runner.invoke(app, ["graph", str(path), "--root", str(tmp_path / "configs")])
    assert "@weekly · 2 tasks" in whole.stdout


def test_trigger_rules_come_from_defaults_too() -> None:
    tasks = {"a": OP, "b": after("a", trigger_rule="all_success"), "g": {"tasks": {"c": OP}}}
    operators = {"trial.note": {"trigger_rule": "one_failed"}}
    for defaults, rule in (
        ({"trigger_rule": "all_done"}, "all_done"),
        ({"operators": operators}, "one_failed"),
    ):
        graph = read_graph({"tasks": tasks, "defaults": defaults})
        found = {node["id"]: node["trigger_rule"] for node in graph.as_dict()["nodes"]}
        assert found == {"a": rule, "b": "all_success", "g": None, "g.c": rule}
        assert f"trial.note · {rule}" in to_svg(graph)


def test_an_empty_group_has_room_for_its_name() -> None:
    layout = lay_out(read_graph({"tasks": {"g": {"tasks": {}}, "a": after("g")}}))
    assert layout.boxes["g"].height >= 28


@pytest.mark.parametrize(
    "name", ["W" * 24, "m" * 24, "0123456789" * 3, "hhhnnnuuu" * 3, "OQDOQD" * 4, "@%" * 12]
)
def test_names_of_wide_letters_fit_their_box(name: str) -> None:
    # Advance widths of DejaVu Sans, the widest of the faces asked for, in thousandths of the size.
    wide = {
        "W": 989,
        "m": 974,
        "h": 634,
        "n": 634,
        "u": 634,
        "O": 787,
        "Q": 787,
        "D": 770,
        "@": 1000,
        "%": 950,
    }
    assert text_width(name) >= sum(wide.get(char, 636) for char in name) * 13 / 1000


def test_a_cycle_stays_inside_its_group() -> None:
    graph = read_graph({"tasks": {"g": {"tasks": {"x": after("y"), "y": after("x")}}}})
    root = ET.fromstring(to_svg(graph))
    box = next(rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "group")
    wrong = next(
        path.get("d") or "" for path in root.iter(f"{SVG}path") if "wrong" in (path.get("class") or "")
    )
    xs = [float(x) for x in re.findall(r"[MCH ](-?[\d.]+) -?[\d.]+", wrong)]
    left, right = float(box.get("x") or 0), float(box.get("x") or 0) + float(box.get("width") or 0)
    assert left - 6 < min(xs)  # control points: the curve itself reaches three quarters as far
    assert max(xs) < right + 6


def test_ids_that_look_like_secrets_stay_apart() -> None:
    one, other = f"ghp_{'a1B2' * 9}", f"ghp_{'c3D4' * 9}"
    graph = read_graph(
        {"tasks": {one: OP, "g": {"tasks": {other: OP, "a": after(other)}}, other: after(one)}}
    )
    assert list(graph.nodes) == ["(secret)", "g", "g.(secret)", "g.a", "(secret)'"]
    assert [(edge.source, edge.target) for edge in graph.edges] == [
        ("g.(secret)", "g.a"),
        ("(secret)", "(secret)'"),
    ]
    assert graph.nodes["g.(secret)"].parent == "g"

"""What is checked beyond the model, on data that is wrong in one way or in many."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import (
    ConfigError,
    ConfigFile,
    Registry,
    analyse,
    analyse_all,
    analyse_bytes,
    render_text,
)
from windlass.dagfactory.analysis import Analysis
from windlass.dagfactory.checks.naming import right_name
from windlass.dagfactory.checks.params import ordered_params
from windlass.dagfactory.checks.secrets import check_secrets

pytestmark = pytest.mark.unit

FILE = ConfigFile("sales_daily_load_v1/dag.json", "/configs/sales_daily_load_v1/dag.json")


def check(data: dict[str, Any], file: ConfigFile = FILE) -> Analysis:
    return analyse_bytes(json.dumps(data).encode(), file=file)


def codes(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found.code, found.path) for found in check(data).diagnostics()]


def test_a_sound_config_has_no_findings(config: dict[str, Any]) -> None:
    analysis = check(config)
    assert analysis.sound
    assert analysis.checked().dag_id == "sales_daily_load_v1"
    assert analysis.calls["run"].arguments == {"sql": "select 1"}


def test_mistakes_of_all_kinds_are_found_at_once(config: dict[str, Any]) -> None:
    config |= {
        "shedule": 1,
        "timezone": "Mars",
        "catchup": "no",
        "start_date": "yesterday",
        "schedule": "@dayly",
    }
    config["tasks"]["run"] = {"operator": "trial.run", "depends_on": ["nte"], "timeout": "soon"}
    assert {code for code, _ in codes(config)} == {
        "WDF101", "WDF103", "WDF105", "WDF107", "WDF201", "WDF202", "WDF206", "WDF301"
    }  # fmt: skip


def test_a_config_with_mistakes_is_not_handed_out(config: dict[str, Any]) -> None:
    config["schedule"] = "never"
    with pytest.raises(ConfigError, match="WDF201"):
        check(config).checked()


@pytest.mark.parametrize(
    "schedule",
    [
        "0 5 * * *",
        "*/15 8-17 * * mon-fri",
        "0 0 29 2 *",
        "@once",
        "@continuous",
        "@quarterly",
        "0 0 L * *",
        None,
    ],
)
def test_schedules(config: dict[str, Any], schedule: str | None) -> None:
    assert codes(config | {"schedule": schedule}) == []


@pytest.mark.parametrize(
    "schedule", ["@dayly", "0 5 * *", "0 24 * * *", "0 0 5 * * *", "0 0 31 2 *", "a b c d e", "* * * * * * *"]
)
def test_what_is_no_schedule(config: dict[str, Any], schedule: str) -> None:
    assert codes(config | {"schedule": schedule}) == [("WDF201", "$.schedule")]


def test_presets_and_zones_are_suggested(config: dict[str, Any]) -> None:
    found = check(config | {"schedule": "@dayly", "timezone": "Europe/Zürich"}).diagnostics()
    assert [diagnostic.suggestion for diagnostic in found] == [
        'did you mean "@daily"?',
        'did you mean "Europe/Zurich"?',
    ]


@pytest.mark.parametrize(
    "name", ["America", "../etc/passwd", "Nowhere/At_All", "/etc/localtime", "localtime"]
)
def test_what_is_no_time_zone(config: dict[str, Any], name: str) -> None:
    assert codes(config | {"timezone": name}) == [("WDF202", "$.timezone")]


def test_dates_in_order_and_in_range(config: dict[str, Any]) -> None:
    assert codes(config | {"end_date": "2026-01-01"}) == []
    assert codes(config | {"end_date": "2025-12-31T23:30:00+00:00", "timezone": "Asia/Tokyo"}) == []
    assert codes(config | {"end_date": "2025-12-31"}) == [("WDF209", "$.end_date")]
    assert codes(config | {"start_date": "0001-01-01"}) == [("WDF106", "$.start_date")]


def test_continuous_runs_one_at_a_time(config: dict[str, Any]) -> None:
    assert codes(config | {"schedule": "@continuous", "max_active_runs": 2}) == [
        ("WDF210", "$.max_active_runs")
    ]


@pytest.mark.parametrize(
    "dag_id", ["sales", "sales_v1", "Sales_daily_v1", "sales_daily", "sales__daily_v1", "a-b_c_v1"]
)
def test_the_convention_of_names(config: dict[str, Any], dag_id: str) -> None:
    file = ConfigFile(f"{dag_id}/dag.json", f"/configs/{dag_id}/dag.json")
    assert [found.code for found in check(config | {"dag_id": dag_id}, file).diagnostics()] == ["WDF203"]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("dags.json", "dag.json"),
        ("DAG.YAML", "dag.yaml"),
        ("dag.jsonc", "dag.json"),
        (".dag.yml", "dag.yml"),
        ("sales_daily_load_v1.json", "sales_daily_load_v1.dag.json"),
        ("sales_daily_load_v1", "sales_daily_load_v1.dag.json"),
    ],
)
def test_a_file_that_airflow_does_not_find_has_a_right_name(name: str, right: str) -> None:
    assert right_name(name) == right


def test_either_way_of_naming_a_config(config: dict[str, Any]) -> None:
    assert check(config, ConfigFile.at("/configs/any/sales_daily_load_v1.dag.json")).sound
    wrong = check(config, ConfigFile.at("/configs/other/dag.json")).diagnostics()
    assert [found.code for found in wrong] == ["WDF204"]
    unseen = check(config, ConfigFile.at("/configs/sales_daily_load_v1.json")).diagnostics()
    assert [(found.code, found.suggestion) for found in unseen] == [
        ("WDF204", 'rename it "sales_daily_load_v1.dag.json"')
    ]


def test_every_knot_of_tasks_is_named_from_its_first_task(config: dict[str, Any]) -> None:
    after = {"b": ["a"], "a": ["c"], "c": ["b"], "d": ["c"], "e": ["e", "d"], "f": []}
    config["tasks"] = {name: {"operator": "trial.note", "depends_on": names} for name, names in after.items()}
    messages = [found.message for found in check(config).diagnostics()]
    assert [message.split(": ")[1].split(" (")[0] for message in messages] == ["b → a → c → b", "e → e"]


def test_a_long_chain_of_tasks_is_no_trouble(config: dict[str, Any]) -> None:
    names = [f"t{index}" for index in range(3000)]
    chain = zip(names, [None, *names], strict=False)
    config["tasks"] = {
        n: {"operator": "trial.note", "depends_on": [b] if b else []} for n, b in reversed([*chain])
    }
    assert codes(config) == []
    config["tasks"]["t0"]["depends_on"] = ["t2999"]
    assert [code for code, _ in codes(config)] == ["WDF207"]


@pytest.mark.parametrize(
    "args",
    [
        {"password": "{{ conn.db.password }}"},
        {"password": ""},
        {"secret": None},
        {"token": 3},
        {"tokenizer": "words"},
        {"url": "https://example.org:8080/a@b"},
        {"url": "postgresql://me@db/sales"},
        {"url": "postgresql://me:{{ conn.db.password }}@db/sales"},
        {"secrets_backend": "vault"},
        {"dsn": "host=db user=me password={{ conn.db.password }}"},
        {"dsn": "host=db user=me password=$${DB_PASSWORD} dbname=x"},
        {"dsn": "host=db user=me password= dbname=x"},
        {"sql": "select id from staff where password = %(password)s and token = $1"},
        {"sql": "select u.password, length(password) from staff u where u.password = v.password"},
        {"sql": "select id from a where password='' or password=:password or password=?"},
        {"sql": "update staff set password=null, password_changed=now() where password=crypt(x)"},
        {"sql": "alter role etl with password null"},
        {"bash_command": "run --password=$DB_PASSWORD --password-file=/run/secret password=$(cat x)"},
        {"file": "data/password=2024.csv.md"},
        {"file": "AKIA_sales.csv"},
        {"table": "ghp_orders"},
        {"text": "a token of the form ghp_ or github_pat_ or AKIA followed by sixteen characters"},
        {"text": "-----BEGIN CERTIFICATE-----"},
        {"text": "-----BEGIN PUBLIC KEY-----"},
        {"text": "eyJhbGci"},
        {"file": "eyJ.sales.csv"},
        {"headers": {"Authorization": "Bearer {{ conn.api.password }}"}},
        {"headers": {"Authorization": "{{ var.value.header }}"}},
        {"headers": {"Authorization": "Basic $${BASIC}"}},
        {"authorization": "none"},
    ],
)
def test_what_is_no_secret(config: dict[str, Any], args: dict[str, Any]) -> None:
    config["tasks"]["note"]["args"] = args
    assert codes(config) == []


@pytest.mark.parametrize(
    "args",
    [
        {"password": "x"},
        {"db_password": "x"},
        {"clientSecret": "x"},
        {"API-KEY": "x"},
        {"apikey": "x"},
        {"tokens": [{"access_token": "x"}]},
        {"password": ["x"]},
        {"note": "see amqp://me:x@host"},
        {"dsn": "host=db user=me password=hunter2 dbname=x"},
        {"dsn": "host=db password = 'hunter 2' dbname=x"},
        {"dsn": "Server=db;Password=hunter2;"},
        {"bash_command": "psql 'host=db PASSWORD=hunter2'"},
        {"id": "AKIA" + "IOSFODNN7EXAMPLE"},
        {"bash_command": "curl -H x ghp_" + "a1B2" * 9},
        {"text": "github_pat_" + "11ABCDEFG0" * 2 + "_" + "x" * 59},
        {"text": "-----BEGIN PRIVATE " + "KEY-----\nMIIE"},
        {"text": "-----BEGIN OPENSSH PRIVATE " + "KEY-----"},
        {"text": "-----BEGIN RSA PRIVATE " + "KEY-----"},
        {"text": "x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"},
        {"headers": {"Authorization": "Bearer abc"}},
        {"headers": {"authorization": "basic bWU6eA=="}},
        {"headers": {"Proxy-Authorization": ["Basic bWU6eA=="]}},
        {"curl": "-H 'Authorization: Bearer abcdef0123456789'"},
    ],
)
def test_what_looks_like_a_secret_is_never_shown(config: dict[str, Any], args: dict[str, Any]) -> None:
    config["tasks"]["note"]["args"] = args
    [found] = check(config).diagnostics()
    assert found.code in ("WDF501", "WDF502")
    assert found.source_line is None
    shown = f"{render_text([found])} {found.as_dict()}"
    assert not [secret for secret in _texts(args) if secret != "x" and secret in shown]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for item in inner for text in _texts(item)]
    return [value]


@pytest.mark.parametrize(
    "param",
    [
        {"type": "string", "default": "hunter2-hunter2"},
        {"type": "string", "default": "hunter2-hunter2", "enum": ["a"]},
        {"schema": {"type": "string"}, "default": "hunter2-hunter2"},
    ],
)
def test_the_default_of_a_param_named_as_a_secret_is_one(
    config: dict[str, Any], param: dict[str, Any]
) -> None:
    config["params"] = {"password": param}
    assert ("WDF501", "$.params.password.default") in codes(config)
    assert "hunter2" not in render_text(check(config).diagnostics())
    config["params"] = {"password": {**param, "default": "", "enum": [""]} if "type" in param else {}}
    assert codes(config) == []


def test_a_secret_is_not_shown_by_what_is_wrong_elsewhere(config: dict[str, Any]) -> None:
    uris = ["s3://user:hunter2-hunter2@lake/orders", "s3://lake/orders"]
    config["schedule"] = {"all": [{"asset": "orders", "uri": uri} for uri in uris]}
    diagnostics = check(config).diagnostics()
    assert [found.code for found in diagnostics] == ["WDF502", "WDF215"]
    assert "hunter2" not in "".join(found.message for found in diagnostics)


def test_a_secret_that_another_mistake_would_quote_is_not_shown(config: dict[str, Any]) -> None:
    config["tasks"]["run"]["args"] = {"sql": "x", "sql_file": "password=hunter2 host=db"}
    found = check(config).diagnostics()
    assert [diagnostic.code for diagnostic in found] == ["WDF305", "WDF402", "WDF501"]
    assert "hunter2" not in render_text(found)


@pytest.mark.parametrize("text", ["password= ", "pwd=a(", "host=", "eyJ-", "-----BEGIN A ", "and ", "AKIA0"])
def test_looking_for_secrets_takes_time_in_proportion_to_the_text(text: str) -> None:
    begin = time.process_time()
    list(check_secrets({"params": {"note": text * (500_000 // len(text))}}))
    assert time.process_time() - begin < 5


@pytest.fixture
def folder(tmp_path: Path, config: dict[str, Any]) -> Path:
    folder = tmp_path / "sales_daily_load_v1"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.csv").write_text("1\n")
    (tmp_path / "outside.csv").write_text("1\n")
    (folder / "out.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "in.csv").symlink_to("sub/a.csv")
    (folder / "gone.csv").symlink_to("nowhere")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "up").symlink_to("..")
    return folder


def file_codes(folder: Path, config: dict[str, Any], args: dict[str, Any]) -> list[str]:
    config["tasks"] = {"run": {"operator": "trial.run_sql", "args": args}}
    (folder / "dag.json").write_text(json.dumps(config))
    return [found.code for found in analyse(ConfigFile.at(folder / "dag.json")).diagnostics()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub/a.csv", []),
        ("./sub/../sub/a.csv", []),
        ("in.csv", []),
        ("out.csv", ["WDF401"]),
        ("up/outside.csv", ["WDF401"]),
        ("../outside.csv", ["WDF401"]),
        ("../nowhere.csv", ["WDF401"]),
        ("/etc/passwd", ["WDF401"]),
        ("sub\\a.csv", ["WDF401"]),
        ("gone.csv", ["WDF402"]),
        ("nowhere/a.csv", ["WDF402"]),
        ("sub/a.csv/b", ["WDF402"]),
        ("", ["WDF402"]),
        ("sub", ["WDF403"]),
        ("loop.csv", ["WDF403"]),
        ("x" * 300, ["WDF403"]),
    ],
)
def test_files_stay_inside_the_folder_of_the_config(
    folder: Path, config: dict[str, Any], name: str, expected: list[str]
) -> None:
    assert file_codes(folder, config, {"sql_file": name}) == expected
    assert file_codes(folder, config, {"sql": "x", "scripts": ["in.csv", name]}) == expected


def test_a_document_of_the_dag_is_a_file_beside_it(folder: Path, config: dict[str, Any]) -> None:
    config["doc_md"] = "README.md"
    assert file_codes(folder, config, {"sql": "x"}) == ["WDF402"]
    (folder / "README.md").write_text("# Sales\n")
    assert file_codes(folder, config, {"sql": "x"}) == []


@pytest.mark.parametrize(
    "operator", ["airflow.bash", "airflow.providers.standard.operators.bash.BashOperator"]
)
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("load.sh", []),
        ("scripts/load.sh ", []),
        ("bash scripts/lod.sh", [("WDF402", "end a command with a space")]),
        ("lod.sh", [("WDF402", 'did you mean "load.sh"?')]),
        ("../load.sh", [("WDF401", "end a command with a space")]),
        ("/opt/{{ ds }}.bash", [("WDF401", "end a command with a space")]),
    ],
)
def test_commands_that_airflow_takes_for_scripts_name_files(
    tmp_path: Path, config: dict[str, Any], operator: str, command: str, expected: list[tuple[str, str]]
) -> None:
    folder = tmp_path / "sales_daily_load_v1"
    folder.mkdir()
    (folder / "load.sh").write_text("echo loading")
    bash = {"operator": operator}
    for use in (
        {**bash, "args": {"bash_command": command}},
        {**bash, "expand": {"bash_command": [command]}},
        {**bash, "expand_kwargs": [{"bash_command": command}]},
    ):
        config["tasks"]["run"] = use
        (folder / "dag.json").write_text(json.dumps(config))
        found = analyse(ConfigFile.at(folder / "dag.json")).diagnostics()
        assert [diagnostic.code for diagnostic in found] == [code for code, _ in expected]
        assert all(said in str(one.suggestion) for one, (_, said) in zip(found, expected, strict=True))


def test_one_dag_id_in_two_files_is_reported_in_both(tmp_path: Path, config: dict[str, Any]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sales_daily_load_v1.dag.json").write_text(json.dumps(config))
    files = [
        ConfigFile.at(tmp_path / name / "sales_daily_load_v1.dag.json", name=name) for name in ("a", "b")
    ]
    messages = [found.message for analysis in analyse_all(files) for found in analysis.diagnostics()]
    assert messages == ["this DAG id is claimed by b too", "this DAG id is claimed by a too"]


def test_parameters_go_by_the_names_that_the_model_gives_them(config: dict[str, Any]) -> None:
    config["tasks"]["note"]["args"] = {"retriesOfNote": 2, "free": [1]}
    assert dict(check(config).calls["note"].arguments) == {"free": [1], "retries_of_note": 2}


@pytest.mark.parametrize("rows", [[None], [5, "a", ["b"]]])
def test_rows_that_are_no_objects_are_told_of(config: dict[str, Any], rows: list[Any]) -> None:
    config["tasks"]["run"] = {"operator": "trial.note", "args": {"text": "a"}, "expand_kwargs": rows}
    assert codes(config) == [
        ("WDF103", f"$.tasks.run.expand_kwargs[{index}]") for index, _ in enumerate(rows)
    ]


def test_an_empty_array_of_values_lacks_nothing(config: dict[str, Any]) -> None:
    config["tasks"]["run"] = {"operator": "airflow.bash", "expand": {"bash_command": []}}
    assert codes(config) == []


@pytest.mark.parametrize("retry", [{}, {"attempts": None}])
def test_a_retry_that_says_nothing_lacks_its_attempts(config: dict[str, Any], retry: dict[str, Any]) -> None:
    config["tasks"]["run"]["retry"] = retry
    assert codes(config) == [("WDF102", "$.tasks.run.retry")]
    config["tasks"]["run"]["retry"] = None
    assert codes(config) == []


NOTE = {"operator": "trial.note", "args": {"text": "a"}}
SETUP = {**NOTE, "setup": True}


def after(*names: str, **more: Any) -> dict[str, Any]:
    return {**NOTE, "depends_on": list(names), **more}


def test_a_group_that_ends_with_a_setup_is_followed_as_a_setup_is(config: dict[str, Any]) -> None:
    group = {"tasks": {"make": SETUP}}
    config["tasks"] = {"group": group, "use": after("group", trigger_rule="all_done")}
    assert codes(config) == [("WDF214", "$.tasks.use.trigger_rule")]
    group["tasks"]["more"] = after("make")
    assert codes(config) == []


def test_a_group_within_a_group_waits_for_what_the_group_begins_with(config: dict[str, Any]) -> None:
    inner = {"depends_on": ["first"], "tasks": {"late": {**NOTE, "trigger_rule": "all_done"}}}
    config["tasks"] = {
        "make": SETUP,
        "group": {"depends_on": ["make"], "tasks": {"first": NOTE, "inner": inner}},
    }
    assert codes(config) == []
    del inner["depends_on"]
    assert codes(config) == [("WDF214", "$.tasks.group.tasks.inner.tasks.late.trigger_rule")]


def test_waiting_for_a_group_that_nothing_can_wait_for_is_a_mistake(config: dict[str, Any]) -> None:
    group = {"tasks": {"make": SETUP, "inner": {"tasks": {"clean": {**NOTE, "teardown": ["make"]}}}}}
    config["tasks"] = {"group": group, "use": after("group")}
    assert codes(config) == [("WDF212", "$.tasks.use.depends_on[0]")]
    group["tasks"]["work"] = after("make")
    assert codes(config) == []


@pytest.mark.parametrize(
    ("param", "place"),
    [
        ({"default": 5, "minimum": 1}, ""),  # the whole object would be its value
        ({"schema": {"type": "integer", "description": "How many"}, "default": 1}, ".schema.description"),
        ({"schema": {"type": "integer", "default": 1}}, ".schema.default"),
        ({"type": "integer", "default": 1, "self": 1}, ".self"),
        ({"type": "integer", "default": 1, "source": "task"}, ".source"),
        ({"type": "integer", "default": 1, "order": "first"}, ".order"),
        ({"schema": {"type": "integer"}, "default": 1, "order": True}, ".order"),
        ({"default": 1, "order": 1}, ""),
    ],
)
def test_params_that_airflow_would_not_take_as_they_are_meant(
    config: dict[str, Any], param: dict[str, Any], place: str
) -> None:
    config["schedule"] = None
    config["params"] = {"days": param}
    assert codes(config) == [("WDF111", f"$.params.days{place}")]


def test_params_stand_in_the_order_that_they_ask_for(config: dict[str, Any]) -> None:
    first, whole = {"type": "integer", "default": 1}, {"schema": {"type": "object"}, "default": {}}
    params = {
        "plain": {"order": 0},  # an object that is the value itself
        "late": {**first, "order": 30},
        "zone": {**whole, "order": -1},
        "days": first,
        "early": {**first, "order": 4},
        "also_early": {**first, "order": 4},
    }
    config |= {"schedule": None, "params": params}
    assert codes(config) == []
    assert ordered_params(params) == [
        ("zone", whole),
        ("also_early", first),
        ("early", first),
        ("late", first),
        ("days", first),
        ("plain", {"order": 0}),
    ]


@pytest.mark.parametrize(
    ("asset", "place"),
    [
        ({"asset": "orders", "group": " "}, ".group"),
        ({"alias": " "}, ".alias"),
        ({"asset": "orders", "uri": "postgres://warehouse/shop"}, ".uri"),
        ({"asset": "postgresql:///shop/public/orders"}, ".asset"),
        ({"asset": "postgres://warehouse:port/shop/public/orders"}, ".asset"),
    ],
)
def test_assets_that_airflow_refuses(config: dict[str, Any], asset: dict[str, Any], place: str) -> None:
    config["schedule"] = asset
    assert codes(config) == [("WDF112", f"$.schedule{place}")]
    config["schedule"] = {"asset": "postgres://warehouse:5432/shop/public/orders"}
    assert codes(config) == []


@pytest.mark.parametrize("used", [False, True])
def test_arguments_in_defaults_are_checked_whether_or_not_a_task_takes_them(
    config: dict[str, Any], used: bool
) -> None:
    args = {"tabel": "a.b", "mode": "replase", "limits": {"rows": "many"}, "table": "staging.sale"}
    config["defaults"] = {"operators": {"trial.load_file": {"args": args}}}
    if used:
        config["tasks"]["load"] = {"operator": "trial.load_file", "args": {"file": "../x"}}
    place = "$.defaults.operators['trial.load_file'].args"
    found = [(finding.code, finding.path, finding.suggestion) for finding in check(config).diagnostics()]
    assert [each for each in found if each[1].startswith(place)] == [
        ("WDF303", f"{place}.tabel", 'did you mean "table"?'),
        ("WDF305", f"{place}.mode", 'did you mean "replace"?'),
        ("WDF305", f"{place}.limits.rows", "write a whole number"),
    ]
    assert len(found) == 3 + used


def test_arguments_in_defaults_need_not_be_all_there(config: dict[str, Any]) -> None:
    operators = {
        "trial.load_file": {"args": {"table": "staging.sale", "mode": None, "file": "beside_each.csv"}},
        "trial.run_sql": {"args": {"sql": "select 1", "sql_file": "one_of_them.sql"}},
        "trial.failing": {"args": {"x": "a"}},
        "trial.note": {"args": {"anything": 1, "retriesOfNote": 2}},
        "windlass.no.such.Operator": {"args": {"x": 1}},
    }
    config["tasks"] = {"last": {"operator": "airflow.empty"}}
    assert codes(config | {"defaults": {"operators": operators}}) == []


def branch(choose: Any, *after: str) -> dict[str, Any]:
    return {"operator": "airflow.branch", "args": {"choose": choose}, "depends_on": list(after)}


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        ("first", []),
        (" last ", []),  # over the head of those between
        ("['first', 'group']", []),
        (["first", "{{ params.which }}", "group.inner"], []),
        ("{{ 'nothing' }}", []),
        ("None", []),
        ("frist", [("", 'did you mean "first"?')]),
        (["first", "other"], [("[1]", 'choose among what comes after it: "first", "group.deep"')]),
        ("which", [("", 'let "which" depend on it')]),
        ("['first'", [("", "write a task id, or an array of them")]),
    ],
)
def test_a_branch_chooses_among_what_comes_after_it(
    config: dict[str, Any], choose: Any, expected: list[tuple[str, str]]
) -> None:
    config["tasks"] = {
        "before": after(),
        "which": branch(choose, "before"),
        "first": after("which"),
        "group": {"tasks": {"inner": after(), "deep": after("inner")}, "depends_on": ["which"]},
        "last": after("first", "group"),
        "other": after("before"),
    }
    found = check(config).diagnostics()
    place = "$.tasks.which.args.choose"
    assert [(finding.code, finding.path) for finding in found] == [
        ("WDF219", f"{place}{inside}") for inside, _ in expected
    ]
    assert all(told in str(one.suggestion) for one, (_, told) in zip(found, expected, strict=True))


def test_a_branch_in_a_group_chooses_by_names_of_its_own(config: dict[str, Any]) -> None:
    inside = {"which": branch("a"), "a": after("which"), "twin": {"tasks": {"a": after()}}}
    config["tasks"] = {"group": {"tasks": inside}, "a": after("group"), "b": after("a")}
    assert codes(config) == []
    inside["which"] = branch(["b", "group.a", "twin"])
    assert codes(config) == [("WDF219", "$.tasks.group.tasks.which.args.choose[2]")]
    inside["which"] = {"operator": "airflow.branch", "expand": {"choose": ["a", "c"]}}
    assert codes(config) == [("WDF219", "$.tasks.group.tasks.which.expand.choose[1]")]


WAIT_CLASS = "airflow.providers.standard.sensors.external_task.ExternalTaskSensor"


@pytest.mark.parametrize("operator", ["airflow.wait_for_dag", WAIT_CLASS])
@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({}, "external_dag_id"),
        ({"external_task_id": "wait"}, "external_task_id"),
        ({"external_task_ids": ["before", "later"]}, "external_task_ids[1]"),
        ({"external_task_group_id": "group"}, "external_task_group_id"),
        ({"external_task_id": "before"}, None),
        ({"external_dag_id": "sales_daily_load_v2"}, None),
        ({"external_dag_id": "{{ dag.dag_id }}"}, None),
        ({"allowed_states": ["running", "success"]}, None),
    ],
)
def test_a_run_does_not_wait_for_its_own_end(
    config: dict[str, Any], operator: str, more: dict[str, Any], place: str | None
) -> None:
    wait = {"operator": operator, "args": {"external_dag_id": "sales_daily_load_v1", **more}}
    wait["depends_on"] = ["before"]
    group = {"tasks": {"late": after("wait"), "early": after()}}
    config["tasks"] = {"before": after(), "wait": wait, "later": after("wait"), "group": group}
    assert codes(config) == ([("WDF220", f"$.tasks.wait.args.{place}")] if place else [])


@pytest.mark.parametrize(("delta", "waits"), [("1d", False), ("0s", True), ("soon", False)])
def test_a_run_may_wait_for_an_earlier_one(config: dict[str, Any], delta: str, waits: bool) -> None:
    args = {"external_dag_id": "sales_daily_load_v1", "execution_delta": delta}
    config["tasks"] = {"wait": {"operator": "airflow.wait_for_dag", "args": args}}
    assert ("WDF220" in [code for code, _ in codes(config)]) is waits


@pytest.mark.parametrize(
    ("args", "more", "waits"),
    [
        ({"wait_for_completion": True}, {}, True),
        ({"wait_for_completion": True}, {"depends_on": ["before"]}, False),  # may end the chain
        ({"wait_for_completion": True, "allowed_states": ["queued"]}, {}, False),
        ({"wait_for_completion": True, "skip_when_already_exists": True}, {}, False),
        ({}, {}, False),
        ({"wait_for_completion": True, "trigger_dag_id": "sales_daily_load_v2"}, {}, False),
    ],
)
def test_a_run_does_not_wait_for_one_that_does_the_same(
    config: dict[str, Any], args: dict[str, Any], more: dict[str, Any], waits: bool
) -> None:
    args = {"trigger_dag_id": "sales_daily_load_v1", **args}
    again = {"operator": "airflow.trigger_dag", "args": args, **more}
    config["tasks"] = {"before": after(), "again": again}
    expected = [("WDF220", "$.tasks.again.args.trigger_dag_id")] if waits else []
    assert codes(config) == expected
    if "depends_on" in more:
        assert codes(config | {"max_active_runs": 1}) == [("WDF220", "$.tasks.again.args.trigger_dag_id")]


EMPTY_CLASS = "airflow.providers.standard.operators.empty.EmptyOperator"


@pytest.mark.parametrize(
    ("source", "defaults", "told"),
    [
        ({"operator": "trial.note", "do_xcom_push": False}, {}, "remove do_xcom_push there"),
        ({"operator": "trial.note"}, {"do_xcom_push": False}, 'write "do_xcom_push": true in "list"'),
        (
            {"operator": "trial.note"},
            {"operators": {"trial.note": {"do_xcom_push": False}}},
            'write "do_xcom_push": true in "list"',
        ),
        ({"operator": "airflow.empty"}, {}, "name a task that returns an array or an object"),
        ({"operator": EMPTY_CLASS}, {}, "name a task that returns an array or an object"),
        (
            {"operator": "airflow.wait_until", "args": {"target_time": "{{ ds }}"}},
            {},
            "name a task that returns an array or an object",
        ),
        (
            {"operator": "airflow.bash", "args": {"bash_command": "ls"}},
            {},
            "name a task that returns an array or an object",
        ),
    ],
)
def test_what_returns_nothing_is_mapped_over_by_none(
    config: dict[str, Any], source: dict[str, Any], defaults: dict[str, Any], told: str
) -> None:
    rows = {"operator": "trial.note", "expand_kwargs": {"output_of": "list"}, "do_xcom_push": None}
    each = {"operator": "trial.note", "expand": {"text": {"output_of": "list"}}}
    config |= {"defaults": defaults, "tasks": {"list": source, "each": each, "rows": rows}}
    found = check(config).diagnostics()
    assert [(finding.code, finding.path, finding.suggestion) for finding in found] == [
        ("WDF218", "$.tasks.each.expand.text.output_of", told),
        ("WDF218", "$.tasks.rows.expand_kwargs.output_of", told),
    ]


@pytest.mark.parametrize(
    "source",
    [
        {"operator": "trial.note", "do_xcom_push": True},
        {"operator": "airflow.bash", "expand": {"bash_command": ["ls a", "ls b"]}},
        {"operator": "airflow.wait_for_file", "args": {"filepath": "/data/*.csv"}},
    ],
)
def test_what_may_return_an_array_is_mapped_over(config: dict[str, Any], source: dict[str, Any]) -> None:
    each = {"operator": "trial.note", "expand": {"text": {"output_of": "list"}}, "do_xcom_push": False}
    config["tasks"] = {"list": source, "each": each}
    config["defaults"] = {"operators": {"trial.note": {"do_xcom_push": False}}}
    assert codes(config) == []


@pytest.mark.parametrize("wrong", [None, [5], {"x": 1}, 5, True])
def test_what_is_of_the_wrong_kind_is_reported_and_misleads_no_other_check(
    config: dict[str, Any], wrong: Any
) -> None:
    args = {"trigger_dag_id": wrong, "wait_for_completion": True}
    config["tasks"] = {
        "kind": {"operator": wrong},
        "each": {"operator": "trial.note", "expand": {"text": {"output_of": "kind"}}},
        "again": {"operator": "airflow.trigger_dag", "args": args},
        "wait": {"operator": "airflow.wait_for_dag", "args": {"external_dag_id": wrong}},
        "which": {"operator": "airflow.branch", "args": {"choose": wrong}},
        "bash": {"operator": "airflow.bash", "args": {"bash_command": wrong, "env": wrong}},
    }
    config |= {"dag_id": wrong, "defaults": {"operators": {"trial.load_file": {"args": {"table": wrong}}}}}
    found = codes(config)
    assert {"WDF103", "WDF305"} <= {code for code, _ in found} <= {"WDF103", "WDF305", "WDF102", "WDF304"}


def test_retry_keys_add_to_the_defaults(config: dict[str, Any]) -> None:
    config["tasks"]["note"]["retry"] = {"delay": "10s"}
    assert codes(config) == [("WDF102", "$.tasks.note.retry")]
    assert codes(config | {"defaults": {"retry": {"attempts": 3}}}) == []
    assert codes(config | {"defaults": {"retry": {"delay": "1s"}}}) == [("WDF102", "$.defaults.retry")]


def test_an_unreadable_config_is_a_finding(tmp_path: Path) -> None:
    analysis = analyse(ConfigFile.at(tmp_path / "sales_daily_load_v1.dag.json"))
    assert [found.code for found in analysis.diagnostics()] == ["WDF001"]


def test_an_empty_registry_knows_no_short_name(config: dict[str, Any]) -> None:
    data = json.dumps(config).encode()
    found = analyse_bytes(data, file=FILE, registry=Registry([])).diagnostics()
    assert {diagnostic.code for diagnostic in found} == {"WDF301"}


def test_a_hostile_config_costs_no_more_than_its_own_report(config: dict[str, Any]) -> None:
    names = [f"task{index}" for index in range(6000)]
    config["tasks"] = {name: {"operator": "trial.nte", "depends_on": [f"{name}x"]} for name in names}
    config["tasks"]["all"] = {"operator": "trial.note", "depends_on": names}
    config |= {"schedule": "* " * 5000, "params": {"a": "a." * 50000 + "://" + "b:" * 50000}}
    config |= {"dag_id": "d" * 100_000}
    begin = time.process_time()
    found = check(config).diagnostics()
    assert time.process_time() - begin < 10
    assert 200 < len(found) < 700
    assert max(len(diagnostic.message) for diagnostic in found) <= 1000


def test_a_spec_whose_model_fails_is_told_of(config: dict[str, Any]) -> None:
    config["tasks"]["note"] = {"operator": "trial.failing", "args": {"x": "y"}}
    [found] = check(config).diagnostics()
    assert (found.code, "its package must be corrected" in found.message) == ("WDF302", True)


@pytest.mark.parametrize(
    ("setting", "suggestion"),
    [
        ("retries", 'write "retry" beside args'),
        ("execution_timeout", 'write "timeout" beside args'),
        ("pool", 'write "pool" beside args'),
        ("start_date", 'write "start_date" at the top of the config'),
    ],
)
def test_settings_of_airflow_among_a_registered_operators_args_are_sent_to_their_place(
    config: dict[str, Any], setting: str, suggestion: str
) -> None:
    task = {"operator": "trial.load_file", "args": {"file": "a.csv", "table": "staging.sale", setting: 1}}
    config["tasks"] = {"load": task}
    found = [(one.code, one.suggestion) for one in check(config).diagnostics() if setting in one.path]
    assert found == [("WDF306", suggestion)]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("OperationalError", "write its import path, as in package.module.Error"),
        ("HTTPError", "write its import path, as in package.module.Error"),
        ("ConectionError", 'did you mean "ConnectionError"?'),
    ],
)
def test_an_exception_of_a_package_is_not_taken_for_one_of_pythons(
    config: dict[str, Any], name: str, suggestion: str
) -> None:
    next(iter(config["tasks"].values()))["retry"] = {"attempts": 2, "on": [name]}
    assert [(one.code, one.suggestion) for one in check(config).diagnostics()] == [("WDF217", suggestion)]


def test_a_task_inside_a_group_is_suggested_by_its_full_id(config: dict[str, Any]) -> None:
    note = {"operator": "trial.note"}
    inner = {"tasks": {"each": {"tasks": {"fill": note}}}}
    config["tasks"] = {"land": inner, "after": note | {"depends_on": ["fill"]}}
    found = [(one.code, one.suggestion) for one in check(config).diagnostics()]
    assert found == [("WDF206", 'did you mean "land.each.fill"?')]


def test_an_asset_that_is_only_a_name_is_shown_as_it_is_to_be_written(config: dict[str, Any]) -> None:
    next(iter(config["tasks"].values()))["outlets"] = ["report"]
    found = [(one.code, one.suggestion) for one in check(config).diagnostics()]
    assert found == [("WDF103", 'write {"asset": "report"}')]

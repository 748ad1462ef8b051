"""The built-in short names: what their specs take, and what their operators do when Airflow runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, analyse, build_dag
from windlass.dagfactory.operators.expressions import as_ids, as_truth
from windlass.dagfactory.registry import default_registry

pytestmark = pytest.mark.integration

BUNDLE = "windlass_test_operators"
NAMES = [name for name in default_registry().names() if name.startswith("airflow.")]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def airflow_run(database: Path, airflow_home: Path) -> Iterator[Callable[[Any], dict[str, Any]]]:
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    shutil.copy(database, airflow_home / "airflow.db")

    def run(dag: Any) -> dict[str, Any]:
        with create_session() as session:
            session.merge(DagBundleModel(name=BUNDLE))
            session.flush()
            parsed = [LazyDeserializedDAG.from_dag(dag)]
            update_dag_parsing_results_in_db(BUNDLE, None, parsed, {}, None, set(), session)
        instances = dag.test().get_task_instances()
        return {
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]": str(ti.state)
            for ti in instances
        }

    yield run
    (airflow_home / "airflow.db").unlink()


@pytest.fixture
def run(
    tmp_path: Path, write_config: Callable[..., Path], airflow_run: Callable[[Any], dict[str, Any]]
) -> Run:
    def of(tasks: dict[str, Any], dag_id: str, **more: Any) -> dict[str, Any]:
        path = write_config(tmp_path, {"dag_id": dag_id, **more, "tasks": tasks}, dag_id)
        for name in ("a", "b"):
            (path.parent / f"{name}.csv").write_text(name)
        dag = build_dag(analyse(ConfigFile.at(path)))
        dag.resolve_template_files()
        return airflow_run(dag)

    return of


def findings(
    tmp_path: Path, write_config: Callable[..., Path], task: dict[str, Any]
) -> list[tuple[str, str]]:
    config = {"dag_id": "sales_daily_load_v1", "tasks": {"t": task}}
    found = analyse(ConfigFile.at(write_config(tmp_path, config))).diagnostics()
    return [(diagnostic.code, diagnostic.message) for diagnostic in found]


def note(*after: str, **more: Any) -> dict[str, Any]:
    return {"operator": "airflow.empty", "depends_on": list(after), **more}


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_and_its_operator_take_the_same(name: str) -> None:
    from windlass.dagfactory.signature import signature_of

    spec = default_registry().get(name)
    signature = signature_of(spec.operator)
    assert set(spec.parameters.model_fields) <= signature.accepted
    assert signature.required <= {
        key for key, info in spec.parameters.model_fields.items() if info.is_required()
    }
    assert all(info.description for info in spec.parameters.model_fields.values())
    assert spec.summary


def test_checking_the_built_in_names_imports_no_airflow() -> None:
    code = (
        "import sys; from windlass.dagfactory.registry import default_registry as r\n"
        "from windlass.dagfactory import analysis\n"
        "[r().get(n) for n in r().names() if n.startswith('airflow.')]; assert 'airflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("rendered", "ids"),
    [
        ("a", ["a"]),
        (" a\n", ["a"]),
        ("['a', 'b']", ["a", "b"]),
        ('["a"]', ["a"]),
        (["a"], ["a"]),
        (("a", "b"), ["a", "b"]),
        ("None", None),
        ("", None),
        (None, None),
        ([], []),
        ("[]", []),
    ],
)
def test_task_ids_are_read_from_text_and_values(rendered: Any, ids: list[str] | None) -> None:
    assert as_ids(rendered) == ids


@pytest.mark.parametrize("rendered", [3, "[1]", "[a", {"a": 1}.values(), "[" * 10_000])
def test_what_is_no_task_id_is_said(rendered: Any) -> None:
    with pytest.raises(ValueError, match=r"is no value|let it give a task id"):
        as_ids(rendered)


@pytest.mark.parametrize(
    ("rendered", "truth"),
    [
        (True, True),
        ("True", True),
        (" true ", True),
        ("1", True),
        ("[1]", True),
        ("2.5", True),
        (3, True),
        (False, False),
        ("False", False),
        ("false", False),
        ("", False),
        ("0", False),
        ("None", False),
        ("[]", False),
        (None, False),
        ([], False),
    ],
)
def test_conditions_are_read_from_text_and_values(rendered: Any, truth: bool) -> None:
    assert as_truth(rendered) is truth


@pytest.mark.parametrize("rendered", ["no", "eu", "a b"])
def test_a_text_is_no_condition(rendered: str) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        as_truth(rendered)


@pytest.mark.parametrize("native", [False, True])
def test_branches_are_chosen_by_expression(run: Run, native: bool) -> None:
    tasks = {
        "g": {
            "tasks": {
                "one": {
                    "operator": "airflow.branch",
                    "args": {"choose": "{{ 'a' if params.n > 1 else 'b' }}"},
                },
                "a": note("one"),
                "b": note("one"),
            }
        },
        "two": {
            "operator": "airflow.branch",
            "args": {"choose": "{{ ['g2', 'c'] }}"},
            "depends_on": ["g"],
            "trigger_rule": "all_done",
        },
        "g2": {"tasks": {"x": note(), "y": note("x")}, "depends_on": ["two"]},
        "c": note("two"),
        "d": note("two"),
        "none": {"operator": "airflow.branch", "args": {"choose": "{{ None }}"}},
        "e": note("none"),
        "join": note("c", "d", trigger_rule="none_failed_min_one_success"),
    }
    states = run(
        tasks, f"sales_branch_{native}_v1".lower(), params={"n": 2}, render_template_as_native_obj=native
    )
    skipped = {name for name, state in states.items() if state == "skipped"}
    assert skipped == {"g.b", "d", "e"}
    assert {state for name, state in states.items() if name not in skipped} == {"success"}


def choose(which: str) -> str:
    return which


def truthful(answer: bool) -> bool:
    return answer


def noted(*args: Any, ds_nodash: str | None = None, **kwargs: Any) -> list[Any]:
    return [*args, *kwargs]


def test_functions_are_called_by_path_and_conditions_end_a_path(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    here = "test_operators"
    tasks = {
        "call": {
            "operator": "airflow.python",
            "args": {"callable": f"{here}.noted", "op_args": [1], "op_kwargs": {"a": "{{ ds }}"}},
        },
        "which": {
            "operator": "airflow.branch",
            "args": {"callable": f"{here}.choose", "op_kwargs": {"which": "x"}},
            "depends_on": ["call"],
        },
        "x": note("which"),
        "y": note("which"),
        "go": {"operator": "airflow.short_circuit", "args": {"condition": "{{ params.n > 1 }}"}},
        "went": note("go"),
        "stop": {
            "operator": "airflow.short_circuit",
            "args": {"callable": f"{here}.truthful", "op_args": [False]},
        },
        "stopped": note("stop"),
        "after": note("stopped", trigger_rule="all_done"),
        "each": {
            "operator": "airflow.python",
            "args": {"callable": f"{here}.noted"},
            "expand": {"op_args": {"output_of": "list"}},
        },
        "list": {"operator": "airflow.python", "args": {"callable": f"{here}.noted", "op_args": [[1], [2]]}},
        "unsure": {"operator": "airflow.short_circuit", "args": {"condition": "{{ 'maybe' }}"}},
        "astray": {"operator": "airflow.branch", "args": {"choose": "{{ 'nowhere' }}"}},
    }
    states = run(tasks, "sales_functions_v1", params={"n": 2})
    assert {name for name, state in states.items() if state == "skipped"} == {"y", "stopped", "after"}
    assert {name for name, state in states.items() if state == "failed"} == {"unsure", "astray"}
    assert {"each[0]", "each[1]"} <= states.keys()


def test_templates_take_in_what_is_beside_the_config(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sales_included_v1"
    (folder / "lib").mkdir(parents=True)
    (folder / "run.sh").write_text("{% set name = 'one' %}{% include 'lib/part.sh' %}\n")
    (folder / "lib" / "part.sh").write_text(f"echo {{{{ name }}}} > {tmp_path}/{{{{ name }}}}.txt")
    (folder / "two.j2").write_text("{% macro two() %}two{% endmacro %}")
    inline = "{% from '/two.j2' import two %}{% set name = two() %}{% include 'lib/part.sh' %}"
    tasks = {
        "file": {"operator": "airflow.bash", "args": {"bash_command": "run.sh"}},
        "text": {"operator": "airflow.bash", "args": {"bash_command": inline}},
    }
    assert run(tasks, folder.name) == {"file": "success", "text": "success"}
    assert {path.name for path in tmp_path.glob("*.txt")} == {"one.txt", "two.txt"}


def test_files_are_awaited_and_handed_on(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "in" / name).write_text(name)
    pattern = str(tmp_path / "in" / "*.txt")
    tasks = {
        "wait": {"operator": "airflow.wait_for_file", "args": {"filepath": pattern, "poke_interval": "1s"}},
        "look": {"operator": "airflow.wait_for_file", "args": {"filepath": pattern, "deferrable": False}},
        "each": {
            "operator": "airflow.bash",
            "args": {"bash_command": 'test -f "$FILE"'},
            "expand_kwargs": [{"env": {"FILE": "{{ ti.xcom_pull(task_ids='wait')[0] }}"}}],
            "depends_on": ["wait", "look"],
        },
        "own": {
            "operator": "trial.load_file",
            "args": {"table": "s.a"},
            "expand": {"file": ["a.csv", "b.csv"]},
        },
        "until": {"operator": "airflow.wait_until", "args": {"target_time": "2020-01-01T00:00:00+00:00"}},
    }
    states = run(tasks, "sales_files_v1")
    assert set(states.values()) == {"success"}
    assert {"each[0]", "own[0]", "own[1]"} <= states.keys()


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"operator": "airflow.branch"}, ("WDF305", "write either choose or callable")),
        (
            {"operator": "airflow.branch", "args": {"choose": "{{ 'a' }}", "op_args": [1]}},
            ("WDF305", "op_args and op_kwargs belong to callable; choose takes none"),
        ),
        (
            {"operator": "airflow.short_circuit", "args": {"condition": "a", "callable": "os.path.join"}},
            ("WDF305", "write either condition or callable"),
        ),
        (
            {"operator": "airflow.python", "args": {"callable": "os.path.joyn"}},
            ("WDF305", '"callable": the module os.path has no function joyn; did you mean "join"?'),
        ),
        (
            {"operator": "airflow.python", "args": {"callable": "join"}},
            ("WDF305", '"callable": not the import path of a function, package.module.function'),
        ),
        (
            {"operator": "airflow.python", "args": {"callable": "windlass_test_nowhere.f"}},
            (
                "WDF305",
                (
                    '"callable": the module windlass_test_nowhere cannot be imported: '
                    "ModuleNotFoundError: No module named 'windlass_test_nowhere'"
                ),
            ),
        ),
        (
            {
                "operator": "airflow.wait_for_dag",
                "args": {"external_dag_id": "d", "external_task_id": "t", "external_task_ids": ["u"]},
            },
            (
                "WDF305",
                (
                    "write one of external_task_id, external_task_ids, external_task_group_id, "
                    "or none to wait for the run"
                ),
            ),
        ),
        *(
            (
                {"operator": "airflow.bash", "args": {"bash_command": "ls", "output_encoding": name}},
                ("WDF305", '"output_encoding": there is no such encoding of text'),
            )
            for name in ("utf-9", "base64", "")
        ),
        (
            {"operator": "airflow.wait_until", "args": {"target_time": "noon"}},
            ("WDF305", '"target_time": not an ISO 8601 date'),
        ),
        (
            {
                "operator": "airflow.trigger_dag",
                "args": {"trigger_dag_id": "d", "logical_date": "2026-02-30"},
            },
            ("WDF305", '"logical_date": no such day or time'),
        ),
        (
            {"operator": "airflow.wait_for_file", "args": {"filepath": "x", "poke_interval": "soon"}},
            ("WDF305", '"poke_interval": not a duration'),
        ),
        (
            {"operator": "airflow.wait_for_file", "args": {"filepath": "x", "poke_interval": 0}},
            ("WDF305", '"poke_interval": must be longer than zero'),
        ),
        (
            {"operator": "airflow.wait_for_file", "args": {"filepath": "x", "timeout": True}},
            ("WDF305", '"timeout": must be seconds, or a duration'),
        ),
    ],
)
def test_mistakes_in_their_parameters_are_found(
    tmp_path: Path, write_config: Callable[..., Path], task: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert findings(tmp_path, write_config, task) == [expected]


def test_durations_reach_operators_as_they_take_them(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    tasks = {
        "start": {
            "operator": "airflow.trigger_dag",
            "args": {
                "trigger_dag_id": "d",
                "wait_for_completion": True,
                "poke_interval": "90s",
                "conf": {"a": 1},
            },
        },
        "wait": {
            "operator": "airflow.wait_for_dag",
            "args": {
                "external_dag_id": "d",
                "poke_interval": 5,
                "timeout": "1h",
                "execution_delta": "1d",
                "failed_states": ["failed"],
            },
        },
    }
    config = {"dag_id": "sales_daily_load_v1", "tasks": tasks}
    dag = build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    start, wait = dag.get_task("start"), dag.get_task("wait")
    assert (start.poke_interval, start.wait_for_completion, start.conf) == (90, True, {"a": 1})
    assert (wait.poke_interval, wait.timeout, wait.execution_delta.days, wait.deferrable) == (
        5,
        3600,
        1,
        True,
    )


@pytest.mark.filterwarnings("ignore:The airflow.security.permissions module is deprecated")
def test_access_and_users_reach_airflow_as_it_takes_them(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    from airflow.serialization.serialized_objects import BaseSerialization, DagSerialization

    def serialized(access: dict[str, Any]) -> Any:
        config = {
            "dag_id": "sales_daily_load_v1",
            "access_control": access,
            "defaults": {"run_as_user": "etl"},
            "tasks": {"t": note(), "u": note(run_as_user=None)},
        }
        dag = build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
        assert {task.task_id: task.run_as_user for task in dag.tasks} == {"t": "etl", "u": None}
        return DagSerialization.to_dict(dag)["dag"]["access_control"]

    runs = {"DAGs": ["can_read"], "DAG Runs": ["can_read", "can_create"]}
    one = serialized({"Viewer": ["can_read", "can_edit"], "Sales": runs})
    other = serialized(
        {"Sales": dict(reversed(runs.items())), "Viewer": ["can_edit", "can_read", "can_edit"]}
    )
    assert one == other
    assert BaseSerialization.deserialize(one) == {
        "Viewer": {"DAGs": {"can_read", "can_edit"}},
        "Sales": {"DAGs": {"can_read"}, "DAG Runs": {"can_read", "can_create"}},
    }

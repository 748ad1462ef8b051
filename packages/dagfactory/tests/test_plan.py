"""Plans kept beside stubs: used as long as nothing they were made of has changed, and never in doubt."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.serialization.serialized_objects import DagSerialization
from windlass_test_stand import until

from windlass.dagfactory import ConfigError, ConfigFile, StubFolder, analyse, build_dag
from windlass.dagfactory.build import construct
from windlass.dagfactory.loader import load_config
from windlass.dagfactory.plan import ingredients, store
from windlass.dagfactory.plan.ingredients import Ingredients, code_of, is_as_it_was
from windlass.dagfactory.plan.make import make_plan
from windlass.dagfactory.plan.model import DagPlan
from windlass.dagfactory.plan.store import FOLDER, PlanStore

pytestmark = pytest.mark.integration

NAME = "sales_daily_load_v1"
BASH = "airflow.providers.standard.operators.bash.BashOperator"
DATES = "airflow.providers.standard.sensors.date_time.DateTimeSensor"
NOTHING = Ingredients((), (), ())


class Folder:
    """A folder of configs with its stubs, and one config in it."""

    def __init__(self, folder: Path) -> None:
        self.configs = folder / "configs"
        self.config = self.configs / NAME / "dag.json"
        self.config.parent.mkdir(parents=True)
        self.stubs = StubFolder(self.configs, folder / "stubs")
        self.name = f"{NAME}/dag.json"
        self.stub = folder / "stubs" / f"{self.name}.py"
        self.file = ConfigFile(self.name, str(self.config), str(self.configs))

    def write(self, config: dict[str, Any]) -> None:
        self.config.write_text(json.dumps(config))
        self.stubs.sync()

    def load(self, also_in: tuple[str, ...] = ()) -> Any:
        root = str(self.configs)
        return load_config(str(self.stub), str(self.config), name=self.name, root=root, also_in=also_in)

    @property
    def plan(self) -> Path:
        return self.stub.parents[1] / FOLDER / f"{self.name}.{sys.implementation.cache_tag}"

    def stored(self, also_in: tuple[str, ...] = ()) -> DagPlan | None:
        return PlanStore(str(self.stub), self.name).read(self.file, also_in)

    def keep(self) -> None:
        """Load until the plan is kept: files that are seconds young could still change unseen."""

        def kept() -> bool:
            self.load()
            return self.stored() is not None

        until(kept, "a plan is kept", 20)


@pytest.fixture
def folder(tmp_path: Path, config: dict[str, Any]) -> Folder:
    made = Folder(tmp_path)
    made.write(config)
    return made


def serialized(dag: Any) -> str:
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str)


GRAMMAR: dict[str, Any] = {
    "dag_id": NAME,
    "description": "Land and publish.",
    "timezone": "Europe/Berlin",
    "start_date": "2026-01-01",
    "end_date": "2027-06-30T12:00:00",
    "tags": ["sales", "daily"],
    "owner": "team",
    "params": {"region": {"type": "string", "default": "DE", "order": 1}, "days": [1, 2]},
    "dagrun_timeout": "4h",
    "schedule": {
        "any": [{"asset": "s3://in/a"}, {"all": [{"asset": "b", "uri": "s3://in/b"}, {"alias": "c"}]}]
    },
    "notify": {"on_failure": [{"notifier": "log", "args": {"message": "failed"}}]},
    "compensate": {"operator": BASH, "args": {"bash_command": "echo undo"}},
    "max_active_runs": 2,
    "defaults": {
        "timeout": "10m",
        "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"},
        "operators": {BASH: {"pool": "small", "args": {"append_env": True}}},
    },
    "tasks": {
        "land": {"operator": BASH, "args": {"bash_command": "echo", "env": {"B": "2", "A": "{{ ds }}"}}},
        "wait": {"operator": DATES, "args": {"target_time": "{{ logical_date }}"}, "depends_on": ["land"]},
        "done": {
            "operator": BASH,
            "args": {"bash_command": "echo done"},
            "depends_on": ["wait"],
            "trigger_rule": "none_failed",
            "retry": {"attempts": 5},
            "doc_md": "Says so.",
        },
        "make": {
            "operator": BASH,
            "args": {"bash_command": "echo"},
            "setup": True,
            "outlets": [{"asset": "x"}],
        },
        "undo": {
            "operator": BASH,
            "args": {"bash_command": "echo"},
            "teardown": ["make"],
            "depends_on": ["each"],
        },
        "many": {"operator": "trial.note", "args": {"text": "x"}, "timeout": "1m"},
        "each": {
            "operator": BASH,
            "expand": {"bash_command": {"output_of": "many"}},
            "map_index_template": "{{ task.bash_command }}",
            "depends_on": ["make"],
            "retry": {"on": ["builtins.OSError"], "jitter": False},
        },
        "rows": {"operator": BASH, "expand_kwargs": [{"bash_command": "a"}, {"bash_command": "b"}]},
        "group": {
            "tooltip": "Inside.",
            "depends_on": ["done"],
            "tasks": {
                "inner": {"prefix_group_id": False, "tasks": {"one": {"operator": "airflow.empty"}}},
                "two": {
                    "operator": "trial.note",
                    "args": {"text": "x"},
                    "depends_on": ["inner"],
                    "notify": {"on_retry": [{"notifier": "log", "args": {"message": "again"}}]},
                    "compensate": {"operator": "trial.note", "args": {"text": "undone"}},
                },
            },
        },
    },
}


@pytest.mark.parametrize("schedule", [GRAMMAR["schedule"], {"every": "6h"}, "@daily", "0 5 * * 1", None])
def test_the_dag_of_a_kept_plan_is_that_of_the_config(folder: Folder, schedule: Any) -> None:
    config = {**GRAMMAR, "schedule": schedule}
    if schedule is None:
        config["start_date"] = "2026-01-01T03:00:00+02:00"
    folder.write(config)
    first = folder.load()
    kept = folder.stored()
    assert kept is not None
    assert kept == make_plan(analyse(folder.file))
    assert serialized(construct(kept, str(folder.config))) == serialized(first)
    assert serialized(first) == serialized(build_dag(analyse(folder.file)))


def test_a_parse_with_a_kept_plan_needs_neither_model_nor_checks(folder: Folder) -> None:
    folder.load()
    script = (
        "import runpy, sys\n"
        f"dag = runpy.run_path({str(folder.stub)!r})['dag']\n"
        "assert sorted(dag.task_dict) == ['note', 'run'], dag.task_dict\n"
        "parts = ('analysis', 'model', 'checks', 'document', 'layers', 'diagnostics', 'registry')\n"
        "print([part for part in parts if f'windlass.dagfactory.{part}' in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "[]\n"


def test_a_plan_lapses_with_all_that_it_was_made_of(
    folder: Folder, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "EU")
    (folder.config.parent / "about.md").write_text("About ${REGION}.")
    config |= {"doc_md": "about.md", "variables": ["REGION"], "description": "In ${REGION}"}
    config["tasks"]["include"] = {"operator": BASH, "args": {"bash_command": "{% include 'part.sh' %}"}}
    (folder.config.parent / "part.sh").write_text("echo {{ ds }}")
    defaults = folder.configs / "defaults.json"
    defaults.write_text('{"owner": "all"}')
    folder.write(config)
    folder.keep()

    def after(change: Callable[[], object], back: Callable[[], object]) -> Any:
        change()
        assert folder.stored() is None
        try:
            return folder.load()
        finally:
            back()
            assert folder.stored() is not None or folder.keep() is None

    about = folder.config.parent / "about.md"
    text = about.read_text()
    assert after(lambda: about.write_text("New."), lambda: about.write_text(text)).doc_md == "New."
    changed = {**config, "description": "new"}
    dag = after(
        lambda: folder.config.write_text(json.dumps(changed)),
        lambda: folder.config.write_text(json.dumps(config)),
    )
    assert dag.description == "new"
    dag = after(
        lambda: defaults.write_text('{"owner": "some"}'), lambda: defaults.write_text('{"owner": "all"}')
    )
    assert dag.get_task("run").owner == "some"
    nearer = folder.config.parent / "defaults.yaml"
    dag = after(lambda: nearer.write_text("owner: near\n"), nearer.unlink)
    assert dag.get_task("run").owner == "near"
    dag = after(lambda: monkeypatch.setenv("REGION", "US"), lambda: monkeypatch.setenv("REGION", "EU"))
    assert dag.description == "In US"
    with pytest.raises(ConfigError, match=r"WDF701|WDF702"):
        after(lambda: monkeypatch.delenv("REGION"), lambda: monkeypatch.setenv("REGION", "EU"))
    with pytest.raises(ConfigError, match=r"about\.md"):
        after(about.unlink, lambda: about.write_text(text))
    part = folder.config.parent / "part.sh"
    with pytest.raises(ConfigError, match="WDF703"):
        after(lambda: part.write_text("echo {{ ds"), lambda: part.write_text("echo {{ ds }}"))
    with pytest.raises(ConfigError, match="claimed by other"):
        folder.load(("other/dag.json",))
    assert folder.stored(("other/dag.json",)) is None


def test_a_text_may_be_the_name_of_a_folder(folder: Folder, config: dict[str, Any]) -> None:
    data = folder.config.parent / "data"
    data.mkdir()
    config["tasks"]["list"] = {"operator": BASH, "args": {"bash_command": "ls", "cwd": "data"}}
    folder.write(config)
    folder.keep()
    data.rmdir()
    data.write_text("a file")
    assert folder.stored() is None


def test_a_link_that_leads_out_is_told_of_although_all_texts_are_the_same(
    folder: Folder, config: dict[str, Any], tmp_path: Path
) -> None:
    script = folder.config.parent / "parts" / "run.sh"
    defaults = folder.configs / "defaults.json"
    script.parent.mkdir()
    script.write_text("echo")
    defaults.write_text('{"owner": "all"}')
    config["tasks"]["script"] = {"operator": BASH, "args": {"bash_command": "parts/run.sh"}}
    folder.write(config)
    folder.keep()
    for path in (defaults, script, script.parent):
        away = path.rename(tmp_path / path.name)
        path.symlink_to(away)
        assert folder.stored() is None
        with pytest.raises(ConfigError, match="leads out"):
            folder.load()
        path.unlink()
        away.rename(path)
        folder.keep()
    script.rename(folder.config.parent / "other.sh")
    script.symlink_to("../other.sh")
    folder.keep()


@pytest.mark.parametrize("names", ["'later.sh' ignore missing", "['later.sh', 'part.sh']"])
def test_a_template_that_a_file_may_join_is_looked_at_when_it_does(
    folder: Folder, config: dict[str, Any], names: str
) -> None:
    (folder.config.parent / "part.sh").write_text("echo")
    config["tasks"]["include"] = {"operator": BASH, "args": {"bash_command": f"{{% include {names} %}}"}}
    folder.write(config)
    folder.keep()
    (folder.config.parent / "later.sh").write_text("{{ ds")
    with pytest.raises(ConfigError, match=r"later\.sh"):
        folder.load()


def test_what_is_seconds_young_is_not_relied_on(folder: Folder) -> None:
    (folder.configs / "defaults.json").write_text('{"owner": "all"}')
    folder.load()
    assert folder.stored() is None  # it could have been changed again between its reading and its stamp
    folder.keep()


def test_what_changes_while_it_is_read_is_not_kept(
    folder: Folder, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = folder.configs / "defaults.json"
    defaults.write_text('{"owner": "one"}')
    folder.keep()
    folder.plan.unlink()
    take = store.take_digest

    def edited(*arguments: Any) -> bytes:
        defaults.write_text('{"owner": "two"}')
        return take(*arguments)

    monkeypatch.setattr(store, "take_digest", edited)
    folder.load()
    assert folder.stored() is None
    monkeypatch.undo()
    folder.keep()
    folder.plan.unlink()
    other = folder.configs.with_name("other")
    shutil.copytree(folder.configs, other)
    (other / "defaults.json").write_text('{"owner": "three"}')
    one = folder.configs.rename(folder.configs.with_name("one"))
    folder.configs.symlink_to(one)
    folder.keep()
    folder.plan.unlink()

    def switched(*arguments: Any) -> bytes:
        folder.configs.unlink()
        folder.configs.symlink_to(other)
        return take(*arguments)

    monkeypatch.setattr(store, "take_digest", switched)
    folder.load()
    assert folder.stored() is None


def test_what_an_operator_refuses_today_is_told_with_its_place(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "code" / "changing_operators.py"
    module.parent.mkdir()
    text = (
        "from airflow.sdk import BaseOperator\n"
        "class Changing(BaseOperator):\n"
        "    def __init__(self, *, size, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
    )
    module.write_text(text)
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.setattr(ingredients, "_IMPORTED", time.time_ns())
    task = {"operator": "changing_operators.Changing", "args": {"size": 5}}
    folder.write({"dag_id": NAME, "schedule": None, "tasks": {"t": task}})
    folder.load()
    assert folder.stored() is not None
    module.write_text(text.replace("size,", "size: str,"))
    assert folder.stored() is None  # what it takes is checked, though it would refuse nothing
    module.write_text(text.replace("size,", "length,"))
    script = (
        "from windlass.dagfactory.loader import load_config\n"
        f"load_config({str(folder.stub)!r}, {str(folder.config)!r}, name={folder.name!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{module.parent}:{os.environ['PYTHONPATH']}"}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert "dag.json:1:" in ended.stderr
    assert 'has no parameter "size"' in ended.stderr


def test_what_an_operator_does_to_its_arguments_is_not_kept(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "code" / "appending_operators.py"
    module.parent.mkdir()
    module.write_text(
        "from airflow.sdk import BaseOperator\n"
        "class Appending(BaseOperator):\n"
        "    template_fields = ('command',)\n"
        "    def __init__(self, *, command: list[str], **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        command.append('--verbose')\n"
        "        self.command = command\n"
    )
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.setattr(ingredients, "_IMPORTED", time.time_ns())
    task = {"operator": "appending_operators.Appending", "args": {"command": ["load"]}}
    folder.write({"dag_id": NAME, "schedule": None, "tasks": {"t": task}})
    first = serialized(folder.load())
    assert folder.stored() is not None
    assert serialized(folder.load()) == first


def test_a_damaged_plan_is_as_good_as_none(folder: Folder) -> None:
    sound = serialized(folder.load())
    content = folder.plan.read_bytes()
    for at in range(0, len(content), 97):
        for damaged in (content[:at], content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]):
            folder.plan.write_bytes(damaged)
            assert folder.stored() is None
    folder.plan.write_bytes(b"")
    assert serialized(folder.load()) == sound
    assert folder.stored() is not None


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_plan_can_hold_data_only(folder: Folder, tmp_path: Path) -> None:
    folder.load()
    mark = tmp_path / "mark"
    content = pickle.dumps(Evil(mark))
    folder.plan.write_bytes(zlib.crc32(content, zlib.crc32(b"plan")).to_bytes(4, "big") + content)
    folder.load()
    assert not mark.exists()
    plan = make_plan(analyse(folder.file))
    strange = plan._replace(arguments={**plan.arguments, "description": mark})
    assert PlanStore(str(folder.stub), folder.name).dump(strange) is None


def test_a_plan_is_its_owners_alone_and_goes_with_its_config(folder: Folder) -> None:
    folder.load()
    assert folder.plan.stat().st_mode & 0o777 == 0o600
    other = folder.configs / "sales_other_v1" / "dag.json"
    other.parent.mkdir()
    other.write_text(folder.config.read_text().replace(NAME, "sales_other_v1"))
    folder.config.unlink()
    assert folder.stubs.sync().removed == (folder.name,)
    assert not folder.plan.exists()


def test_where_nothing_can_be_kept_all_goes_on(
    folder: Folder, tmp_path: Path, config: dict[str, Any]
) -> None:
    folder.plan.parent.parent.mkdir(parents=True)
    folder.plan.parent.touch()  # where a folder is to be
    assert folder.load().dag_id == NAME
    assert folder.stored() is None
    elsewhere = tmp_path / "dags" / "moved.py"  # a stub by itself, as somebody copied it
    dag = load_config(str(elsewhere), str(folder.config), name=folder.name)
    assert dag.dag_id == NAME
    assert not elsewhere.parent.exists()


def test_two_that_keep_a_plan_at_once_keep_a_whole_one(folder: Folder) -> None:
    analysis = analyse(folder.file)
    plan, data = make_plan(analysis), folder.config.read_bytes()
    seen: list[DagPlan | None] = []

    def write() -> None:
        own = PlanStore(str(folder.stub), folder.name)
        for _ in range(50):
            code, real = ["windlass.dagfactory"], str(folder.config.resolve())
            own.write(own.dump(plan), folder.file, data, NOTHING, packages=code, begin=2**62, real=real)
            seen.append(own.read(folder.file, ()))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(map(type, seen)) <= {DagPlan, type(None)}
    assert folder.stored() == plan


def test_code_run_from_its_source_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "trial_code"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("x = 1\n")
    for path in package.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "trial_code", raising=False)
    __import__("trial_code.part")
    monkeypatch.setattr(ingredients, "_IMPORTED", time.time_ns())
    code = code_of(["trial_code"])
    assert code is not None
    assert is_as_it_was(code)
    time.sleep(0.05)  # a file system's clock is coarse
    os.utime(package / "part.py", (1_700_000_001, 1_700_000_001))
    assert not is_as_it_was(code)
    assert code_of(["trial_code"]) is None  # changed after this process has imported it, whatever its time
    os.utime(package / "part.py")
    assert code_of(["trial_code"]) is None
    (package / "part.py").unlink()
    assert code_of(["trial_code"]) is None


def test_installing_anything_makes_plans_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    os.utime(site, (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "gone" / "site-packages")])
    monkeypatch.setattr(ingredients, "_IMPORTED", 1_800_000_000_000_000_000)
    code = code_of([])
    assert code is not None
    assert is_as_it_was(code)
    (site / "new_package").mkdir()
    assert not is_as_it_was(code)


def test_validation_and_generation_are_events(folder: Folder, config: dict[str, Any]) -> None:
    with structlog.testing.capture_logs() as events:
        folder.load()
        folder.load()
    [made] = events
    assert made.pop("seconds") >= 0
    assert made == {
        "event": "dag_generated",
        "log_level": "info",
        "config": folder.name,
        "dag_id": NAME,
        "tasks": 2,
        "plan_kept": True,
    }
    config["tasks"]["run"]["operator"] = "trial.run_sq"
    config["schedule"] = "whenever"
    folder.write(config)
    with structlog.testing.capture_logs() as events, pytest.raises(ConfigError):
        folder.load()
    assert events == [
        {
            "event": "config_invalid",
            "log_level": "warning",
            "config": folder.name,
            "mistakes": 2,
            "codes": ["WDF201", "WDF301"],
        }
    ]

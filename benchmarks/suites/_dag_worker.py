"""Build and parse DAGs as Airflow does, and tell the CPU seconds; runs in our and the peers' environments.

Reads a JSON list a line, the verb and its arguments, and answers each with a number. What Airflow does in a
process forked from one that has it imported, is done so here, too.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def build(kind: str, path: str, count: int) -> float:
    """Build one DAG some times: CPU seconds for each, after one that is not counted."""
    make = _BUILDERS[kind](path)
    assert make().task_dict["t9"].upstream_task_ids == {"t8"}
    gc.collect()
    begin = time.process_time()
    for _ in range(count):
        make()
    return (time.process_time() - begin) / count


def _stub(path: str) -> Callable[[], Any]:
    """Parse a config's stub as Airflow does, which has been done before with the config as it is."""
    from windlass.dagfactory import StubFolder

    configs = Path(path).parent.parent
    stubs = configs.parent / "stubs"
    StubFolder(configs, stubs).sync()
    [stub] = stubs.glob("*/*.py")
    return lambda: _module(str(stub)).dag


def _config(path: str) -> Callable[[], Any]:
    from windlass.dagfactory import ConfigFile, analyse, build_dag

    file = ConfigFile.at(path)
    return lambda: build_dag(analyse(file))


def _analysed(path: str) -> Callable[[], Any]:
    from windlass.dagfactory import ConfigFile, analyse, build_dag

    analysis = analyse(ConfigFile.at(path))
    return lambda: build_dag(analysis)


def _module(path: str) -> Any:
    """Execute a file as Airflow does, from its bytecode where Python keeps it; it builds its DAG once."""
    specification = importlib.util.spec_from_file_location("hand_written", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _python_file(path: str) -> Callable[[], Any]:
    return lambda: _module(path).dag


def _python(path: str) -> Callable[[], Any]:
    return _module(path).build  # type: ignore[no-any-return]


def _dag_factory(path: str) -> Callable[[], Any]:
    import logging

    from dagfactory import load_yaml_dags  # type: ignore[import-not-found]

    logging.disable(logging.INFO)

    def make() -> Any:
        found: dict[str, Any] = {}
        load_yaml_dags(found, config_filepath=path)
        [dag] = [value for value in found.values() if hasattr(value, "tasks")]
        return dag

    return make


def _blueprint(path: str) -> Callable[[], Any]:
    from blueprint.builder import Builder  # type: ignore[import-not-found]
    from blueprint.registry import BlueprintRegistry  # type: ignore[import-not-found]

    registry = BlueprintRegistry(template_dirs=[Path(path).parent])
    registry.discover()
    builder = Builder(bp_registry=registry)
    return lambda: builder.build_from_yaml(path)


_BUILDERS = {
    "stub": _stub,
    "config": _config,
    "analysed": _analysed,
    "python-file": _python_file,
    "python": _python,
    "dag-factory": _dag_factory,
    "blueprint": _blueprint,
}


def task_start(bundle: str, file: str, dag: str) -> float:
    """Get one DAG as a task does when it starts: in a fork of a worker that has Airflow imported."""
    import airflow.dag_processing.dagbag
    import airflow.sdk.execution_time.supervisor
    import airflow.sdk.execution_time.task_runner  # noqa: F401

    def work() -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag

        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag
        os.environ["_AIRFLOW_PARSING_CONTEXT_TASK_ID"] = "t0"
        found = DagBundlesManager().get_bundle(name=bundle)  # type: ignore[no-untyped-call]
        found.initialize()
        path = os.fspath(found.path / file)
        bag = BundleDagBag(
            dag_folder=path, safe_mode=False, load_op_links=False, bundle_path=found.path, bundle_name=bundle
        )
        assert "t0" in bag.dags[dag].task_dict

    return _forked(work)


def parse(bundle: str, file: str) -> float:
    """Parse a file as the dag processor does: modules of Airflow imported first, the rest in a fork."""
    import structlog
    from airflow.dag_processing import processor

    found = _bundle(bundle)
    path = os.fspath(found.path / file)
    processor._pre_import_airflow_modules(path, log=structlog.get_logger())  # noqa: SLF001 - what is measured

    def work() -> None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
        request = processor.DagFileParseRequest(file=path, bundle_path=found.path, bundle_name=bundle)
        result = processor._parse_file(request, structlog.get_logger())  # noqa: SLF001 - what is measured
        assert result is not None
        assert not result.import_errors, result.import_errors
        assert len(result.serialized_dags) == 1
        result.model_dump_json()

    return _forked(work)


def refresh(bundle: str) -> float:
    """Refresh a bundle: CPU seconds of this process."""
    found = _bundle(bundle)
    begin = time.process_time()
    found.refresh()
    return time.process_time() - begin


_BUNDLES: dict[str, Any] = {}


def _bundle(name: str) -> Any:
    if name not in _BUNDLES:
        from airflow.dag_processing.bundles.manager import DagBundlesManager

        _BUNDLES[name] = DagBundlesManager().get_bundle(name=name)  # type: ignore[no-untyped-call]
        _BUNDLES[name].initialize()
    return _BUNDLES[name]


def _forked(work: Callable[[], None]) -> float:
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001 - told of, and the process ends
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, f"the child ended with {status}"
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    verbs: dict[str, Callable[..., float]] = {
        "build": build,
        "task_start": task_start,
        "parse": parse,
        "refresh": refresh,
    }
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(verbs[verb](*arguments), file=answers, flush=True)

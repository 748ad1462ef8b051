"""Shows that Airflow makes exactly one DAG of each example; it imports Airflow, and so runs where that is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

__all__ = ["configs", "differences"]

BUNDLE = "examples"
SUFFIXES = (".json", ".yaml", ".yml")


def configs(folder: Path) -> dict[str, Path]:
    """Return the config files below a folder by the name of the DAG that each must make."""
    found: dict[str, Path] = {}
    for file in sorted(file for file in folder.rglob("*dag.*") if file.suffix in SUFFIXES):
        name = file.parent.name if file.stem == "dag" else file.stem.removesuffix(".dag")
        if file.stem != "dag" and not file.stem.endswith(".dag"):
            continue
        if name in found:
            raise SystemExit(f"{file} and {found[name]} would make the same DAG {name}")
        found[name] = file
    return found


def differences(expected: set[str], made: set[str], import_errors: dict[str, str]) -> list[str]:
    """Name what Airflow made otherwise than the configs say."""
    problems = [f"{path}: {error.strip()}" for path, error in import_errors.items()]
    problems += [f"{name}: a config, but no DAG" for name in sorted(expected - made)]
    problems += [f"{name}: a DAG without a config of its name" for name in sorted(made - expected)]
    return problems


def main() -> None:
    """Parse the folder named on the command line through the bundle manager, as the DAG processor does."""
    folder = Path(sys.argv[1]).resolve()
    expected = configs(folder)
    if not expected:
        raise SystemExit(f"{folder} holds no config, so there is nothing to show")
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
        [
            {
                "name": BUNDLE,
                "classpath": "windlass.dagfactory.bundle.ConfigDagBundle",
                "kwargs": {"configs": str(folder)},
            }
        ]
    )
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    # After the settings, since Airflow reads them when it is imported.
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag

    bundle = DagBundlesManager().get_bundle(BUNDLE)  # type: ignore[no-untyped-call]  # Airflow's
    bundle.initialize()
    bag = DagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=BUNDLE)
    if problems := differences(set(expected), set(bag.dags), bag.import_errors):
        raise SystemExit("\n".join(problems))
    print(f"ok: {len(bag.dags)} DAGs of {len(expected)} configs, no import error")


if __name__ == "__main__":
    main()

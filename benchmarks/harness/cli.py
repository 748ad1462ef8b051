"""The command `uv run benchmarks`: list the benchmarks, or run one."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from harness.measure import ProcessFailedError
from harness.result import Result

__all__ = ["SUITES", "main"]

SUITES = Path(__file__).parent.parent / "suites"


def main(argv: Sequence[str] | None = None, *, suites: Path = SUITES) -> int:
    """Run the command.

    Returns:
        0 when all goals are met, 1 when one is missed or the benchmark failed, 2 for misuse.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    names = sorted(path.stem for path in suites.glob("*.py") if not path.stem.startswith("_"))
    if not words or words[0] in ("-h", "--help"):
        print("usage: benchmarks NAME [--json] [options of the benchmark]\n")
        print("\n".join(f"{name:<12} {_summary(suites / f'{name}.py')}" for name in names))
        return 0
    if words[0] not in names:
        print(f"There is no benchmark {words[0]!r}; there are: {', '.join(names)}.", file=sys.stderr)
        return 2
    return _run(words[0], words[1:], _load(words[0], suites))


def _summary(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def _load(name: str, suites: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"benchmark_{name}", suites / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def _run(name: str, words: Sequence[str], module: ModuleType) -> int:
    parser = argparse.ArgumentParser(prog=f"benchmarks {name}", description=module.__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, last and on one line")
    if hasattr(module, "options"):
        module.options(parser)
    arguments = parser.parse_args(words)
    try:
        rows = tuple(module.run(arguments))
    except ProcessFailedError as error:
        print(error, file=sys.stderr)
        return 1
    result = Result(name, rows, _versions(getattr(module, "VERSIONS", ())))
    print(result.to_text(), file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(result.to_json())
    return 0 if result.met else 1


def _versions(distributions: Iterable[str]) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

"""The gate finds packages by itself; one that it overlooks would go ungated."""

from pathlib import Path

import pytest

from gate.workspace import Member, members, pythons, sources

pytestmark = pytest.mark.unit

ROOT = '[tool.uv.workspace]\nmembers = ["packages/*", "deployments"]\n'


def add_member(root: Path, folder: str, module: str, *, requires: str = ">=3.11,<3.14") -> None:
    package = root / folder / "src" / Path(*module.split("."))
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    name = module.replace(".", "-")
    (root / folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nrequires-python = "{requires}"\n', "utf-8"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(ROOT, "utf-8")
    add_member(tmp_path, "packages/operators-x", "windlass.operators.x")
    add_member(tmp_path, "packages/a", "windlass.a")
    add_member(tmp_path, "deployments", "windlass.deployments")
    (tmp_path / "packages" / "notes").mkdir()
    return tmp_path


def test_members_lead_through_nested_namespaces(root: Path) -> None:
    assert members(root) == [
        Member("windlass-a", Path("packages/a"), "windlass.a"),
        Member("windlass-operators-x", Path("packages/operators-x"), "windlass.operators.x"),
        Member("windlass-deployments", Path("deployments"), "windlass.deployments"),
    ]


def test_a_source_folder_with_two_packages_is_refused(root: Path) -> None:
    (root / "packages/a/src/windlass/__init__.py").unlink(missing_ok=True)
    (root / "packages/a/src/other").mkdir()
    with pytest.raises(SystemExit, match="must lead to one package"):
        members(root)


def test_sources_leave_out_what_holds_no_python(root: Path) -> None:
    (root / "benchmarks").mkdir()
    assert Path("benchmarks") not in sources(root)
    (root / "benchmarks" / "__main__.py").touch()
    assert Path("benchmarks") in sources(root)


def test_pythons_are_the_minor_versions_that_all_members_support(root: Path) -> None:
    assert pythons(root) == ["3.11", "3.12", "3.13"]
    add_member(root, "packages/b", "windlass.b", requires=">=3.12,<3.14")
    with pytest.raises(SystemExit, match="differ"):
        pythons(root)

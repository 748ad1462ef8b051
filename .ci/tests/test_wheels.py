"""A wheel with something missing, or something of another package's, does not pass."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from gate.pytest_settings import as_ini
from gate.wheels import find, problems, requirement
from gate.workspace import Member

pytestmark = pytest.mark.unit

MEMBER = Member("windlass-a", Path("packages/a"), "windlass.a")
METADATA = (
    "Metadata-Version: 2.4\nName: windlass-a\nVersion: 1.0\nLicense-Expression: Apache-2.0\n"
    "Provides-Extra: seed\nProvides-Extra: airflow\n\n# windlass-a\n"
)
FILES = {
    "windlass/a/__init__.py": "",
    "windlass/a/py.typed": "",
    "windlass_a-1.0.dist-info/METADATA": METADATA,
}


def make(folder: Path, files: dict[str, str]) -> Path:
    wheel = folder / "windlass_a-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def test_a_whole_wheel_passes(tmp_path: Path) -> None:
    assert list(problems(make(tmp_path, FILES), MEMBER)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"windlass/__init__.py": ""}, "outside"),
        ({"windlass/b/__init__.py": ""}, "outside"),
        ({"tests/test_a.py": ""}, "outside"),
        ({"windlass/a/py.typed": None}, "py.typed"),
        ({"windlass_a-1.0.dist-info/METADATA": METADATA.replace("Apache-2.0", "MIT")}, "licence"),
        ({"windlass_a-1.0.dist-info/METADATA": METADATA.replace("# windlass-a\n", "")}, "description"),
    ],
)
def test_each_defect_is_named(tmp_path: Path, change: dict[str, str | None], word: str) -> None:
    files = {name: content for name, content in {**FILES, **change}.items() if content is not None}
    (problem,) = problems(make(tmp_path, files), MEMBER)
    assert word in problem


def test_a_requirement_names_the_file_and_all_extras(tmp_path: Path) -> None:
    wheel = make(tmp_path, FILES)
    assert requirement(wheel) == f"windlass-a[airflow,seed] @ {wheel.as_uri()}"
    assert requirement(wheel, bare=True) == f"windlass-a @ {wheel.as_uri()}"


def test_a_package_without_a_wheel_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="one wheel of windlass-a"):
        find(tmp_path, "windlass-a")


def test_settings_for_a_wheel_are_the_roots_without_its_folders() -> None:
    settings = {"testpaths": ["packages"], "addopts": ["-n", "auto"], "timeout": 300, "xfail_strict": True}
    assert (
        as_ini(settings)
        == "[pytest]\naddopts =\n    -n\n    auto\ntimeout =\n    300\nxfail_strict =\n    true\n"
    )

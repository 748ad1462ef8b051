"""A lock made behind a mirror would send every user there; its limits must not fight a package's pins."""

import pytest

from gate.lockfile import DEFAULT_INDEX, beside, cutoff, foreign_sources

pytestmark = pytest.mark.unit

LOCK = {
    "package": [
        {
            "name": "one",
            "source": {"registry": DEFAULT_INDEX},
            "sdist": {"upload-time": "2026-01-01T00:00:00Z"},
            "wheels": [{"upload-time": "2026-03-01T10:00:59.5Z"}, {"upload-time": "2026-02-01T00:00:00Z"}],
        },
        {"name": "member", "source": {"editable": "packages/member"}},
    ]
}


def test_the_default_index_and_the_workspace_are_at_home() -> None:
    assert foreign_sources(LOCK) == []


@pytest.mark.parametrize(
    "source",
    [
        {"registry": "https://mirror.example.org/simple"},
        {"registry": f"{DEFAULT_INDEX}/"},
        {"git": "https://example.org/one.git"},
        {"url": "https://example.org/one.whl"},
    ],
)
def test_any_other_source_is_named(source: dict[str, str]) -> None:
    (problem,) = foreign_sources({"package": [{"name": "two", "source": source}]})
    assert problem.startswith("two: ")


def test_the_cutoff_lies_after_the_newest_file() -> None:
    assert cutoff(LOCK) == "2026-03-01T10:01:00Z"


def test_a_lock_without_times_has_no_cutoff() -> None:
    with pytest.raises(SystemExit, match="upload times"):
        cutoff({"package": [{"name": "one", "source": {}}]})


def test_limits_on_what_is_pinned_are_dropped_whatever_the_spelling() -> None:
    pins = (
        "Some.Name==1.0\nother[extra]==2 ; python_version < '4'\n    # via x\nwheel @ file:///tmp/wheel.whl\n"
    )
    limits = "some-name==3.0\nother==3\nwheel==4\n\nfree==5\n"
    assert beside(pins, limits) == "free==5\n"

"""Settings: which source wins, and that `.env.example` names them all and no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from windlass.deployments.settings import ENV_PREFIX, Settings, project_root

pytestmark = pytest.mark.unit

EXAMPLE = project_root(Path(__file__).parent) / ".env.example"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(ENV_PREFIX + name.upper(), raising=False)


def test_a_flag_wins_over_environment_over_env_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().seed == 42
    (tmp_path / ".env").write_text("WINDLASS_SEED=1\n")
    assert Settings().seed == 1
    monkeypatch.setenv("WINDLASS_SEED", "2")
    assert Settings().seed == 2
    assert Settings(seed=3).seed == 3


@pytest.mark.parametrize(
    ("name", "value"), [("api_port", 70000), ("scale", 0), ("seed", -1), ("parallelism", 0)]
)
def test_a_value_out_of_range_is_refused(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})


def test_an_empty_state_folder_and_a_shared_port_are_refused() -> None:
    with pytest.raises(ValidationError, match="empty path"):
        Settings(state_dir="")
    with pytest.raises(ValidationError, match="share one port"):
        Settings(api_port=5000, postgres_port=5000)


def test_the_root_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "deployments" / "local").mkdir(parents=True)
    assert project_root(tmp_path / "deployments" / "local") == tmp_path


@pytest.mark.skipif(not EXAMPLE.exists(), reason=".env.example is in the source tree, not in the wheel")
class TestEnvExample:
    """The file that users copy."""

    def test_names_every_setting_and_nothing_else(self) -> None:
        named = set(re.findall(r"^# (WINDLASS_\w+)=", EXAMPLE.read_text(), flags=re.MULTILINE))
        assert named == {ENV_PREFIX + name.upper() for name in Settings.model_fields}

    def test_explains_each_setting_as_the_model_does(self) -> None:
        text = EXAMPLE.read_text()
        for field in Settings.model_fields.values():
            assert field.description
            assert f"# {field.description}\n" in text

    def test_shows_values_that_the_model_takes(self, tmp_path: Path) -> None:
        lines = re.findall(r"^# (WINDLASS_\w+=.*)$", EXAMPLE.read_text(), flags=re.MULTILINE)
        (tmp_path / ".env").write_text("\n".join(lines))
        shown = Settings()
        assert (shown.seed, shown.scale, shown.parallelism) == (42, 1.0, 4)

    def test_holds_no_secret(self) -> None:
        names = re.findall(r"^#? ?(\w+)=", EXAMPLE.read_text(), flags=re.MULTILINE)
        assert not [name for name in names if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name)]

"""The gate runs what users are told to run, or says that they are told nothing."""

import pytest

from gate.readme import test_command as stated_command  # its own name would be collected as a test

pytestmark = pytest.mark.unit


def test_the_command_is_taken_from_a_code_block() -> None:
    text = (
        "Run `uv run pytest`.\n```sh\npip install uv && uv run deployments/local demo\n"
        "$ pip install uv && uv run pytest  # the tests\n```\n"
    )
    assert stated_command(text) == "pip install uv && uv run pytest"


@pytest.mark.parametrize(
    "text",
    [
        "pip install uv && uv run pytest\n",
        "```sh\nuv run pytest packages/warehouse\n```\n",
        "```\npip install uv && uv run pytest\n```\n    pip install uv && uv run pytest\n",
    ],
)
def test_none_or_two_are_refused(text: str) -> None:
    with pytest.raises(SystemExit, match=r"README\.md must state"):
        stated_command(text)

"""Every example broken in every way, thousands of times: never a traceback, always told where it was done.

`WINDLASS_MUTATIONS=10000` says how many; the gate's stage for examples does.
"""

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass.dagfactory import ConfigFile, Diagnostic, analyse_all, analyse_bytes, discover, render_text
from windlass.dagfactory.diagnostics import JsonPath, json_path

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MUTATIONS = int(os.environ.get("WINDLASS_MUTATIONS", "600"))
JUNK = (
    None,
    True,
    -7,
    3.5,
    "",
    "zzz junk",
    "{{ nope }}",
    "${NOPE}",
    [],
    ["zzz"],
    {},
    {"zzz": 1},
    "../x",
    "P1Y",
)


def places(data: Any, path: JsonPath = ()) -> Iterator[JsonPath]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutate(data: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], JsonPath, str]:
    """A copy with one value replaced, or one key removed or renamed; where, and the word that is gone."""
    path = chance.choice(list(places(data)))
    changed = copy.deepcopy(data)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    last = path[-1]
    how = chance.choice(("replace", "remove", "rename")) if isinstance(parent, dict) else "replace"
    if how == "replace":
        parent[last] = copy.deepcopy(chance.choice(JUNK))
        return changed, path, str(last)
    value = parent.pop(last)
    if how == "rename":
        parent[f"zzz_{last}"] = value
        path = (*path[:-1], f"zzz_{last}")
    else:
        path = path[:-1]
    return changed, path, str(last)


def concerns(diagnostic: Diagnostic, place: str, word: str) -> bool:
    """Whether an error stands where something was done, inside, beside, around it, or names what is gone."""
    path = diagnostic.path
    around = place.rpartition(".")[0]
    return (
        path.startswith((place, f"{around}."))
        or place.startswith((f"{path}.", f"{path}["))
        or word in diagnostic.message
    )


def test_every_mistake_is_told_where_it_was_made() -> None:
    chance = random.Random(20261123)
    sources = [(file, json.loads(Path(file.path).read_text())) for file in discover(EXAMPLES).configs]
    assert len(sources) > 5
    broken, elsewhere = 0, []
    for _ in range(MUTATIONS):
        file, source = chance.choice(sources)
        data, path, word = mutate(source, chance)
        text = json.dumps(data, indent=1, ensure_ascii=False)
        if chance.random() < 0.5:
            text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
            file = ConfigFile(
                file.name.replace(".json", ".yaml"), file.path.replace(".json", ".yaml"), file.root
            )
        found = analyse_bytes(text.encode(), file=file).diagnostics()
        render_text(found)
        if not found:
            continue  # another value that is right, a description that is gone
        broken += 1
        assert all(1 <= each.line <= text.count("\n") + 1 for each in found)
        if not any(concerns(each, json_path(path), word) for each in found):
            elsewhere.append((file.name, json_path(path), [(each.code, each.path) for each in found]))
    assert broken > MUTATIONS * 0.7
    assert elsewhere == []


def test_one_broken_config_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    chance = random.Random(7)
    files = list(discover(EXAMPLES).configs)
    for victim in files:
        data, _, _ = mutate(json.loads(Path(victim.path).read_text()), chance)
        data["zzz"] = 1
        text = tmp_path / "broken.dag.json"
        text.write_text(json.dumps(data))
        given = [ConfigFile(victim.name, str(text)) if file is victim else file for file in files]
        analyses = analyse_all(given)
        assert [analysis.file.name for analysis in analyses if not analysis.sound] == [victim.name]

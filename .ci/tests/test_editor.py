"""The configs' schema in the language server that editors use for JSON: what is offered, told and refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory.catalog import catalog
from windlass.dagfactory.schema import config_schema, defaults_schema

SERVER = os.environ.get("WINDLASS_JSON_LANGUAGE_SERVER") or shutil.which("vscode-json-language-server")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        SERVER is None,
        reason="no vscode-json-language-server on PATH; `.ci/run editor` installs it and runs this",
    ),
]


class LanguageServer:
    """A language server over stdio, asked as an editor asks it (Language Server Protocol 3.17)."""

    def __init__(self, command: str, schemas: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._asked = self._opened = 0
        item = {"snippetSupport": True, "documentationFormat": ["markdown"]}
        documents = {
            "completion": {"completionItem": item},
            "hover": {"contentFormat": ["markdown"]},
            "diagnostic": {},
        }
        self._ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": None, "capabilities": {"textDocument": documents}},
        )
        self._send(method="initialized", params={})
        known = [
            {"fileMatch": [name], "schema": schema, "url": f"test://{name}"}
            for name, schema in schemas.items()
        ]
        settings = {"json": {"validate": {"enable": True}, "schemas": known}}
        self._send(method="workspace/didChangeConfiguration", params={"settings": settings})

    def close(self) -> None:
        """End the server as the protocol has it."""
        self._ask("shutdown", None)
        self._send(method="exit", params={})
        self._process.communicate(timeout=10)

    def completions(self, text: str, *, file: str = "dag.json") -> list[str]:
        """List what is offered at the `|` of a text."""
        uri, position = self._open(text, file)
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
        return [item["label"].strip('"') for item in found["items"]]

    def hover(self, text: str) -> str:
        """Tell what is shown when the pointer rests on the `|` of a text."""
        uri, position = self._open(text, "dag.json")
        found = self._ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})
        shown: str = "\n".join(found["contents"]).replace("\\", "")
        return shown

    def problems(self, text: str, *, file: str = "dag.json") -> list[tuple[str, str]]:
        """List what is underlined in a text, and why."""
        uri, _ = self._open(f"{text}|", file)
        found = self._ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        spans = [
            (item["range"]["start"]["character"], item["range"]["end"]["character"])
            for item in found["items"]
        ]
        messages = [item["message"] for item in found["items"]]
        return [(text[a:b].strip('"'), message) for (a, b), message in zip(spans, messages, strict=True)]

    def _open(self, text: str, file: str) -> tuple[str, dict[str, int]]:
        self._opened += 1
        uri = f"file://{file}" if file.startswith("/") else f"file:///{self._opened}/{file}"
        before, _, after = text.rpartition("|")  # Jinja has bars too
        document = {"uri": uri, "languageId": "json", "version": 1, "text": before + after}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        return uri, {"line": 0, "character": len(before)}

    def _ask(self, method: str, params: Any) -> Any:
        self._asked += 1
        self._send(id=self._asked, method=method, params=params)
        while True:
            message = self._receive()
            if "method" not in message and message.get("id") == self._asked:
                assert "error" not in message, message
                return message["result"]
            if "method" in message and "id" in message:  # the server asks us something
                self._send(id=message["id"], result=None)

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline()) != b"\r\n":
            assert line, "the language server has ended"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


@pytest.fixture(scope="module")
def editor() -> Iterator[LanguageServer]:
    entries = catalog()
    schemas = {
        "dag.json": config_schema(entries, closed=True),
        "defaults.json": defaults_schema(entries, closed=True),
    }
    assert SERVER is not None
    server = LanguageServer(SERVER, schemas)
    yield server
    server.close()


def test_keys_are_offered(editor: LanguageServer) -> None:
    assert {"dag_id", "schedule", "tasks", "defaults"} <= set(editor.completions("{|}"))
    assert {"operator", "args", "retry"} <= set(editor.completions('{"tasks": {"a": {|}}}'))
    assert {"attempts", "cap"} <= set(editor.completions('{"tasks": {"a": {"retry": {|}}}}'))
    assert "a group of tasks" in editor.completions('{"tasks": {"a": |}}')
    assert {"every", "asset", "any"} <= set(editor.completions('{"schedule": {|}}'))


def test_operators_are_offered_with_what_they_take(editor: LanguageServer) -> None:
    offered = editor.completions('{"tasks": {"a": {"operator": |}}}')
    assert {"warehouse.load_file", "warehouse.publish"} <= set(offered)


@pytest.mark.parametrize(
    "text",
    [
        '{"tasks": {"a": {"operator": "warehouse.load_file", "args": {|}}}}',
        '{"tasks": {"g": {"tasks": {"a": {"operator": "warehouse.load_file", "args": {|}}}}}}',
        '{"compensate": {"operator": "warehouse.load_file", "args": {|}}}',
        '{"defaults": {"operators": {"warehouse.load_file": {"args": {|}}}}}',
    ],
)
def test_the_parameters_of_the_operator_are_offered_and_no_others(editor: LanguageServer, text: str) -> None:
    offered = set(editor.completions(text))
    assert {"file", "table", "mode"} <= offered
    assert "source_table" not in offered


def test_values_are_offered(editor: LanguageServer) -> None:
    mode = '{"tasks": {"a": {"operator": "warehouse.load_file", "args": {"mode": |}}}}'
    assert editor.completions(mode) == ["replace", "append"]
    assert "all_done" in editor.completions('{"tasks": {"a": {"trigger_rule": |}}}')
    assert "log" in editor.completions('{"notify": {"on_failure": [{"notifier": |}]}}')
    assert "message" in editor.completions('{"notify": {"on_failure": [{"notifier": "log", "args": {|}}]}}')


def test_texts_are_shown_on_hovering(editor: LanguageServer) -> None:
    assert "made up for" in editor.hover('{"catch|up": true}')
    table = '{"tasks": {"a": {"operator": "warehouse.publish", "args": {"ta|ble": "x"}}}}'
    assert "Table to publish into" in editor.hover(table)
    assert "Publish landed rows" in editor.hover('{"tasks": {"a": {"operator": "warehouse.pub|lish"}}}')


FINE = '"dag_id": "sales_daily_load_v1", "tasks": {"a": {"operator": "warehouse.transform"}}'


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (f'{{{FINE}, "shedule": null}}', "shedule", "Property shedule is not allowed."),
        (f'{{{FINE}, "start_date": "2 days ago"}}', "2 days ago", "Write an absolute date"),
        (f'{{{FINE}, "dagrun_timeout": "5 min"}}', "5 min", "Write a duration"),
        (f'{{{FINE}, "schedule": {{"asset": "x", "urii": 1}}}}', "urii", "Property urii is not allowed."),
        (FINE.join(("{", "}")).replace("transform", "trnsform"), "warehouse.trnsform", "Valid values: "),
        (
            FINE.join(("{", "}")).replace('"}}', '", "args": {"sqlfile": "x"}}}'),
            "sqlfile",
            "Property sqlfile is not allowed.",
        ),
        (
            FINE.join(("{", "}")).replace('"}}', '", "depends_on": "b"}}'),
            "b",
            'Incorrect type. Expected "array".',
        ),
    ],
)
def test_a_mistake_is_underlined_where_it_is(
    editor: LanguageServer, text: str, where: str, message: str
) -> None:
    assert json.loads(text)
    [(underlined, told)] = editor.problems(text)
    assert underlined == where
    assert message in told


def test_sound_configs_are_left_alone(editor: LanguageServer) -> None:
    examples = sorted((Path(__file__).resolve().parents[2] / "examples").rglob("*dag.json"))
    assert examples
    for path in examples:
        # At its own place: it names the schema that lies beside the examples.
        text = json.dumps(json.loads(path.read_text()))
        assert editor.problems(text, file=path.as_posix()) == [], path
        beside = path.with_name("beside.dag.json").as_posix()
        assert editor.problems(text.replace('"tasks"', '"taks"', 1), file=beside), path


def test_folder_defaults_have_a_schema_of_their_own(editor: LanguageServer) -> None:
    offered = editor.completions("{|}", file="defaults.json")
    assert {"timezone", "defaults"} <= set(offered)
    assert "tasks" not in offered
    [(where, _)] = editor.problems('{"dag_id": "a_b_v1"}', file="defaults.json")
    assert where == "dag_id"

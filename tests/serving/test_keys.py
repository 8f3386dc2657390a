"""Named keys: who may do what, how often, and files that are wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.serving.keys import Keys, new_key
from igakulm.serving.server import Options, app_of
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "熱"}]}


def entry(name: str, key: str, more: str = "") -> str:
    return f"  - name: {name}\n    sha256: {hashlib.sha256(key.encode()).hexdigest()}\n{more}"


def test_tasks_and_requests_a_minute(tmp_path: Path) -> None:
    now = [0.0]
    file = tmp_path / "keys.yaml"
    file.write_text(
        "keys:\n" + entry("ward", "k1", "    requests_a_minute: 2\n") + entry("bot", "k2", "    tasks: [chat]\n")
    )
    keys = Keys(None, file, ["exam"], lambda: now[0])
    app = app_of(Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "scripted"), Options(keys))
    web = TestClient(app, base_url="http://127.0.0.1")
    ward, bot = {"authorization": "Bearer k1"}, {"authorization": "Bearer k2"}
    assert [web.post(CHAT, json=ASK, headers=ward).status_code for _ in range(3)] == [200, 200, 429]
    assert web.post(CHAT, json=ASK, headers=ward).headers["retry-after"] == "60"
    assert web.get("/v1/models", headers=ward).status_code == 200
    now[0] = 60.0
    file.write_text("keys: nonsense")
    with pytest.raises(InputError):
        keys.read()
    assert web.post(CHAT, json=ASK, headers=ward).status_code == 200, (
        "a file that is wrong leaves the keys as they were"
    )
    refused = web.post("/v1/completions", json={"prompt": "熱"}, headers=bot)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "task_not_allowed"
    question = {"question": "熱は?", "choices": ["あ", "い"]}
    assert web.post("/api/exam", json=question, headers=bot).json()["error"]["code"] == "task_not_allowed"
    assert web.post(CHAT, json=ASK, headers=bot).status_code == 200
    file.write_text("keys:\n" + entry("ward", "k1"))
    keys.read()
    assert web.post(CHAT, json=ASK, headers=bot).status_code == 401, "a key that was taken back"
    for header in ("Bearer", "Bearer  k1", "bearer k1", "Basic k1", "Bearer k1 ", "Bearer " + "x" * 60_000):
        assert web.post(CHAT, json=ASK, headers={"authorization": header}).status_code in (401, 400), header


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("keys: []", "keys"),
        ("keys:\n" + entry("a", "k") + entry("a", "l"), "there twice"),
        ("keys:\n" + entry("a", "k") + entry("b", "k"), "there twice"),
        ("keys:\n" + entry("a", "k", "    tasks: [chta]\n"), "unknown task"),
        ("keys:\n  - name: a\n    sha256: abc\n", "sha256"),
        ("keys:\n" + entry("a", "k", "    task: [chat]\n"), "task"),
        ("keys:\n" + entry("a", "k", "    requests_a_minute: 0\n"), "requests_a_minute"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "keys.yaml").write_text(text)
    with pytest.raises(InputError, match=match):
        Keys(None, tmp_path / "keys.yaml", ["exam"])


def test_a_new_key_works(tmp_path: Path) -> None:
    key, text = new_key("3病棟 'A'")
    (tmp_path / "keys.yaml").write_text(f"keys:\n{text}")
    owner = Keys(None, tmp_path / "keys.yaml").owner(key.encode())
    assert owner is not None and owner.name == "3病棟 'A'" and key not in text
    for name in ("", "a\nb", "x" * 65):
        with pytest.raises(InputError):
            new_key(name)

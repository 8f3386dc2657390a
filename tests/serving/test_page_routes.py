"""Static files of the page, and what `/api/model` tells about a bundle."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.evaluation.scoreboard import Scoreboard
from igakulm.inference.model import Model
from igakulm.serving.model_routes import model_facts, score_rows, split_card
from igakulm.serving.page_routes import PAGE, page_files, page_routes
from page_server import PageEngine
from tiny_bundle import encoder

TINY = encoder()
ROW = {"task": "posts", "kind": "choice", "split": "published", "n": 100, "answer_mode": "options-letter"}
ROWS = [
    {**ROW, "model": "tuned", "role": "model", "metric": "kappa", "value": 0.4, "low": 0.2, "high": 0.6},
    {**ROW, "model": "tuned", "role": "model", "metric": "accuracy", "value": 0.7, "low": 0.6, "high": 0.8},
    {**ROW, "model": "majority", "role": "baseline", "metric": "kappa", "value": 0.0, "low": 0.0, "high": 0.0},
]
BOARD = {
    "format": 2,
    "rows": ROWS,
    "published": [
        {"model": "other", "task": "posts", "metric": "kappa", "value": 0.5, "split": "published"},
        {"model": "other", "task": "posts", "metric": "kappa", "value": 0.5, "split": "test"},
        {"model": "other", "task": "unknown", "metric": "kappa", "value": 0.5},
        {"model": "other", "task": "posts", "metric": "kappa", "value": "0.5"},
    ],
}
CARD = "---\nlicense: other\n---\n\n# m\n\n## 日本語\n\n限界がある。\n\n## English\n\nLimits.\n"


def opened(folder: Path | None, description: dict[str, Any] | None = None) -> Model:
    return Model(PageEngine(TINY, {}, 333), TINY, "m", "scripted", folder, description or {})


def test_static_files() -> None:
    web = TestClient(Starlette(routes=page_routes()))
    index = web.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8" and '<html lang="ja"' in index.text
    names = sorted(path.name for path in PAGE.iterdir() if path.suffix != ".j2")
    assert {"style.css", "app.js", "icon.svg"} <= set(names)
    assert web.get("/page/index.html").content == index.content
    for name in names:
        assert web.get(f"/page/{name}").content == (PAGE / name).read_bytes()
    assert web.get("/page/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert web.head("/").status_code == 200 and web.post("/").status_code == 405
    for path in ("/page/", "/page/none.js", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/app.js%00"):
        assert web.get(path).status_code == 404, path


def test_every_module_that_is_imported_is_there() -> None:
    files = page_files()
    for name, (content, _) in files.items():
        text = content.decode()
        wanted = [part.split('"')[0] for part in text.split('from "./')[1:]]
        wanted += [part.split('"')[0] for mark in ('src="/page/', 'href="/page/') for part in text.split(mark)[1:]]
        assert set(wanted) <= files.keys(), name


def test_only_files_of_a_page_are_served(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.js").mkdir()
    assert page_files(tmp_path) == {"a.js": (b"1", "text/javascript; charset=utf-8")}


def test_facts_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "MODEL_CARD.md").write_text(CARD, encoding="utf-8")
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "scoreboard.json").write_text(json.dumps(BOARD))
    description = {"model": {"parameters": 5}, "files": {"a": {"bytes": 1, "sha256": "0"}}, "name": "not this"}
    facts = model_facts(opened(tmp_path, description))
    assert facts["name"] == "m" and facts["engine"] == "scripted" and facts["context_length"] == 333
    assert facts["model"] == {"parameters": 5} and facts["files"] == description["files"] and facts["gguf"] == {}
    assert (facts["card_ja"], facts["card_en"]) == ("限界がある。", "Limits.")
    assert [(row["model_ja"], row["role"], row["value"]) for row in facts["scores"]] == [
        ("調整後モデル", "model", 0.4),
        ("調整後モデル", "model", 0.7),
        ("最頻の答え", "baseline", 0.0),
        ("other", "published", 0.5),
    ]
    assert [row["main"] for row in facts["scores"]] == [True, False, True, True]
    json.dumps(facts)


def test_facts_without_a_bundle(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        facts = model_facts(opened(folder))
        assert facts["scores"] == [] and facts["card_ja"] == "" and facts["files"] == {}


def test_a_scoreboard_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "scoreboard.json").write_text("[]")
    with pytest.raises(InputError, match="does not hold what it should"):
        model_facts(opened(tmp_path))
    assert score_rows(Scoreboard.model_validate({"rows": [{"value": "x"}]})) == [] == score_rows(Scoreboard())


def test_halves_of_a_card() -> None:
    assert split_card("## English\n\nb\n\n## 日本語\n甲") == {"en": "b", "ja": "甲"}
    assert split_card(" \n") == {}

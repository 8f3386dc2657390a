"""Every key of lexicon and synthetic text has an effect: two values, other requests, documents or terms.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply
from igakulm.asking.retry import Retry
from igakulm.errors import InputError
from igakulm.files import read_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import LexiconSection, SynthSection
from igakulm.synth.generate import _patience, generate_texts
from igakulm.synth.lexicon import collect
from synthetic_answers import reply

HEADER = "term\tkind\treading\ticd10\tstandard_name\tconfidence\tfrequency\tsource\tlicence\n"
TERMS = ["気管支喘息", "脳梗塞", "2型糖尿病", "急性虫垂炎", "肺炎", "心房細動"]


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    folder = tmp_path / "lexicon"
    folder.mkdir()
    lines = [f"{term}\tdisease\t\t\t\t\t\tsample\tCC0\n" for term in TERMS]
    (folder / "terms.tsv").write_text(HEADER + "".join(lines), encoding="utf-8")
    return folder


def observed(lexicon: Path, out: Path, **keys: Any) -> tuple[Any, ...]:
    """What the server got, what became documents, or what was refused."""
    clock = Clock()
    retry = Retry(attempts=2, sleep=clock.sleep, clock=clock, now=clock)

    def plan(request: Request, times: int) -> Reply:
        if request.body.get("response_format", {}).get("json_schema", {}).get("name") == "verify":
            return chat_reply(json.dumps({"reason": "考えた。", "answer": ["a"]}))
        return reply(request)

    with ChatServer(plan) as server:
        text = json.dumps({"endpoint": server.url, "model": "m", "licence": "CC0-1.0", "terms": 4, "seed": 5, **keys})
        try:
            config = SynthSection.model_validate_json(text.replace("SERVER", server.url))
            summary = generate_texts(config, lexicon, out, SilentProgress(), retry=retry)
        except InputError as error:
            return (error.what,)
    asked = sorted(
        json.dumps([request.body, request.headers.get("Authorization")], sort_keys=True) for request in server.requests
    )
    documents = [(doc.id, doc.text, doc.licence, doc.meta) for doc in read_documents(out / "documents")]
    return asked, documents, summary.get("terms"), summary.get("exam_items")


EXAMS: dict[str, Any] = {"exams": 6}


@pytest.mark.parametrize(
    ("key", "value", "others"),
    [
        ("endpoint", None, {}),
        ("model", "another", {}),
        ("licence", "MIT", {}),
        ("allow_licences", ["Apache-*"], {}),
        ("terms", 3, {}),
        ("exams", 3, {}),
        ("exam_styles", ["pharmacist"], EXAMS),
        ("max_tokens", 400, {}),
        ("exam_max_tokens", 500, EXAMS),
        ("temperature", 0.1, {}),
        ("seed", 6, {}),
    ],
)
def test_synth(key: str, value: object, others: dict[str, Any], lexicon: Path, tmp_path: Path) -> None:
    usual = observed(lexicon, tmp_path / "usual", **others)
    assert usual != observed(lexicon, tmp_path / "changed", **{**others, key: value})


def of_writers(lexicon: Path, out: Path, exams: int = 4, **keys: Any) -> tuple[Any, ...]:
    """Two writers, the first with these keys; the second verifies what the first wrote."""
    first = {"name": "one", "endpoint": "SERVER", "model": "m1", "licence": "CC0-1.0", "terms": "free", **keys}
    second = {"name": "two", "endpoint": "SERVER", "model": "m2", "licence": "CC0-1.0", "terms": "free"}
    section = {"endpoint": None, "model": "", "licence": "", "writers": [first, second], "verifier": "two"}
    return observed(lexicon, out, exams=exams, **section)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "uno"),
        ("endpoint", None),
        ("model", "m9"),
        ("revision", "v2"),
        ("licence", "MIT"),
        ("terms", "https://example.org/terms"),
        ("weight", 0.0),
        ("kinds", ["exam"]),
        ("max_tokens", 300),
        ("temperature", 0.1),
        ("parameters", {"top_p": 0.5}),
        ("structured", False),
    ],
)
def test_writers(key: str, value: object, lexicon: Path, tmp_path: Path) -> None:
    changed: dict[str, Any] = {key: value}
    assert of_writers(lexicon, tmp_path / "usual") != of_writers(lexicon, tmp_path / "changed", **changed)


def test_the_key_of_a_server_stands_where_the_writer_says(
    lexicon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_ONE", "0123456789")
    usual, named = (of_writers(lexicon, tmp_path / name, key_variable=name) for name in ("NO_SUCH_KEY", "KEY_OF_ONE"))
    assert "0123456789" not in str(usual[0]) and "Bearer 0123456789" in str(named[0])


def test_patience_is_that_of_the_recipe() -> None:
    """How a client uses both is tested where it is made (tests/asking)."""
    retry = _patience(SynthSection(timeout=7.0, patience=5.0))
    assert (retry.timeout, retry.patience) == (7.0, 5.0)


LISTED = (
    "term\tkind\treading\ticd10\tstandard_name\tconfidence\tfrequency\n"
    "咳\tdisease\t\t\t\tS\t9\n"
    "肺炎\tdisease\t\t\t\tA\t8\n"
    "急性肺炎\tdisease\t\t\t\tC\t2\n"
    "二次性甲状腺機能低下症\tdisease\t\t\t\tS\t7\n"
)


def collected(tmp_path: Path, section: dict[str, Any], **keys: Any) -> str:
    (tmp_path / "list.tsv").write_text(LISTED, encoding="utf-8")
    (tmp_path / "other.tsv").write_text(LISTED.replace("肺炎", "胃炎"), encoding="utf-8")
    given = {"path": str(tmp_path / "list.tsv"), "kind": "disease", "source": "list", "licence": "CC0-1.0", **keys}
    terms, summary = collect(LexiconSection.model_validate({"lists": [given], **section}), SilentProgress())
    return repr((terms, summary))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_characters", 3),
        ("max_characters", 4),
        ("kinds", ["drug"]),
        ("min_confidence", "A"),
        ("min_frequency", 5.0),
        ("max_terms", 1),
    ],
)
def test_lexicon(key: str, value: object, tmp_path: Path) -> None:
    assert collected(tmp_path, {}) != collected(tmp_path, {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("path", "other.tsv"), ("source", "another"), ("licence", "MIT"), ("kind", "drug")],
)
def test_lists(key: str, value: str, tmp_path: Path) -> None:
    value = str(tmp_path / value) if key == "path" else value
    assert collected(tmp_path, {}) != collected(tmp_path, {}, **{key: value})


def test_a_list_is_read_in_the_layout_that_it_is_said_to_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a header"):
        collected(tmp_path, {}, format="headerless")

"""`igakulm lexicon build` and `igakulm synth` as a stranger uses them: servers, a GGUF file, trials, dry runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import tiny_bundle
from chat_server import ChatServer, Reply, Request, chat_reply, unused_url
from igakulm.files import read_documents, read_jsonl
from small_corpus import write_sources
from small_evaluation import igakulm
from synthetic_answers import exam, reply

MANBYO = (
    "出現形,標準病名,出現形よみ,ICDコード,信頼度レベル,頻度レベル\n"
    "気管支喘息,気管支喘息,きかんしぜんそく,J459,S,高\n"
    "ｲﾝﾌﾙｴﾝｻﾞ,インフルエンザ,いんふるえんざ,J111,A,高\n"
    "インフルエンザ,インフルエンザ,いんふるえんざ,J111,A,高\n"
    "謎の病,-1,なぞのやまい,-1,C,低\n"
)
PRICES = (
    "区分,薬価基準収載医薬品コード,成分名,規格,,,,品名,メーカー名\n"
    "内用薬,1121001X1018,テスト塩酸塩,１ｇ,局,,,テスト錠５ｍｇ「甲社」,甲\n"
    "内用薬,1121001X1026,テスト塩酸塩,１ｇ,局,,,テスト錠５ｍｇ「乙社」,乙\n"
)
TERMS = [("気管支喘息", "disease"), ("脳梗塞", "disease"), ("肺炎", "disease"), ("アスピリン", "drug")]


def answer(request: Request) -> Reply:
    """A writer that puts the right option first, except for a refusal; the verifier finds it by its words."""
    schema = request.body.get("response_format", {}).get("json_schema", {})
    if schema.get("name") == "verify":
        return chat_reply(json.dumps({"reason": "考えた。", "answer": ["a"]}))
    if schema.get("name") != "exam":
        return chat_reply("申し訳ありません。") if request.term == "脳梗塞" else reply(request)
    item = json.loads(exam(request.term, 1, request.body["seed"]))
    place = "abcde".index(item["answer"][0])
    item["options"][0], item["options"][place] = item["options"][place], item["options"][0]
    return chat_reply(json.dumps({**item, "answer": ["a"]}, ensure_ascii=False))


def write_recipe(folder: Path, synth: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lists = []
    for kind in ("disease", "drug"):
        names = "".join(f"{term}\n" for term, own in TERMS if own == kind)
        (folder / f"{kind}.csv").write_text("term\n" + names, encoding="utf-8")
        lists.append({"path": str(folder / f"{kind}.csv"), "kind": kind, "source": kind, "licence": "CC0-1.0"})
    recipe = {
        "name": "trial",
        "runs_folder": str(folder / "runs"),
        "lexicon": {"lists": lists},
        "corpus": write_sources(folder / "raw", files=1).model_dump(mode="json", exclude_unset=True),
        "synth": synth,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    return path


def two_writers(url: str, **changes: Any) -> dict[str, Any]:
    writers = [
        {"name": name, "endpoint": url, "model": f"{name}-8b", "licence": "CC0-1.0", "concurrency": 2}
        for name in ("one", "two")
    ]
    return {"terms": 4, "exams": 6, "writers": writers, **changes}


def test_a_table_of_names_without_a_recipe(tmp_path: Path) -> None:
    for name, text in (("diseases.csv", MANBYO), ("prices.csv", PRICES)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    sources = ["--source", tmp_path / "diseases.csv", "--source", tmp_path / "prices.csv"]
    done = igakulm("lexicon", "build", *sources, "--out", tmp_path / "names.tsv")
    assert done.code == 0, done.err
    assert "3 diseases, 1 drugs" in done.out and "duplicate 1" in done.out
    head, *rows = (tmp_path / "names.tsv").read_text(encoding="utf-8").splitlines()
    assert head.split("\t") == [
        *("term", "kind", "reading", "icd10", "standard_name", "confidence", "frequency", "source", "licence")
    ]
    assert {tuple(row.split("\t")[:2]) for row in rows} == {
        ("気管支喘息", "disease"),
        ("インフルエンザ", "disease"),
        ("謎の病", "disease"),
        ("テスト錠5mg", "drug"),
    }
    found = igakulm(
        "lexicon", "build", *sources, "--out", tmp_path / "few.tsv", "--min-confidence", "A", "--max-terms", 1, "--json"
    ).json
    assert (found["diseases"], found["drugs"]) == (1, 1)


def test_a_list_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    done = igakulm("lexicon", "build", "--source", tmp_path / "none.csv", "--out", tmp_path / "names.tsv")
    assert done.code == 2 and "none.csv" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_asks_nobody_and_says_what_it_assumes(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, two_writers(unused_url()))
    done = igakulm("synth", "--recipe", recipe, "--dry-run")
    assert done.code == 0, done.err
    assert "assumed" in done.out and "10" in done.out
    found = igakulm("synth", "--recipe", recipe, "--dry-run", "--json").json
    assert found["requests"] == {"textbook": 4, "exam": 6}
    assert (found["answered"], found["open"]) == (0, 10)
    assert sum(row["open"] for row in found["writers"]) == 10 and found["hours"] > 0
    few = igakulm("synth", "--recipe", recipe, "--dry-run", "--json", "--limit", 2).json
    assert few["requests"] == {"textbook": 2, "exam": 2}
    assert not list(tmp_path.rglob("*.sqlite"))


def test_a_trial_counts_for_the_whole_run(tmp_path: Path) -> None:
    with ChatServer(lambda request, times: answer(request)) as server:
        recipe = write_recipe(tmp_path, two_writers(server.url))
        trial = igakulm("synth", "--recipe", recipe, "--limit", 3, "--json").json
        assert (trial["terms"], trial["exams"], len(server.requests)) == (3, 3, 6)
        estimate = igakulm("synth", "--recipe", recipe, "--dry-run", "--json").json
        assert estimate["answered"] == 6 and any(row["measured"] for row in estimate["writers"])
        whole = igakulm("synth", "--recipe", recipe, "--json").json
        assert len(server.requests) == 10, "the trial's answers are not asked for again"
        again = igakulm("synth", "--recipe", recipe)
        assert again.code == 0 and "done before" in again.err and len(server.requests) == 10
    assert whole["rejected"] == {"chatter": 1}
    assert (whole["textbooks"], whole["exam_items"], whole["documents"]) == (3, 6, 9)
    assert len(list(read_documents(Path(whole["folder"]) / "documents"))) == 9


def test_items_say_where_their_writer_put_the_right_option(tmp_path: Path) -> None:
    with ChatServer(lambda request, times: answer(request)) as server:
        config = two_writers(server.url, terms=0, exams=40, verifier="one", drop_disagreements=False)
        recipe = write_recipe(tmp_path, config)
        summary = igakulm("synth", "--recipe", recipe, "--json").json
    rows = list(read_jsonl(Path(summary["folder"]) / "exams.jsonl"))
    assert len(rows) > 30
    # Items with two right options come from this writer with one, and are rejected.
    assert {tuple(row["answer_written"]) for row in rows} == {("A",)}
    assert len({tuple(row["answer"]) for row in rows}) >= 4, "shuffled"
    assert 0 < summary["agreement"] < 1, "the verifier always says a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"allow_licences": ["MIT"]}, "allow_licences"),
        ({"writers": [{"name": "one", "model": "m", "licence": "CC0"}]}, "synthetic text needs a server"),
        ({"verifier": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_run_is_one_message(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    recipe = write_recipe(tmp_path, two_writers(unused_url(), **changes))
    for more in ((), ("--dry-run",)):
        done = igakulm("synth", "--recipe", recipe, *more)
        assert done.code == 2 and said in done.err and "Traceback" not in done.err


@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs the extra llamacpp")
def test_a_gguf_file_writes_and_is_not_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from igakulm.bundle.gguf import write_gguf

    model = tiny_bundle.write_model(tmp_path / "model", max_position_embeddings=4096)
    write_gguf(model, tmp_path / "tiny.gguf", "f32", "tiny")
    writer = {"name": "file", "gguf": str(tmp_path / "tiny.gguf"), "licence": "CC0-1.0", "concurrency": 2}
    recipe = write_recipe(
        tmp_path, {"terms": 2, "exams": 1, "max_tokens": 20, "exam_max_tokens": 40, "writers": [writer]}
    )
    done = igakulm("synth", "--recipe", recipe, "--json")
    assert done.code == 0, done.err
    assert (done.json["terms"], done.json["exams"]) == (2, 1)
    assert "loading" in done.err
    rows = list(read_jsonl(Path(done.json["folder"]) / "rejected.jsonl"))
    # Random weights write no textbook, but they answer.
    assert len(rows) == 3 and not {row["reason"] for row in rows} & {"no_answer", "request_refused"}
    found = json.loads((Path(done.json["folder"]) / "yield.json").read_text(encoding="utf-8"))
    assert found["completion_tokens"] > 0
    assert found["writers"]["file"]["model"] == "tiny.gguf"
    assert found["writers"]["file"]["revision"].startswith("sha256:")

    def refuse(*arguments: Any, **keys: Any) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr("igakulm.synth.ask_writers.serve_gguf", refuse)
    again = igakulm("synth", "--recipe", recipe, "--json", "--set", "synth.exams=0")
    assert again.code == 0, again.err
    assert again.json["terms"] == 2

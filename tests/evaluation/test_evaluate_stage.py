"""The stage: every file it writes, its rows, its determinism; the Markdown table and the published rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from character_model import CharacterEncoder, RuleEngine
from igakulm.errors import InputError
from igakulm.evaluation.build import evaluate
from igakulm.evaluation.published import published_rows
from igakulm.evaluation.scoreboard import render_markdown
from igakulm.files import read_json, read_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection, Igakuqa, Jmed, RowTask


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def post(number: int, letter: str) -> dict[str, Any]:
    text = f"咳が出る{number}" if letter == "A" else f"記事を読む{number}"
    choices = ["咳である", "咳でない"]
    return {"id": f"p{number}", "tag": "cough", "document": text, "choices": choices, "answer": [letter]}


@pytest.fixture
def benchmarks(tmp_path: Path) -> BenchmarksSection:
    note = {"id": "n1", "tag": "d", "document": "咳と発熱", "answer": ["咳", "発熱"]}
    year = [{"problem_id": "112A1", "problem_text": "問い", "choices": list("一二三四五"), "text_only": True}]
    year[0] |= {"answer": ["b"], "points": "1"}
    number = {"problem_id": "112A2", "problem_text": "計算せよ", "choices": [], "text_only": True}
    write(tmp_path / "igakuqa/2018/112-A.jsonl", [*year, number | {"answer": ["7.20"], "points": "3"}])
    ner = "tag,question,answer\nd,\"所見は？\n「咳と熱」\",\"['咳', '熱']\"\n"
    for name in ("nrner.csv", "all/NRNER.csv"):
        (tmp_path / "jmed" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "jmed" / name).write_text(ner, encoding="utf-8")
    return BenchmarksSection(
        jmed=Jmed(path=str(tmp_path / "jmed"), tasks=("nrner",)),
        igakuqa=Igakuqa(path=str(tmp_path / "igakuqa")),
        rows=(
            RowTask(
                name="posts",
                kind="classification",
                test=write(tmp_path / "posts.test.jsonl", [post(n, "AB"[n % 2]) for n in range(6)]),
                train=write(tmp_path / "posts.train.jsonl", [post(n, "AB"[n % 2]) for n in range(2, 30)]),
            ),
            RowTask(
                name="notes",
                kind="entities",
                test=write(tmp_path / "notes.test.jsonl", [note]),
                train=write(tmp_path / "notes.train.jsonl", [note | {"document": "咳と発熱あり"}]),
            ),
        ),
    )


@pytest.fixture(autouse=True)
def characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igakulm.evaluation.build.TextEncoder", CharacterEncoder)


EVERYTHING = EvaluateSection(
    baselines=("chance", "always-a", "majority", "nearest", "ngram", "dictionary"), bootstrap_samples=50, seed=1
)


def run(
    tmp_path: Path, benchmarks: BenchmarksSection, config: EvaluateSection = EVERYTHING, name: str = "out"
) -> dict[str, Any]:
    models = {"base": tmp_path / "base", "tuned": tmp_path / "tuned"}
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir(exist_ok=True)
    (lexicon / "terms.tsv").write_text("term\tkind\n発熱\tdisease\n", encoding="utf-8")
    out = tmp_path / name
    out.mkdir()
    return evaluate(config, benchmarks, models, lexicon, out, SilentProgress(), lambda folder: RuleEngine())


def test_rows_and_items(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    summary = run(tmp_path, benchmarks)
    board = read_json(tmp_path / "out/scoreboard.json")
    found = {(row["model"], row["task"], row["metric"]): row for row in board["rows"]}
    tuned = found["tuned", "posts", "kappa"]
    assert (tuned["n"], tuned["split"], tuned["kind"], tuned["answer_mode"]) == (
        6,
        "published",
        "choice",
        "options-letter",
    )
    assert tuned["low"] <= tuned["value"] <= tuned["high"] and len(tuned["prompt_sha256"]) == 64
    assert tuned["prompt_sha256"] != found["base", "posts", "kappa"]["prompt_sha256"]
    assert found["tuned", "posts", "accuracy"]["value"] == 0.5
    assert found["ngram", "posts", "kappa"]["value"] == 1.0
    assert found["tuned", "notes", "exact_f1"]["value"] == pytest.approx(2 / 3)
    assert found["dictionary", "notes", "overlap_f1"]["value"] == pytest.approx(2 / 3)
    assert found["tuned", "nrner", "partial_f1_upstream"]["value"] == pytest.approx(2 * 2 / 3)
    assert ("tuned", "notes", "partial_f1_upstream") not in found
    share = found["tuned", "igakuqa", "score_share"]
    assert (share["value"], share["unparsed"], share["split"]) == (0.25, 0.5, "text-only")
    assert ("always-a", "notes", "overlap_f1") not in found and ("majority", "igakuqa", "accuracy") not in found
    assert {row["task"] for row in board["published"]} == {"nrner", "igakuqa"}
    assert summary["tasks"] == {"nrner": 1, "igakuqa": 2, "posts": 6, "notes": 1}
    assert summary["models"]["tuned"]["posts"] == tuned["value"] and summary["unparsed"] == 2
    leak = {row["task"]: row["test_shared"] for row in board["leakage"]}
    assert leak["posts"] == 4
    item = next(iter(read_jsonl(tmp_path / "out/items/tuned/notes.jsonl")))
    assert (item["answer"], item["parsed"], item["gold"]) == ('["咳"]', ["咳"], ["咳", "発熱"])
    assert item["score"] == pytest.approx(2 / 3) and item["prompt"].startswith("次の文書で")
    assert len(list(read_jsonl(tmp_path / "out/items/chance/posts.jsonl"))) == 6


def test_two_runs_write_the_same_bytes(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks, name="one")
    run(tmp_path, benchmarks, name="two")
    one, two = (
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two and len(one) > 10


def test_split_and_answer_mode_and_item_limit(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    config = EVERYTHING.model_copy(
        update={"split": "document-disjoint", "answer": "generate", "max_items": 2, "baselines": ("majority",)}
    )
    run(tmp_path, benchmarks, config)
    board = read_json(tmp_path / "out/scoreboard.json")
    row = next(row for row in board["rows"] if row["model"] == "tuned" and row["task"] == "posts")
    assert (row["split"], row["answer_mode"], row["n"], row["unparsed"]) == ("document-disjoint", "generate", 2, 1.0)
    assert all(leak["train_shared"] == 0 for leak in board["leakage"])


def test_the_engine_s_context_is_honoured_and_counted(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    out = tmp_path / "out"
    out.mkdir()
    config = EVERYTHING.model_copy(update={"baselines": ()})
    summary = evaluate(
        config,
        BenchmarksSection(rows=benchmarks.rows[:1]),
        {"tuned": tmp_path},
        None,
        out,
        SilentProgress(),
        lambda folder: RuleEngine(context_length=30),
    )
    assert summary["truncated"] == 6
    assert "6 prompts were cut" in render_markdown(read_json(out / "scoreboard.json"))


def test_no_benchmark_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no benchmark"):
        run(tmp_path, BenchmarksSection())


def test_markdown(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks)
    text = render_markdown(read_json(tmp_path / "out/scoreboard.json"))
    kappa = text.split("## ")[1]
    assert kappa.startswith("Cohen's kappa") and "| model | posts (published) |" in kappa
    assert "| ngram | 1.000 [" in kappa and "n=6" in kappa and "†" not in kappa
    partial = next(part for part in text.split("## ") if part.startswith('Published "partial'))
    assert "| gemma-2-9b-it † | 0.530 |" in partial
    share = next(part for part in text.split("## ") if part.startswith("Share of points"))
    assert "| GPT-4 † | 0.782 |" in share and "50% unread" in share
    assert render_markdown({"rows": [], "published": []}).startswith("# Scoreboard")


def test_published_rows() -> None:
    rows = published_rows()
    assert len(rows) == 14 * 16 + 11
    found = {(row["model"], row["task"], row["metric"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    assert found["instruct 50B tokens", "mrner_disease", "partial_f1_upstream"] == 0.90
    assert found["instruct 20B tokens", "crade", "kappa"] == 0.61
    assert found["GPT-4o-2024-08-06", "nrner", "exact_f1_upstream"] == 0.20
    assert found["base 50B tokens", "rrtnm", "kappa"] == -0.10
    assert str(found["base 20B tokens", "crade", "kappa"]) == "0.0"
    assert found["gemma-2-27b", "igakuqa", "score_share"] == 0.636

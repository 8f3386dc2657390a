"""The stage: every file it writes, its rows, its determinism; the Markdown table and the published rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from character_model import RuleEngine, opened
from igakulm.errors import InputError
from igakulm.evaluation.evaluate import Candidate, evaluate
from igakulm.evaluation.item_files import read_items
from igakulm.evaluation.manner import Manner
from igakulm.evaluation.metrics import chance_metrics, measure
from igakulm.evaluation.published import published_rows
from igakulm.evaluation.scoreboard import read_scoreboard
from igakulm.files import read_json, read_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection, Igakuqa, Jmed, RowTask
from igakulm.report.markdown import render_markdown
from igakulm.tasks.benchmarks.registry import benchmarks as all_benchmarks


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


EVERYTHING = EvaluateSection(bootstrap_samples=100, seed=1, folds=3)
BARE = EvaluateSection(bootstrap_samples=100, seed=1, baselines=())


def run(
    tmp_path: Path,
    benchmarks: BenchmarksSection,
    config: EvaluateSection = EVERYTHING,
    name: str = "out",
    split: str = "published",
    manners: tuple[Manner, ...] = (Manner(max_new_tokens=50),),
    context_length: int = 2000,
) -> dict[str, Any]:
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir(exist_ok=True)
    (lexicon / "terms.tsv").write_text("term\tkind\n発熱\tdisease\n", encoding="utf-8")
    out = tmp_path / name
    out.mkdir()
    models = {
        "base": Candidate(lambda: opened(RuleEngine(context_length=context_length)), (Manner(plain=True),)),
        "tuned": Candidate(lambda: opened(RuleEngine(context_length=context_length)), manners),
    }
    return evaluate(config, benchmarks, split, models, lexicon, out, SilentProgress())


def board_of(tmp_path: Path, name: str = "out") -> dict[str, Any]:
    board: dict[str, Any] = read_json(tmp_path / name / "scoreboard.json")
    return board


def test_rows_and_items(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    summary = run(tmp_path, benchmarks)
    board = board_of(tmp_path)
    found = {(row["model"], row["task"], row["split"], row["metric"]): row for row in board["rows"]}
    tuned = found["tuned", "posts", "published", "kappa"]
    assert (tuned["n"], tuned["kind"], tuned["answer_mode"], tuned["prompt_style"]) == (
        6,
        "choice",
        "options-letter",
        "chat",
    )
    assert tuned["low"] <= tuned["value"] <= tuned["high"] and len(tuned["prompt_sha256"]) == 64
    base = found["base", "posts", "published", "kappa"]
    assert tuned["prompt_sha256"] != base["prompt_sha256"] and base["prompt_style"] == "base"
    assert found["tuned", "posts", "published", "accuracy"]["value"] == 0.5
    assert found["ngram", "posts", "published", "kappa"]["value"] == 1.0
    assert found["tuned", "notes", "published", "exact_f1"]["value"] == pytest.approx(2 / 3)
    assert found["dictionary", "notes", "published", "overlap_f1"]["value"] == pytest.approx(2 / 3)
    assert found["tuned", "nrner", "published", "partial_f1_upstream"]["value"] == pytest.approx(2 * 2 / 3)
    assert ("tuned", "notes", "published", "partial_f1_upstream") not in found
    share = found["tuned", "igakuqa", "text-only", "score_share"]
    assert (share["value"], share["unparsed"]) == (0.25, 0.5)
    assert not any(key[:2] in {("always-a", "notes"), ("majority", "igakuqa")} for key in found)
    assert {row["task"] for row in board["published"]} == {"nrner", "igakuqa"}
    assert summary["tasks"] == {"nrner": 1, "igakuqa": 2, "posts": 6, "notes": 1}
    assert summary["models"]["tuned"]["posts"] == tuned["value"] and summary["unparsed"] == 2
    item = next(iter(read_jsonl(tmp_path / "out/items/tuned/notes.published.generate.jsonl")))
    assert (item["answer"], item["parsed"], item["gold"]) == ('["咳"]', ["咳"], ["咳", "発熱"])
    assert item["score"] == pytest.approx(2 / 3) and item["prompt"].startswith("次の文書で")
    assert len(list(read_jsonl(tmp_path / "out/items/chance/posts.published.baseline.jsonl"))) == 6


def test_splits_stand_in_columns_of_their_own(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks)
    board = board_of(tmp_path)
    splits = {(row["model"], row["split"]) for row in board["rows"] if row["task"] == "posts"}
    assert {
        ("tuned", "published"),
        ("ngram", "published"),
        ("ngram", "document-disjoint"),
        ("ngram", "3-fold"),
    } <= splits
    assert ("tuned", "document-disjoint") not in splits, "the model saw the published rows"
    leak = {(row["split"], row["task"]): row for row in board["leakage"]}
    assert leak["published", "posts"]["test_shared"] == 4
    assert all(row["train_shared"] == 0 for (split, _), row in leak.items() if split == "document-disjoint")
    assert {row["id"] for row in board["leaked_items"] if row["task"] == "posts"} == {"p2", "p3", "p4", "p5"}
    pooled = next(row for row in board["rows"] if row["split"] == "3-fold" and row["task"] == "posts")
    assert pooled["n"] == 6 + 28


def test_items_that_share_nothing_with_training_rows_are_scored_apart(tmp_path: Path) -> None:
    test = [post(n, "AB"[n % 2]) for n in range(20)]
    train = [post(n, "AB"[n % 2]) for n in range(12, 40)]
    task = RowTask(
        name="posts",
        kind="classification",
        test=write(tmp_path / "test.jsonl", test),
        train=write(tmp_path / "train.jsonl", train),
    )
    run(tmp_path, BenchmarksSection(rows=(task,)), BARE)
    rows = {row["split"]: row for row in board_of(tmp_path)["rows"] if row["model"] == "tuned"}
    assert (rows["published"]["n"], rows["published-unshared"]["n"]) == (20, 12)


def test_models_are_compared_in_pairs(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks)
    pairs = [row for row in board_of(tmp_path)["paired"] if row["task"] == "posts" and row["split"] == "published"]
    assert [(row["first"], row["second"]) for row in pairs] == [
        ("base", "tuned"),
        ("base", "majority"),
        ("tuned", "majority"),
        ("base", "nearest"),
        ("tuned", "nearest"),
    ]
    same, worse = pairs[0], pairs[-1]
    assert (same["difference"], same["p"]) == (0.0, 1.0)
    assert worse["difference"] < 0 and worse["low"] <= worse["difference"] <= worse["high"] and worse["p"] < 1


def test_several_ways_of_answering_have_rows_of_their_own(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    manners = (Manner(), Manner(answer="generate"))
    run(tmp_path, benchmarks, BARE, manners=manners)
    modes = {(row["task"], row["answer_mode"]) for row in board_of(tmp_path)["rows"] if row["model"] == "tuned"}
    assert {("posts", "options-letter"), ("posts", "generate"), ("notes", "generate")} <= modes
    kept = [row["file"] for row in board_of(tmp_path)["items"] if row["model"] == "tuned" and row["task"] == "notes"]
    assert kept == ["items/tuned/notes.published.generate.jsonl"]


def test_files_of_answers_are_enough_to_score_again(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks)
    board = board_of(tmp_path)
    for entry in board["items"]:
        items, predictions = read_items(tmp_path / "out" / entry["file"])
        blind = entry["model"] == "chance" and items[0].kind != "entities"
        for measured in chance_metrics(items) if blind else measure(items, predictions):
            (row,) = [
                row
                for row in board["rows"]
                if all(row[key] == entry[key] for key in ("model", "task", "split", "answer_mode"))
                and row["metric"] == measured.name
            ]
            assert row["value"] == pytest.approx(measured.value), entry


def test_damaged_files_of_answers_are_input_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "1"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="row 1"):
        read_items(path)


def test_two_runs_write_the_same_bytes(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    run(tmp_path, benchmarks, name="one")
    run(tmp_path, benchmarks, name="two")
    one, two = (
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two and len(one) > 10


def test_split_and_item_limit(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    config = EVERYTHING.model_copy(update={"max_items": 2, "baselines": ("majority",)})
    run(tmp_path, benchmarks, config, split="document-disjoint", manners=(Manner(answer="generate"),))
    board = board_of(tmp_path)
    row = next(row for row in board["rows"] if row["model"] == "tuned" and row["task"] == "posts")
    assert (row["split"], row["answer_mode"], row["n"], row["unparsed"]) == ("document-disjoint", "generate", 2, 1.0)


def test_the_engine_s_context_is_honoured_and_counted(tmp_path: Path, benchmarks: BenchmarksSection) -> None:
    summary = run(tmp_path, BenchmarksSection(rows=benchmarks.rows[:1]), BARE, context_length=30)
    assert (summary["truncated"], summary["unanswered"]) == (0, 12)
    assert "6 items of " in render_markdown(read_scoreboard(tmp_path / "out"))


def test_no_benchmark_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no benchmark"):
        run(tmp_path, BenchmarksSection())


def test_published_rows() -> None:
    rows = published_rows([task for benchmark in all_benchmarks().values() for task in benchmark.tasks])
    assert len(rows) == 14 * 16 + 11
    found = {(row["model"], row["task"], row["metric"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    assert found["instruct 50B tokens", "mrner_disease", "partial_f1_upstream"] == 0.90
    assert found["instruct 20B tokens", "crade", "kappa_upstream"] == 0.61
    assert found["GPT-4o-2024-08-06", "nrner", "exact_f1_upstream"] == 0.20
    assert found["base 50B tokens", "rrtnm", "kappa_upstream"] == -0.10
    assert str(found["base 20B tokens", "crade", "kappa_upstream"]) == "0.0"
    assert found["gemma-2-27b", "igakuqa", "score_share"] == 0.636

"""The report page: what it must show, what it must never do. All stage folders here are invented for the tests."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.answer_rows import AnswerRow
from igakulm.files import write_json, write_jsonl
from igakulm.manifest import Manifest, describe_files, write_manifest
from igakulm.recipe.schema import Recipe
from igakulm.report.build_report import build_report
from igakulm.report.charts import downsample, ticks
from igakulm.report.items import choose_items, marked
from igakulm.report.render import render
from report_html import assert_closed, parsed, section

ATTACK = "<script>alert('x')</script><img src=\"http://evil.example/a.png\">&\x00\x1b\ud800\u202e"
STAGES = ("lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "evaluate", "export")
BUNDLE = {
    "format": 1,
    "model": {"architecture": "ArceeForCausalLM", "layers": 4, "context_length": 256},
    "gguf": {
        "model-q8_0.gguf": {
            "tensors": {"Q8_0": 26},
            "largest_error": 0.00394,
            "llamacpp": {"kl_mean": 0.00012, "kl_max": 0.0003},
        },
        "model-f32.gguf": {"compared": 39, "largest_error": 0.0, "llamacpp": "not compared"},
    },
    "files": {},
}
SECTIONS = ["overview", "corpus", "tokenizer", "training", "scores", "bundle", "provenance"]
Row = dict[str, Any]


def score(model: str, task: str, metric: str, value: float, spread: float = 0.1, **more: Any) -> Row:
    row = {
        "model": model,
        "task": task,
        "kind": "choice",
        "metric": metric,
        "value": value,
        "low": value - spread,
        "high": value + spread,
        "n": 100,
        "split": "published",
        "prompt_sha256": "ab" * 32 if model in ("base", "tuned") else None,
        "answer_mode": "options-letter" if model in ("base", "tuned") else "baseline",
        "unparsed": 0.0,
        "truncated": 3 if (model, task) == ("tuned", "exam") else 0,
    }
    return {**row, **more}


def scoreboard() -> Row:
    rows = []
    for model, posts, exam, f1 in (
        ("chance", 0.01, 0.19, 0.01),
        ("majority", 0.0, 0.22, 0.05),
        ("ngram", 0.55, 0.20, None),
        ("dictionary", None, None, 0.61),
        ("base", 0.02, 0.21, 0.0),
        ("tuned", 0.62, 0.23, 0.35),
    ):
        if posts is not None and exam is not None:
            rows.append(score(model, "posts", "kappa", posts))
            rows.append(score(model, "posts", "accuracy", 0.5 + posts / 2))
            rows.append(score(model, "exam", "accuracy", exam, n=None if model == "base" else 100))
        if f1 is not None:
            mode = "generate" if model in ("base", "tuned") else "baseline"
            more = {"kind": "entities", "unparsed": 0.25 if model == "base" else 0.0, "answer_mode": mode}
            rows.append(score(model, "nursing", "overlap_f1", f1, 0.05, **more))
    published = [
        {"model": "Outside-9B", "task": "posts", "metric": "kappa_upstream", "value": 0.71, "source": "a paper"},
        {"model": "Outside-9B", "task": "elsewhere", "metric": "kappa", "value": 0.987, "source": "a paper"},
    ]
    tuned = {"first": "tuned", "first_mode": "options-letter", "second_mode": "baseline", "split": "published"}
    listed = tuned | {"first_mode": "generate", "task": "nursing", "metric": "overlap_f1"}
    paired = [
        tuned | {"task": "posts", "metric": "kappa", "second": "ngram", "difference": 0.07, "p": 0.069, "n": 100},
        tuned | {"task": "posts", "metric": "kappa", "second": "majority", "difference": 0.62, "p": 0.0005, "n": 100},
        tuned | {"task": "exam", "metric": "accuracy", "second": "majority", "difference": 0.01, "p": 0.8, "n": 100},
        listed | {"second": "dictionary", "difference": -0.26, "p": 0.0005, "n": 100},
        listed | {"second": "majority", "difference": 0.3, "p": 0.001, "n": 100},
    ]
    leakage = [{"task": "posts", "test": 100, "test_shared": 37, "train": 700, "train_shared": 61}]
    bootstrap = {"samples": 2000, "seed": 0, "unit": "document"}
    return {"rows": rows, "published": published, "paired": paired, "leakage": leakage, "bootstrap": bootstrap}


def fill_corpus(folder: Path) -> None:
    steps = ("read", "clean", "filter", "exact", "near", "decontamination")
    sources = [
        {
            "name": name,
            "kind": kind,
            "licences": ["CC0-1.0"],
            "steps": [
                {"step": step, "documents": 1000 - 100 * place, "characters": 500_000 - 40_000 * place}
                for place, step in enumerate(steps)
            ],
        }
        for name, kind in (("textbooks", "medical"), ("web", "general"))
    ]
    samples = {"too_short": [{"id": f"web/{ATTACK}", "text": ATTACK}], "own_rule": [{"id": "w2", "text": "短い"}]}
    funnel = {
        "sources": sources,
        "reasons": {"too_short": 12, "own_rule": 3},
        "samples": samples,
        "decontamination": {"posts": 0, "exam": 4},
        "benchmark_items_too_short": {"exam": 21},
        "personal_data_deleted": {"telephone": 654, "own_kind": 1},
    }
    write_json(folder / "funnel.json", {**funnel, "samples": {}})
    (folder / "funnel.json").write_text(json.dumps(funnel), encoding="utf-8")  # ASCII form can hold a lone surrogate
    licences = {"kind": "medical", "licences": ["CC0-1.0", "CC BY 4.0"], "documents": 500, "characters": 300_000}
    write_json(folder / "sources.json", {"textbooks": licences, "web": {**licences, "kind": "general"}})


def fill_tokenizer(folder: Path) -> None:
    measured = {"documents": 5, "characters": 900, "bytes": 2700, "tokens": 400}
    worst = [
        {"character": "鱻", "code_point": "U+9C7B", "count": 7},
        {"character": "<", "code_point": "U+003C", "count": 1},
    ]
    report = {
        "vocabulary": {"runtime": "plain", "base_size": 4096, "size": 4099},
        "training": {"word_types": 9000, "names": 300, "bytes": {"general": 100_000}},
        "compression": {
            "medical": {**measured, "characters_per_token": 2.25, "bytes_per_token": 6.75},
            "general": None,
        },
        "byte_fallback": {"token_share": 0.0004, "worst_characters": worst},
        "names": {"disease": {"names": 200, "one_token_share": 0.91, "tokens_per_name": 1.2}},
        "mecab_agreement": {"same_share": 0.97},
    }
    write_json(folder / "report.json", report)


def fill_training(folder: Path, steps: int, **more: Any) -> None:
    log = [
        {"step": step, "loss": 2 + 6.3 * math.exp(-step / 40), "tokens": 4096, "seconds": 0.5}
        for step in range(1, steps + 1)
    ]
    write_jsonl(folder / "logs" / "steps.jsonl", [*log, log[-1]])
    metrics = {"parameters": 3_104_256, "steps": steps, "tokens": 4096 * steps, "loss_first": 8.3, "loss_last": 2.1}
    write_json(folder / "metrics.json", {**metrics, **more})
    write_json(folder / "model" / "config.json", {"vocab_size": 4096})


def fill_items(folder: Path) -> None:
    prompt = "次の文書に書かれた症状をすべて挙げてください。\n「発熱と咳嗽を認め、腹痛はない。」"
    entity = {"id": "n1", "prompt": prompt, "answer": "…", "gold": ["発熱", "咳嗽"], "parsed": ["発熱", "腹痛", "頭痛"]}
    unread = {"id": "n2", "prompt": ATTACK, "answer": ATTACK, "gold": ["発熱"], "parsed": None, "score": 0.0}
    write_jsonl_ascii(folder / "items" / "tuned" / "nursing.jsonl", [{**entity, "score": 0.4}, unread])
    choices = [("A", "A"), ("A", "B"), ("B", "B"), ("B", None)]
    rows = [{"id": str(i), "prompt": "問", "gold": [a], "parsed": b and [b]} for i, (a, b) in enumerate(choices)]
    write_jsonl(folder / "items" / "tuned" / "posts.jsonl", rows)


def write_jsonl_ascii(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def finish(folder: Path, place: int) -> None:
    provenance = {
        "igakulm": "0.1.0",
        "python": "3.11.9",
        "platform": "Linux-test",
        "cores": 2,
        "packages": {"torch": "2.9.0", "gguf": None},
    }
    manifest = Manifest(
        stage=folder.name.split("-")[0],
        version=1,
        fingerprint=f"{place}" * 64,
        ingredients={},
        digest="d" * 64,
        files=describe_files(folder),
        summary={},
        seconds=10.0 * place,
        finished=f"2026-01-02T10:{place:02d}:00+09:00",
        provenance=provenance,
    )
    write_manifest(folder, manifest)


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Path]:
    """Finished stage folders as a run leaves them."""
    folders = {name: tmp_path / f"{name}-0a1b2c3d" for name in STAGES}
    for folder in folders.values():
        folder.mkdir()
    fill_corpus(folders["corpus"])
    fill_tokenizer(folders["tokenizer"])
    write_json(folders["pack"] / "train" / "index.json", {"tokens": 4096 * 60})
    checks = [{"step": step, "loss": 2.5, "bits_per_byte": 1.234} for step in (60, 120)]
    fill_training(folders["pretrain"], 120, validation=checks, samples=[{"prompt": "糖尿病は、", "text": ATTACK[:30]}])
    fill_training(folders["finetune"], 50, rows=777, epochs=3.5, validation=[], samples=[])
    write_json(folders["evaluate"] / "scoreboard.json", scoreboard())
    fill_items(folders["evaluate"])
    (folders["export"] / "gguf").mkdir()
    (folders["export"] / "gguf" / "model-q8_0.gguf").write_bytes(b"x" * 5000)
    write_json(folders["export"] / "bundle.json", BUNDLE)
    for place, folder in enumerate(folders.values(), 1):
        finish(folder, place)
    return folders


@pytest.fixture
def recipe() -> Recipe:
    """A recipe with places that must not be passed on."""
    description = "説明 " + ATTACK.replace("\ud800", "")
    sources = [{"name": "web", "path": "/home/someone/secret/corpus/web.jsonl", "licence": "CC0-1.0"}]
    synth = {"endpoint": "http://user:word@10.0.0.1/v1"}
    return Recipe.model_validate(
        {
            "name": "trial",
            "description": description,
            "corpus": {"sources": sources},
            "synth": synth,
        }
    )


def built(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> str:
    out = tmp_path / "report-out"
    out.mkdir(exist_ok=True)
    build_report(recipe, stages, out)
    return (out / "report.html").read_text(encoding="utf-8")


def test_sections_and_navigation_agree(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    structure = parsed(built(recipe, stages, tmp_path))
    assert structure.sections == SECTIONS
    assert structure.links == ["#main", *(f"#{anchor}" for anchor in SECTIONS)]
    assert ("html", {"lang": "ja"}) in structure.seen


def test_nothing_is_fetched_or_executed(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    assert_closed(built(recipe, stages, tmp_path))


def test_english_has_no_japanese_but_what_the_run_says(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    build_report(recipe, stages, tmp_path, "en")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    structure = parsed(html)
    assert ("html", {"lang": "en"}) in structure.seen and structure.sections == SECTIONS
    ours = "説明短い発熱と咳嗽を認め腹痛はない頭痛鱻糖尿病は次の文書に書かれた症状をすべて挙げてください問"
    text = parsed(html.replace(section(html, "provenance"), "")).text  # that one holds the recipe
    assert [word for word in re.findall(r"[\u3041-\u30ff\u4e00-\u9fff]+", text) if not set(word) <= set(ours)] == []


def test_corpus_text_and_answers_stay_text(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, stages, tmp_path)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 3
    assert not re.search(r"[\x00\x1b\u202e\ud800]", html)


def test_same_input_same_bytes(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    assert built(recipe, stages, tmp_path) == built(recipe, dict(reversed(stages.items())), tmp_path)


def test_no_private_places(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, stages, tmp_path)
    assert "someone" not in html and "user:word" not in html and str(tmp_path) not in html
    assert "…/corpus/web.jsonl" in html


def test_figures_of_every_section_are_there(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    text = parsed(built(recipe, stages, tmp_path)).text
    for wanted in (
        "3,104,256", "2026-01-02 10:09", "Linux-test", "7 分 30 秒",  # overview
        "短すぎる", "own_rule", "CC0-1.0、CC BY 4.0", "2,000", "21", "電話番号", "654",  # corpus
        "2.25", "91.0 %", "U+9C7B",  # tokenizer
        "1.234", "8,192", "2.00", "777", "3.50",  # training: rate, epochs, rows
        "0.620", "[0.520, 0.720]", "n = 100", "不読 25 %",
        "（2,000 回）", "（37 %）", "exam の 3 問は、調整後モデルの文脈長",
        "Outside-9B", "0.71", "公表値（ここでは測定していない）",
        "model-q8_0.gguf", "4.9 KiB", "Q8_0 26", "0.0039", "0.00012", "ArceeForCausalLM",
        "igakulm chat --bundle runs/trial/latest/export",
        "corpus-0a1b2c3d", "3333333333333333",  # provenance
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "0.987" not in text  # published, but of a task that was not measured here


def test_best_value_is_bold_and_ours_is_not_favoured(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, stages, tmp_path)
    best = re.findall(r'<td class="best">([\d.]+)', html)
    assert best == ["0.620", "0.230", "0.610", "0.810", "0.230"]  # main metrics, then the table of accuracies


def test_headline_claims_only_what_the_paired_test_allows(
    recipe: Recipe, stages: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "report-out"
    out.mkdir()
    summary = build_report(recipe, stages, out)
    assert summary["tasks"] == 3
    verdicts = {task: entry["verdict"] for task, entry in summary["headline"].items()}
    assert verdicts == {"posts": "above", "exam": "open", "nursing": "above"}
    assert summary["above_guessing"] == 2
    assert summary["above_best_baseline"] == 0  # p = 0.069 against the n-grams, and the dictionary is better
    text = parsed((out / "report.html").read_text(encoding="utf-8")).text.replace(" ", "")
    assert "3課題のうち2課題で、当て推量（最頻の答え）を明確に上回った：posts、nursing。" in text
    assert "差があるとは言えない課題：exam。" in text
    assert "言語モデルを使わない最良の基準線を明確に上回ったと言える課題はない。" in text


def test_intervals_that_do_not_overlap_are_no_claim(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    board = scoreboard()
    board["paired"] = [row | {"p": 0.06} for row in board["paired"]]
    write_json(stages["evaluate"] / "scoreboard.json", board)
    html = built(recipe, stages, tmp_path)
    assert "一つもない" in html and "を明確に上回った</b>" not in html
    write_json(stages["evaluate"] / "scoreboard.json", board | {"paired": []})
    html = built(recipe, stages, tmp_path)
    assert "検定の記録がなく、差を言えない課題：posts、exam、nursing" in html and "を明確に上回った</b>" not in html


def test_entities_are_marked_by_outcome(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, stages, tmp_path)
    assert '<mark class="hit" title="正答">発熱</mark>と<mark class="missed" title="見落とし">咳嗽</mark>' in html
    assert '<mark class="wrong" title="余分">腹痛</mark>' in html
    assert "本文にない答え：頭痛" in html


def test_overlapping_marks() -> None:
    found = marked("高熱が続く", ["高熱"], ["熱が"])
    assert found == [("missed", "高"), ("edge", "熱"), ("wrong", "が"), ("", "続く")]
    assert marked("<b>", [], ["<"]) == [("wrong", "<"), ("", "b>")]
    assert marked("", ["熱"], [""]) == []


def test_examples_show_different_outcomes() -> None:
    right, missed = AnswerRow(gold=("a",), parsed=("a",)), AnswerRow(gold=("a",), parsed=("b",))
    unread, part = AnswerRow(gold=("a",)), AnswerRow(gold=("a", "b"), parsed=("a",))
    assert choose_items([right] * 9 + [missed, unread, part]) == [part, right, missed, unread]
    assert choose_items([right] * 9) == [right] * 4


def test_confusion_counts_unread_answers(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, stages, tmp_path)
    found = re.search(r'<table class="confusion">.*?</table>', html)
    assert found
    cells = re.sub(r"<[^>]+>", " ", found[0]).split()
    assert cells == ["正解＼答え", "A", "B", "不読", "A", "1", "1", "·", "B", "·", "1", "1"]


def test_a_repeated_step_counts_once(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    assert "120 回の記録" in built(recipe, stages, tmp_path)


def test_missing_stages_and_files_leave_remarks(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    html = built(recipe, {"corpus": stages["corpus"]}, tmp_path)
    parsed(html)
    for name in ("トークナイザー", "学習", "評価", "成果物"):
        assert f"この実行には{name}の記録がありません。" in html
    parsed(built(recipe, {}, tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    parsed(built(recipe, dict.fromkeys(STAGES, empty), tmp_path))


def test_odd_numbers_do_not_break_the_page(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    board = scoreboard()
    board["rows"] += [score("tuned", "odd", "accuracy", math.nan), score("tuned", "odd2", "accuracy", 0.5, low=None)]
    write_json(stages["evaluate"] / "scoreboard.json", board)
    write_jsonl(stages["pretrain"] / "logs" / "steps.jsonl", [{"step": 1, "loss": None}, {"step": 2, "loss": math.nan}])
    html = built(recipe, stages, tmp_path)
    parsed(html)
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)
    assert "odd2" in html and "<td>odd<" not in html


def test_a_missing_folder_is_named(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage corpus"):
        build_report(recipe, {**stages, "corpus": tmp_path / "gone"}, tmp_path)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2.0, 2.0), (1e-6, 3e-6), (-0.4, 1.0), (0, 24_000)])
def test_ticks_lie_inside_and_are_few(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 1 <= len(found) <= 9
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)


def test_downsampling_keeps_the_mean() -> None:
    points = [(float(step), math.sin(step)) for step in range(1000)]
    small = downsample(points, 100)
    assert len(small) == 100
    assert math.isclose(sum(y for _, y in small) / 100, sum(y for _, y in points) / 1000)


def test_attributes_are_escaped() -> None:
    figures = [('"><script>', "1")]
    assert "<script>" not in render("figures.html.j2", "ja", figures=figures)
    cut = render("published.html.j2", "ja", tasks=(), metrics={}, splits={}, models=(), values={})
    assert cut == '<p class="note">測定した課題には、写した公表値がありません。</p>'


def test_a_file_of_a_newer_version_is_refused(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    write_json(stages["evaluate"] / "scoreboard.json", scoreboard() | {"format": 99})
    with pytest.raises(InputError, match="format 99"):
        built(recipe, stages, tmp_path)


def test_a_damaged_file_is_named_with_its_field(recipe: Recipe, stages: dict[str, Path], tmp_path: Path) -> None:
    write_json(stages["corpus"] / "sources.json", {"web": {"kind": "medical", "documents": "many"}})
    with pytest.raises(InputError, match=r"(?s)does not hold what it should.*sources.json, web.documents"):
        built(recipe, stages, tmp_path)

"""The report's sentences against contrary cases: what was not done must not be said. Invented boards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from igakulm.evaluation.comparisons import LEVEL, compared_baselines, pairs_of, verdict
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import Score, Scoreboard
from igakulm.files import write_json
from igakulm.report.evaluation import build_evaluation_report
from igakulm.report.markdown import render_markdown
from report_html import parsed, section

Row = dict[str, Any]
PUBLISHED_PROMPTS = "公表と同じ指示文"
ALL_ITEMS = "全問"
FEW = "信頼区間と検定は文書を単位とするため、偶然の幅を小さく見積もる"


def figure(model: str, value: float, metric: str = "kappa", **more: Any) -> Row:
    role = "baseline" if model in ("majority", "ngram") else "model"
    row: Row = {"model": model, "role": role, "task": "quiz", "kind": "choice", "split": "published", "metric": metric}
    row |= {"value": value, "low": value - 0.05, "high": value + 0.05, "n": 60, "documents": 60}
    mode = "baseline" if role == "baseline" else "generate"
    return row | {"answer_mode": mode, "prompt_style": "published" if role == "model" else ""} | more


def page(tmp_path: Path, rows: list[Row], **more: Any) -> str:
    write_json(tmp_path / "scoreboard.json", {"format": 2, "rows": rows, "left_out": {}, "max_items": None} | more)
    return build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8")


@pytest.mark.parametrize(("wording", "said"), [("published", True), ("own", False), ("given", False), ("", False)])
def test_published_prompts_only_where_the_benchmarks_sentences_were_used(
    tmp_path: Path, wording: str, said: bool
) -> None:
    for style in ("published", "published-3-shot"):
        html = page(tmp_path, [figure("m", 0.5, wording=wording, prompt_style=style)])
        assert (PUBLISHED_PROMPTS in html) == said


def test_all_items_only_where_none_is_missing(tmp_path: Path) -> None:
    rows = [figure("m", 0.5, split="test")]
    assert f"ファイルの{ALL_ITEMS}。" in page(tmp_path, rows)
    left = page(tmp_path, rows, left_out={"quiz": {"image": 100, "voided": 3}})
    assert f"ファイルの{ALL_ITEMS}。" not in left and "図が必要 100、正解なし・採点除外 3" in left
    assert "<small>除いた行 103</small>" in section(left, "scores")
    assert "<small>先頭の 60 問</small>" in section(page(tmp_path, rows, max_items=60), "scores")
    few = page(tmp_path, rows, max_items=20)
    assert f"ファイルの{ALL_ITEMS}。" not in few and "先頭の 20 問までに限って測った" in few
    absent = page(tmp_path, rows, missing={"quiz": {"no-file": 1}})
    assert f"ファイルの{ALL_ITEMS}。" not in absent
    write_json(tmp_path / "scoreboard.json", {"rows": rows})  # an old board does not say what was left out
    old = build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8")
    assert ALL_ITEMS not in parsed(old).text


@pytest.mark.parametrize(
    ("task", "leakage", "said"),
    [
        ("crade", [3], "公表されたとおりのテスト問題。訓練例と文書を共有する問題を含む"),
        ("crade", [0], "公表されたとおりのテスト問題。訓練例と文書を共有する問題はない。"),
        ("crade", [], "公表されたとおりのテスト問題。訓練例と文書を共有するかは調べていない。"),
        ("crade", [None], "公表されたとおりのテスト問題。訓練例と文書を共有するかは調べていない。"),
        ("quiz", [0], "与えられたとおりのテスト問題（公表データではない）。訓練例と文書を共有する問題はない。"),
        ("quiz", [2], "与えられたとおりのテスト問題（公表データではない）。訓練例と文書を共有する問題を含む"),
    ],
)
def test_whose_items_and_whether_documents_are_shared(
    tmp_path: Path, task: str, leakage: list[int | None], said: str
) -> None:
    rows = [{"split": "published", "task": task, "test": 60, "test_shared": n} for n in leakage]
    text = parsed(page(tmp_path, [figure("m", 0.5, task=task)], leakage=rows)).text
    assert said in text
    others = {"共有する問題を含む", "共有する問題はない", "調べていない"}
    assert sum(other in text for other in others) == 1


def test_cut_answers_and_missing_ones_stand_in_table_and_sentence(tmp_path: Path) -> None:
    html = page(tmp_path, [figure("m", 0.5, cut=3, unanswered=2, truncated=1)])
    scores = section(html, "scores")
    assert "途中で切れた回答 3" in scores and "回答なし 2" in scores
    assert "quiz の回答のうち 3 件は、mが長さの上限に達して" in scores and "quiz の 2 問にはmの回答がない" in scores
    whole = section(page(tmp_path, [figure("m", 0.5)]), "scores")
    assert "<small>途中で切れた回答" not in whole and "回答がない" not in whole


def test_published_figures_stand_beside_the_published_metric_only(tmp_path: Path) -> None:
    theirs = [
        {"model": "Outside", "task": "quiz", "metric": f"{metric}_upstream", "value": 0.26, "split": "published"}
        for metric in ("kappa", "accuracy")
    ]
    corrected = [figure("m", 0.398), figure("m", 0.41, "accuracy")]
    html = page(tmp_path, corrected, published=theirs)
    assert "公表値（1 モデル）" not in section(html, "scores")
    markdown = render_markdown(Scoreboard.model_validate({"format": 2, "rows": corrected, "published": theirs}))
    assert "Outside" not in markdown
    upstream = [*corrected, figure("m", 0.264, "kappa_upstream")]
    scores = section(page(tmp_path, upstream, published=theirs), "scores")
    assert scores.count("公表値（1 モデル）") == 1
    chart = scores[: scores.index("公表値（1 モデル）")].rsplit("<figure>", 1)[1]
    assert "公表版のκ" in chart and "0.264" in chart and "0.398" not in chart


def test_a_board_of_the_first_format_is_understood(tmp_path: Path) -> None:
    old = [{"model": "Outside", "task": "quiz", "metric": "kappa", "value": 0.26, "split": "published"}]
    write_json(tmp_path / "scoreboard.json", {"rows": [figure("m", 0.398)], "published": old})
    html = build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8")
    assert "公表値（1 モデル）" not in section(html, "scores") and "公表版のκ" in section(html, "published")


@pytest.mark.parametrize(("documents", "warned"), [(5, True), (19, True), (20, False), (None, False)])
def test_few_documents_are_warned_of(tmp_path: Path, documents: int | None, warned: bool) -> None:
    html = page(tmp_path, [figure("m", 0.5, documents=documents)])
    assert (FEW in html) == warned == ("文書が 20 より少ない課題：quiz" in html)


def test_precision_and_documents_stand_in_the_tables(tmp_path: Path) -> None:
    scores = section(page(tmp_path, [figure("m", 0.5, precision="bf16", wording="own")]), "scores")
    assert "自由生成 · 公表の配置・自作の指示文 · bf16" in scores and "文書 60" in scores


def board(*pairs: tuple[str, float, float]) -> Board:
    rows = [figure("tuned", 0.7), figure("majority", 0.0), figure("ngram", 0.2)]
    compared = [
        {"task": "quiz", "split": "published", "metric": "kappa", "first": "tuned", "first_mode": "generate"}
        | {"second": second, "second_mode": "baseline", "difference": difference, "p": p}
        for second, difference, p in pairs
    ]
    return Board(Scoreboard.model_validate({"format": 2, "rows": rows, "paired": compared}))


def scores_of(one: Board) -> dict[str, Score]:
    return {score.model: score for score in one.stored.rows}


def test_a_verdict_is_the_corrected_paired_test_whatever_the_intervals_do() -> None:
    for p, said in ((0.0005, "above"), (0.03, "open"), (0.069, "open")):  # 0.03 becomes 0.06
        one = board(("majority", 0.7, p), ("ngram", 0.5, p))
        found = scores_of(one)
        assert verdict(found["tuned"], found["majority"], pairs_of(one)) == said, p
    one = board(("majority", -0.7, LEVEL / 10), ("ngram", 0.0, 1.0))
    found = scores_of(one)
    assert verdict(found["tuned"], found["majority"], pairs_of(one)) == "below"
    assert verdict(found["majority"], found["tuned"], pairs_of(one)) == "above"
    assert verdict(found["tuned"], found["ngram"], pairs_of(one)) == "equal"


def test_what_was_not_compared_is_not_judged() -> None:
    one = board(("ngram", 0.5, 0.0005))
    found = scores_of(one)
    assert verdict(found["tuned"], found["majority"], pairs_of(one)) == "untested"
    assert verdict(found["tuned"], None, pairs_of(one)) == "unknown"
    other_split = found["tuned"].model_copy(update={"split": "document-disjoint"})
    assert verdict(other_split, found["ngram"], pairs_of(one)) == "untested"


def test_models_are_compared_with_the_best_baseline_and_with_one_guess() -> None:
    assert compared_baselines({"chance": 0.18, "majority": 0.0, "ngram": 0.5}) == ["ngram", "majority"]
    assert compared_baselines({"majority": 0.5, "ngram": 0.2}) == ["majority"]
    assert compared_baselines({"always-a": 0.25, "chance": 0.2}) == ["always-a", "chance"]
    assert compared_baselines({}) == []


def test_of_several_baselines_the_hardest_counts(tmp_path: Path) -> None:
    pairs = [
        {"task": task, "split": "published", "metric": "kappa", "first": "m", "first_mode": "generate"}
        | {"second": second, "second_mode": "baseline", "difference": difference, "p": 0.0005, "n": 60}
        for task in ("quiz", "posts")
        for second, difference in (("majority", 0.5), ("ngram", -0.2))
    ]
    paired = section(page(tmp_path, [figure("m", 0.5), figure("m", 0.5, task="posts")], paired=pairs), "paired")
    row = paired[paired.index("基準線より低い課題") :].split("</tr>")[1]
    assert row.count("–") == 2 and "quiz、posts" in row

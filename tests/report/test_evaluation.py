"""The page about an evaluation, on an invented board of eight tasks and several models (seeded, nothing real)."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.comparisons import pairs_of
from igakulm.evaluation.score_tables import Board, Line, TaskScores, lines_of
from igakulm.evaluation.scoreboard import Scoreboard
from igakulm.files import write_json, write_jsonl
from igakulm.report.charts import Axis
from igakulm.report.details import details_part
from igakulm.report.evaluation import build_evaluation_report
from igakulm.report.exam import exam_part
from igakulm.report.words import LANGUAGES
from report_board import MODELS, Row, figure, item_row, write_board
from report_html import assert_closed, parsed, section

ATTACK = "<script>alert('x')</script><img src=\"http://evil.example/a.png\">&\x00\x1b\u202e\u2066"


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    write_board(folder)
    return folder


@pytest.fixture(scope="module")
def html(evaluation: Path) -> str:
    return build_evaluation_report(evaluation, "八課題").read_text(encoding="utf-8")


def board_of(value: Row) -> Board:
    """An invented board that stands in no folder."""
    return Board(Scoreboard.model_validate({"format": 2} | value))


def test_sections_and_navigation_agree(html: str) -> None:
    structure = parsed(html)
    anchors = ["scores", "paired", "exam", "leakage", "answers", "published", "provenance"]
    assert structure.sections == anchors
    assert structure.links == ["#main", *(f"#{anchor}" for anchor in anchors)]
    assert "<title>八課題 — IgakuLM 評価</title>" in html


def test_nothing_is_fetched_or_executed(html: str) -> None:
    assert_closed(html)


def test_headings_do_not_skip_levels(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in parsed(html).seen if re.fullmatch("h[1-6]", tag)]
    assert all(second - first <= 1 for first, second in pairwise(levels))


def test_the_same_folder_gives_the_same_bytes(evaluation: Path, html: str) -> None:
    assert build_evaluation_report(evaluation, "八課題").read_text(encoding="utf-8") == html


def test_eight_tasks_and_models_stay_below_three_megabytes(tmp_path: Path) -> None:
    models = MODELS | {f"vendor/model-{k}": 0.2 + 0.1 * k for k in range(4)}
    write_board(tmp_path, models, n=100)
    assert build_evaluation_report(tmp_path, "大きな評価").stat().st_size < 3_000_000


def test_every_split_has_a_table_with_manner_and_intervals(html: str) -> None:
    scores = section(html, "scores")
    text = parsed(scores).text
    for wanted in (
        "公表どおりの分割", "公表分割のうち文書を共有しない問題", "文書が重ならない分割", "画像を使わない問題",
        "記号の尤度／自由生成 · 公表の配置・自作の指示文 · bf16", "自由生成 · 対話形式", "文書 50",
        "不読 10 %", "n = 60", "（2,000 回）",
        "基準線（言語モデルを使わない）", "公表値（3 モデル）",
    ):  # fmt: skip
        assert wanted in text, wanted
    first = re.findall(r"<table.*?</table>", scores, re.DOTALL)[0]
    assert first.index("調整後モデル") < first.index("文字n-gram分類器")
    assert re.search(r"\[−?\d\.\d{3}, \d\.\d{3}\]", first)


def test_a_model_asked_in_two_ways_has_two_lines() -> None:
    def scored(task: str, *modes: str) -> TaskScores:
        rows = [figure("m", "model", task, "published", "kappa", 0.5, mode) for mode in modes]
        return board_of({"rows": rows}).tasks[0]

    tasks = [
        scored("a", "options-letter", "generate"),
        scored("b", "options-letter", "generate"),
        scored("c", "generate"),
    ]
    lines = lines_of(tasks)
    assert [[mode for mode, _ in line.variants] for line in lines] == [["options-letter"], ["generate"]]
    assert [[bool(line.score(task, "kappa")) for task in tasks] for line in lines] == [[True] * 2 + [False], [True] * 3]
    one = lines_of([scored("a", "options-letter"), scored("c", "generate")])
    assert one == [Line("m", "model", [("options-letter", "published"), ("generate", "published")], {"a", "c"})]


def test_comparisons_are_corrected_and_cautious(html: str) -> None:
    paired = section(html, "paired")
    assert "差があるとは言えない" in paired and "A の方が高い" in paired and "B の方が高い" in paired
    assert "言語モデルを使わない基準線との比較" in paired and "基準線より低い課題" in paired
    rows = [
        {"task": "a", "split": "s", "first": "x", "second": "y", "difference": 0.1, "p": p} for p in (0.02, 0.03, 0.001)
    ]
    rows.append({"task": "b", "split": "s", "first": "x", "second": "y", "difference": -0.1, "p": 0.04})
    rows.append({"task": "c", "split": "s", "first": "x", "second": "y", "difference": -0.1, "p": None})
    rows.append({"task": "c", "split": "s", "first": "x", "second": "y", "difference": None, "p": 0.5})
    pairs = pairs_of(board_of({"paired": rows}))
    assert [pair.adjusted for pair in pairs] == [
        pytest.approx(0.04),
        pytest.approx(0.04),
        pytest.approx(0.003),
        0.04,
        None,
    ]
    assert [pair.sign for pair in pairs] == [1, 1, 1, -1, 0]


def test_too_few_samples_for_the_comparisons_are_named(tmp_path: Path) -> None:
    row = {"task": "a", "split": "published", "first": "x", "second": "y", "difference": 0.1, "p": 0.01}
    board = {"rows": [], "paired": [row] * 30, "bootstrap": {"samples": 100, "seed": 0, "unit": "document"}}
    write_json(tmp_path / "scoreboard.json", board)
    text = build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8")
    assert "標本 100 回で得られる最小の p では" in text
    write_json(tmp_path / "scoreboard.json", board | {"bootstrap": {"samples": 2000}})
    assert "最小の p では" not in build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8")


def test_an_examination_with_left_out_questions_is_not_judged(html: str) -> None:
    exam = section(html, "exam")
    assert exam.count("判定しない</td>") == 2 and exam.count("基準に達していない</td>") == 6
    assert "その年の全問を採点していない" in exam and "基準 160" in exam and "上限 3" in exam
    assert "問題区分別の得点：調整後モデル · 記号の尤度" in exam
    passed = {
        "model": "m",
        "year": "2018",
        "required": 160,
        "required_total": 200,
        "required_mark": 160,
        "complete": True,
    }
    shown = exam_part(board_of({"passing": [passed | {"passed": True}]}), 3, "ja")
    assert "基準に達した</td>" in shown and 'class="below"' not in shown
    assert exam_part(board_of({}), 3, "ja") == ""


def test_leaked_items_are_listed(html: str) -> None:
    leakage = section(html, "leakage")
    assert "quiz（18 問）" in leakage and "effects-train-00017" in leakage and "（30 %）" in leakage
    assert "七十歳男性。発熱を主訴に受診した。" in leakage


def test_answers_of_every_model_can_be_chosen_without_a_script(html: str) -> None:
    answers = section(html, "answers")
    groups: dict[str, list[bool]] = {}
    for tag, attributes in parsed(answers).seen:
        if tag == "details" and attributes.get("name"):
            groups.setdefault(str(attributes["name"]), []).append("open" in attributes)
    assert len(groups) == 8
    assert all(opened[0] and sum(opened) == 1 for opened in groups.values())
    assert sorted(map(len, groups.values())) == [4, 4, 4, 5, 5, 5, 5, 5]  # the tuned model chose options in two ways
    for wanted in (
        'class="hit"',
        'class="missed"',
        'class="wrong"',
        "不読",
        "わかりません。主治医に",
        "どのモデルも不正解",
    ):
        assert wanted in answers, wanted


def test_hostile_answers_stay_short_text(tmp_path: Path) -> None:
    long = ATTACK * 1500
    gold = ["発熱"]
    said = ["発熱", *[f"{ATTACK}{number}" for number in range(5000)]]
    rows = [
        item_row("e1", "t", "entities", f"挙げよ。\n「発熱{long}」", long, said, gold, 0, "generate"),
        item_row(ATTACK * 50, "t", "entities", long, long, None, gold, 0, "generate"),
    ]
    model = ATTACK * 20
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scores = [figure(model, "model", ATTACK, ATTACK, metric, 0.5, ATTACK, kind="entities") for metric in ("f", ATTACK)]
    where = {"model": model, "task": ATTACK, "split": ATTACK, "answer_mode": ATTACK, "file": "items/a.jsonl"}
    pair = {
        "task": ATTACK,
        "split": ATTACK,
        "metric": ATTACK,
        "first": model,
        "second": ATTACK,
        "difference": 1,
        "p": 0.1,
    }
    board = {
        "rows": scores, "items": [where], "paired": [pair],
        "passing": [{"model": model, "year": ATTACK, "required": 1}],
        "groups": [
            {"model": model, "task": ATTACK, "group": ATTACK, "part": part, "points": 1, "total": 2}
            for part in ("", ATTACK)
        ],
        "leakage": [{"split": ATTACK, "task": ATTACK, "test": 1, "test_shared": 1}],
        "leaked_items": [{"task": ATTACK, "id": ATTACK, "document": long, "train_task": ATTACK, "train_id": long}],
        "published": [{"model": model, "task": ATTACK, "metric": "f", "value": 0.4, "source": long}],
        "sources": [{"name": long, "finished": ATTACK, "scoreboard_sha256": long}],
    }  # fmt: skip
    (tmp_path / "scoreboard.json").write_text(json.dumps(board), encoding="utf-8")
    html = build_evaluation_report(tmp_path, ATTACK).read_text(encoding="utf-8")
    structure = parsed(html)
    assert not {tag for tag, _ in structure.seen} & {"script", "img"}
    assert not re.search(r"[\x00\x1b\u202e\u2066]", html)
    assert html.count("&lt;script&gt;") > 20
    assert len(html) < 150_000


def test_files_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    secret = item_row("x", "quiz", "choice", "秘密の問題", "秘密の答え", None, ["A"], 4, "options-letter")
    write_jsonl(tmp_path / "secret.jsonl", [secret])
    row = figure("m", "model", "quiz", "published", "kappa", 0.5, "options-letter")
    where = {"model": "m", "task": "quiz", "split": "published", "answer_mode": "options-letter"}
    for name in (
        "../secret.jsonl",
        str(tmp_path / "secret.jsonl"),
        "items/../../secret.jsonl",
        "a\x00b",
        "x" * 9000,
    ):
        write_json(tmp_path / "run" / "scoreboard.json", {"rows": [row], "items": [where | {"file": name}]})
        assert "秘密" not in build_evaluation_report(tmp_path / "run", "t").read_text(encoding="utf-8")


def test_old_and_partial_boards_render(tmp_path: Path) -> None:
    old = {"model": "tuned", "task": "quiz", "metric": "kappa", "value": 0.5, "n": 10, "answer_mode": "options-letter"}
    boards: list[Row] = [
        {},
        {"rows": [old]},
        {"rows": [old | {"value": None}, old | {"value": float("nan")}]},
        {"rows": [old], "items": [{"model": "tuned", "file": None}], "groups": [{}], "passing": [{}], "leakage": [{}],
         "leaked_items": [{}], "published": [{}], "paired": [{}], "sources": [{}]},
    ]  # fmt: skip
    for board in boards:
        (tmp_path / "scoreboard.json").write_text(json.dumps(board), encoding="utf-8")
        for language in LANGUAGES:
            html = build_evaluation_report(tmp_path, "t", language).read_text(encoding="utf-8")
            assert not re.search(r"\b(nan|None)\b", parsed(html).text)


@pytest.mark.parametrize("board", [{"rows": "none"}, {"paired": [1]}, {"bootstrap": []}, [], {"format": 3}])
def test_damaged_and_newer_boards_are_refused(tmp_path: Path, board: object) -> None:
    (tmp_path / "scoreboard.json").write_text(json.dumps(board), encoding="utf-8")
    with pytest.raises(InputError, match=r"scoreboard\.json"):
        build_evaluation_report(tmp_path, "t")


def test_no_scoreboard_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        build_evaluation_report(tmp_path, "t")
    (tmp_path / "scoreboard.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        build_evaluation_report(tmp_path, "t")


def test_forest_charts_keep_everything_inside(html: str) -> None:
    scores = section(html, "scores")
    places = [float(place) for place in re.findall(r"left:([-\d.]+)%", scores)]
    assert len(places) >= 12 and min(places) >= 0 and max(places) <= 100
    assert "0.20–0.70" in scores and 'title="Outside-2B 0.20"' in scores


@pytest.mark.parametrize("values", [[0.0], [-0.31, 1.71], [499.0], [-3.0, 2.0], [12_345.0]])
def test_axis_holds_everything_in_few_steps(values: list[float]) -> None:
    axis = Axis.around(values)
    assert axis.low <= min(values) and max(values) <= axis.high
    assert 2 <= len(axis.ticks) <= 11 and axis.ticks[-1] == pytest.approx(axis.high)


def detail(model: str, **more: object) -> Row:
    figures: Row = {"label": "A", "option": "該当<b>", "gold": 30, "said": 25, "right": 20, "precision": 0.8}
    figures |= {"recall": 0.667, "precision_interval": [0.61, 0.91], "recall_interval": [0.49, 0.81]}
    bins = [{"low": 0.8, "high": 0.9, "n": 40, "confidence": 0.85, "accuracy": 0.6}, {"low": 0.9, "high": 1.0, "n": 0}]
    group: Row = {"field": "ward", "value": "内科", "metric": "kappa", "score": 0.41, "low": 0.2, "high": 0.6}
    row: Row = {"model": model, "task": "quiz", "split": "published", "answer_mode": "options-letter"}
    row |= {"classes": [figures], "subgroups": [group | {"n": 40, "documents": 12}]}
    return row | {"calibration": {"n": 60, "ece": 0.25, "brier": 0.7, "brier_answer": 0.31, "bins": bins}} | more


def test_what_stands_behind_the_scores() -> None:
    rows = [detail("tuned"), detail("plain", calibration=None, classes=[], subgroups=[])]
    html = details_part(board_of({"details": rows}), 3, "ja")
    parsed(html)
    for wanted in (
        "0.250",
        "0.310",
        "0.800",
        "[0.610, 0.910]",
        "該当&lt;b&gt;",
        "内科",
        "[0.200, 0.600]",
        "検定していない",
    ):
        assert wanted in html, wanted
    assert '<td class="below">12</td>' in html and "plain" not in html
    assert html.count("<circle") == 1  # an empty bin has no dot
    assert details_part(board_of({"details": rows[1:]}), 3, "ja") == ""
    assert "Wilson" in details_part(board_of({"details": rows}), 3, "en")


def test_free_texts_are_graded_not_right_or_wrong(tmp_path: Path) -> None:
    rows = [
        item_row(f"t{k}", "notes", "text", f"要約せよ。{k}", "熱がある。", ["熱がある。"], ["発熱。"], 0, "generate")
        | {"score": k / 10}
        for k in range(8)
    ]
    write_jsonl(tmp_path / "items" / "a.jsonl", rows)
    score = figure("m", "model", "notes", "test", "rouge_l_words", 0.35, "generate", kind="text")
    where = {"model": "m", "task": "notes", "split": "test", "answer_mode": "generate", "file": "items/a.jsonl"}
    write_json(tmp_path / "scoreboard.json", {"format": 2, "rows": [score], "items": [where]})
    answers = section(build_evaluation_report(tmp_path, "t").read_text(encoding="utf-8"), "answers")
    assert "notes：得点の低い 5 文書" in answers and "ROUGE-L（語）の平均 0.00" in answers
    assert "正解 発熱。" in answers and "不正解" not in answers

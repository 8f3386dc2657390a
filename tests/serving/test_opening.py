"""What the page opens with, and what it does not offer."""

from __future__ import annotations

from typing import Any

import pytest

from igakulm.evaluation.comparisons import Comparison, Verdict
from igakulm.evaluation.score_tables import TaskScores
from igakulm.evaluation.scoreboard import Score
from igakulm.inference.model import Model
from igakulm.serving.opening import beside, first_shown, offers_chat
from igakulm.tasks.layouts import Task
from page_browser import answers, opened
from page_server import PageEngine, served
from tiny_bundle import encoder

TINY = encoder()
EXTRACT = Task(
    "nursing.d",
    "extract",
    "所見を取り出す（nursing.d）",
    "Extract",
    "次の文書\n「",
    suffix="」",
    kind_of_item="finding",
)
CLASSIFY = Task(
    "posts", "classify", "分ける（posts）", "Classify", "投稿\n「", suffix="」", options=(("A", "あり"), ("B", "なし"))
)


def score(task: str, model: str, value: float) -> Score:
    return Score(model=model, task=task, kind="choice", metric="accuracy", value=value, n=10, role="model")


def compared(task: str, guess: Verdict, best: Verdict) -> Comparison:
    tuned, other = score(task, "tuned", 0.5), score(task, "ngram", 0.4)
    return Comparison(
        TaskScores(task, "published", "choice", "accuracy", (tuned, other)), tuned, other, other, guess, best
    )


def model(tuning: dict[str, Any] | None) -> Model:
    description = {"training": {"finetune": tuning}} if tuning is not None else {}
    return Model(PageEngine(TINY, {}), TINY, "m", "scripted", None, description)


@pytest.mark.parametrize(
    ("tuning", "offered"),
    [
        (None, True),
        ({"steps": 1}, True),  # a bundle of an older version does not say
        ({"conversations": True, "open_model": False}, True),
        ({"conversations": False, "open_model": True}, True),
        ({"conversations": False, "open_model": False}, False),
    ],
)
def test_a_conversation_is_offered_where_there_were_some(tuning: dict[str, Any] | None, offered: bool) -> None:
    assert offers_chat(model(tuning)) is offered


def test_the_page_opens_with_what_the_tests_show_the_model_to_be_good_at() -> None:
    tasks = [CLASSIFY, EXTRACT]
    good = compared("nursing", "above", "below")
    assert first_shown(tasks, [compared("posts", "open", "open"), good], chat=True) == "extract"
    assert first_shown(tasks, [compared("posts", "above", "above"), good], chat=True) == "classify"
    assert first_shown(tasks, [compared("posts", "open", "open")], chat=True) == "chat"
    assert first_shown(tasks, [], chat=False) == "classify"
    assert first_shown([], [good], chat=True) == "chat" and first_shown([], [], chat=False) == ""
    assert first_shown([Task("nursing_d", "extract", "", "")], [good], chat=True) == "chat"  # another task's figure


def test_the_best_baseline_stands_beside_each_task() -> None:
    (row,) = beside([compared("posts", "above", "below")])
    assert (row["value"], row["best"], row["verdict"]) == (0.5, 0.4, "below") and "n-gram" in row["best_ja"]


def test_kinds_without_rows_are_not_offered(browser: Any) -> None:
    tuned = {"training": {"finetune": {"conversations": False, "open_model": False}}}
    engine = PageEngine(TINY, answers())
    with served(engine, TINY, description=tuned, tasks=[EXTRACT]) as address, opened(browser, address) as page:
        page.wait_for_selector("#tasks:not([hidden]) #extract:not([hidden])")
        shown = page.locator("[role=tab]:visible").all_text_contents()
        assert shown == ["タスク", "モデルと評価", "取り出す"]
        assert page.locator("#extract .checks").text_content() == "取り出すもの所見"
    with served(PageEngine(TINY, answers()), TINY, tasks=[]) as address, opened(browser, address) as page:
        page.wait_for_selector("#tab-tasks", state="hidden")
        assert page.locator("#chat").is_visible()

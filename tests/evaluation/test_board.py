"""The scoreboard as it grows: rows, subsets, comparisons, files, order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from igakulm.answering.reading import Prediction
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.board import FEWEST, Board, Column
from igakulm.evaluation.intervals import Resampler, document_groups
from igakulm.evaluation.item_files import BASELINE, Answered, read_items
from igakulm.evaluation.metrics import measure
from igakulm.evaluation.scoreboard import UNSHARED
from igakulm.evaluation.significance import paired
from igakulm.files import read_json
from igakulm.tasks.items import Item

SAMPLES, SEED = 100, 3


def questions(count: int = 12, task: str = "quiz") -> list[Item]:
    return [
        Item(f"{task}{k}", task, "choice", f"問{k}", ("x", "y"), ("AB"[k % 2],), document=f"文書{k // 2}")
        for k in range(count)
    ]


def model(name: str, items: list[Item], letters: str, mode: str = "options-letter") -> Answered:
    said: list[Prediction] = [
        (letter,) if (letter := letters[place % len(letters)]) != "-" else None for place in range(len(items))
    ]
    replies = [Reply(item.question, False, "", mode, parsed, parsed) for item, parsed in zip(items, said, strict=True)]
    return Answered(name, "model", mode, "chat", said, said, replies)


def baseline(name: str, items: list[Item], letters: str) -> Answered:
    answered = model(name, items, letters)
    return Answered(name, "baseline", BASELINE, "", answered.parsed, answered.upstream)


def rows_of(board: Board, name: str, metric: str = "kappa") -> dict[str, dict[str, Any]]:
    return {row["split"]: row for row in board.rows if (row["model"], row["metric"]) == (name, metric)}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path, SAMPLES, SEED)


def test_a_row_says_everything(board: Board) -> None:
    items = questions()
    board.add(Column("quiz", "test", items), model("m", items, "AB-A"))
    row = rows_of(board, "m")["test"]
    value = measure(items, model("m", items, "AB-A").parsed)[0]
    low, high = Resampler(items, SAMPLES, SEED).interval(value.statistics, value.combine)
    assert (row["value"], row["low"], row["high"]) == (value.value, low, high)
    assert (row["n"], row["documents"], row["unparsed"], row["truncated"]) == (12, 6, 0.25, 0)
    assert (row["kind"], row["role"], row["prompt_style"], len(row["prompt_sha256"])) == ("choice", "model", "chat", 64)


def test_the_prompt_s_hash_is_that_of_these_prompts(board: Board) -> None:
    for task, count in (("one", 6), ("two", 8)):
        items = questions(count)
        board.add(Column(task, "test", items), model("m", items, "A"))
        board.add(Column(task, "test", items), baseline("majority", items, "A"))
    assert len({row["prompt_sha256"] for row in board.rows if row["role"] == "model"}) == 2
    assert {row["prompt_sha256"] for row in board.rows if row["role"] == "baseline"} == {""}


def test_the_items_that_share_nothing_are_a_column_of_their_own(board: Board) -> None:
    items = questions()
    shared = {item.id for item in items[:4]}
    answered = model("m", items, "AB-A")
    board.add(Column("quiz", "published", items, shared=shared), answered)
    rest = rows_of(board, "m")[UNSHARED]
    assert (rest["n"], rest["documents"]) == (8, 4)
    assert rest["value"] == measure(items[4:], answered.parsed[4:])[0].value
    assert rest["unparsed"] == 2 / 8
    assert [file["split"] for file in board.files] == ["published"], "the answers are written once"


@pytest.mark.parametrize(("split", "shared"), [("published", 0), ("published", 12 - FEWEST + 1), ("test", 4)])
def test_no_column_of_unshared_items(board: Board, split: str, shared: int) -> None:
    items = questions()
    board.add(Column("quiz", split, items, shared={item.id for item in items[:shared]}), model("m", items, "A"))
    assert list(rows_of(board, "m")) == [split]


def test_just_enough_unshared_items(board: Board) -> None:
    items = questions()
    board.add(Column("quiz", "published", items, shared={item.id for item in items[FEWEST:]}), model("m", items, "A"))
    assert rows_of(board, "m")[UNSHARED]["n"] == FEWEST


def test_models_are_compared_with_each_other_and_with_the_best_baseline_only(board: Board) -> None:
    items = questions()
    column = Column("quiz", "test", items)
    for name, letters in (("bad", "BA"), ("good", "AB"), ("even", "A")):
        board.add(column, baseline(name, items, letters))
    first, second = model("first", items, "AAB"), model("second", items, "AB-")
    board.add(column, first)
    board.add(column, second)
    found = {(row["first"], row["second"]): row for row in board.comparisons()}
    assert list(found) == [("first", "second"), ("first", "good"), ("second", "good")]
    sides = [measure(items, answered.parsed)[0] for answered in (first, second)]
    wanted = paired(sides[0], sides[1], document_groups(items), SAMPLES, SEED)
    row = found["first", "second"]
    assert (row["difference"], row["low"], row["high"], row["p"]) == (
        wanted.difference,
        wanted.low,
        wanted.high,
        wanted.p,
    )
    assert (row["metric"], row["n"], row["documents"], row["first_mode"]) == ("kappa", 12, 6, "options-letter")
    assert found["first", "good"]["second_mode"] == BASELINE


def test_a_model_is_compared_with_itself_asked_in_another_way(board: Board) -> None:
    items = questions()
    for mode in ("options-letter", "generate"):
        board.add(Column("quiz", "test", items), model("m", items, "A", mode))
    (row,) = board.comparisons()
    assert (row["first"], row["first_mode"], row["second"], row["second_mode"]) == (
        "m",
        "options-letter",
        "m",
        "generate",
    )
    assert (row["difference"], row["p"]) == (0.0, 1.0)


def test_columns_are_never_compared_across(board: Board) -> None:
    for task, split in (("one", "test"), ("one", "published"), ("two", "test")):
        items = questions(task=task)
        board.add(Column(task, split, items), model(f"{task} {split}", items, "A"))
    assert board.comparisons() == []


def test_a_lone_model_or_lone_baselines_are_compared_with_nobody(board: Board) -> None:
    items = questions()
    board.add(Column("one", "test", items), model("m", items, "A"))
    board.add(Column("two", "test", items), baseline("chance", items, "A"))
    assert board.comparisons() == []


def written(folder: Path, models_first: bool) -> dict[str, Any]:
    board = Board(folder, SAMPLES, SEED)
    steps = [("model", task) for task in ("b", "a")] + [("baseline", task) for task in ("b", "a")]
    for role, task in steps if models_first else reversed(steps):
        items = questions(task=task)
        make = model if role == "model" else baseline
        board.add(Column(task, "test", items), make("m" if role == "model" else "chance", items, "AAB"))
    return board.write(["a", "b"], {"published": [{"model": "x"}], "leakage": []})


def test_tasks_stand_in_the_order_given_and_baselines_before_models(tmp_path: Path) -> None:
    board = written(tmp_path, models_first=True)
    order = list(dict.fromkeys((row["task"], row["model"]) for row in board["rows"]))
    assert order == [("a", "chance"), ("a", "m"), ("b", "chance"), ("b", "m")]
    assert [row["task"] for row in board["paired"]] == ["a", "b"]
    assert board["published"] == [{"model": "x"}]
    assert board["bootstrap"] == {"samples": SAMPLES, "seed": SEED, "unit": "document"}
    assert read_json(tmp_path / "scoreboard.json") == board
    assert board["rows"] == written(tmp_path / "again", models_first=False)["rows"]


def test_every_file_is_listed_and_can_be_scored_again(board: Board) -> None:
    items = questions()
    board.add(Column("quiz", "published", items, shared={items[0].id}), model("org/m", items, "AAB"))
    (file,) = board.files
    assert (file["model"], file["answer_mode"]) == ("org/m", "options-letter")
    again = measure(*read_items(board.out_dir / file["file"]))[0].value
    assert again == rows_of(board, "org/m")["published"]["value"]


def test_examinations_of_igakuqa_have_years_and_passes(board: Board) -> None:
    items = [
        Item(f"112A{k}", "igakuqa", "choice", "問", tuple("abcde"), ("B",), group="2018", part="A") for k in range(4)
    ]
    board.add(Column("igakuqa", "text-only", items), model("m", items, "BBBA"))
    board.add(Column("exam", "test", items), model("m", items, "B"))
    years = {(row["group"], row["part"]): row for row in board.groups}
    assert (years["2018", ""]["points"], years["2018", "A"]["total"]) == (3, 4)
    assert {row["task"] for row in board.groups} == {"igakuqa"}
    assert [(row["model"], row["year"]) for row in board.passing] == [("m", "2018")]


def test_published_metrics_stand_beside_ours_for_free_answers_to_jmed_only(board: Board) -> None:
    for task, mode in (("crade", "generate"), ("crade", "options-letter"), ("quiz", "generate")):
        items = questions(task=task)
        board.add(Column(task, "published", items), model(mode, items, "A", mode))
    upstream = {(row["task"], row["model"]) for row in board.rows if row["metric"].endswith("_upstream")}
    assert upstream == {("crade", "generate")}

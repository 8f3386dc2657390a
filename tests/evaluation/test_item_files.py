"""Files of answers: their names, and what can be scored again from them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.answering.reading import Prediction
from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.intervals import document_groups
from igakulm.evaluation.item_files import Answered, file_name, plain_name, read_items, write_items
from igakulm.evaluation.metrics import measure
from igakulm.evaluation.passing import group_rows, passing_rows
from igakulm.files import read_jsonl
from igakulm.tasks.benchmarks.igakuqa import PASSING
from igakulm.tasks.items import Item

CHOICES = [
    Item("1", "t", "choice", "問一", ("甲", "乙", "丙"), ("A",), document="文書", tag="x", group="2018", part="A"),
    Item(
        "2", "t", "choice", "問二", ("甲", "乙", "丙"), ("A", "C"), "文書", wanted=2, points=3, group="2018", part="B"
    ),
    Item("3", "t", "choice", "問三", ("甲", "乙"), ("B",), "別", also=(("A",),), ordered=True, group="2019"),
    Item("4", "t", "choice", "問四", ("甲", "乙"), ("B",), sentences=("一", "二"), forbidden=("A",), group="2019"),
]
LISTS = [Item("1", "l", "entities", "所見は", (), ("咳", "発熱"), document="咳と発熱")]


def answered(parsed: list[Prediction], replies: list[Reply] | None = None) -> Answered:
    return Answered("m", "model", "generate", "chat", parsed, parsed, replies or ())


@pytest.mark.parametrize(
    ("items", "parsed"),
    [
        (CHOICES, [("A",), ("A", "C"), ("A",), None]),
        (CHOICES, [None, ("B",), ("B",), ("A",)]),
        (LISTS, [("咳", "頭痛")]),
        (LISTS, [()]),
        (LISTS, [None]),
    ],
)
def test_scores_groups_and_documents_can_be_had_again(
    tmp_path: Path, items: list[Item], parsed: list[Prediction]
) -> None:
    path = tmp_path / "items" / "x.jsonl"
    write_items(path, items, answered(parsed), shared={"1"})
    again, predictions = read_items(path)
    assert predictions == parsed
    figures = [
        [(metric.name, metric.value) for metric in measure(*side)] for side in ((items, parsed), (again, parsed))
    ]
    assert figures[0] == figures[1]
    assert document_groups(again).tolist() == document_groups(items).tolist()
    assert (group_rows(again, parsed), passing_rows(again, parsed, PASSING)) == (
        group_rows(items, parsed),
        passing_rows(items, parsed, PASSING),
    )
    assert [row["shared"] for row in read_jsonl(path)] == [item.id == "1" for item in items]


def test_each_row_says_what_was_asked_answered_and_scored(tmp_path: Path) -> None:
    replies = [
        Reply("問い", True, "答えはA", "generate", ("A",), ("A",)),
        Reply("問い", False, "", "generate", None, None, failure="too long"),
    ]
    said = Answered("m", "model", "generate", "chat", [("A",), None], [("A",), None], replies)
    write_items(tmp_path / "x.jsonl", CHOICES[:2], said, shared=())
    first, second = read_jsonl(tmp_path / "x.jsonl")
    assert (first["prompt"], first["answer"], first["truncated"], first["score"]) == ("問い", "答えはA", True, 1.0)
    assert (second["failure"], second["parsed"], second["upstream"], second["score"]) == ("too long", None, None, 0.0)
    assert (second["wanted"], second["points"], second["choices"], second["gold"]) == (2, 3, 3, ["A", "C"])


def test_half_characters_are_replaced_before_the_disk(tmp_path: Path) -> None:
    reply = Reply("\ud800", False, "甲\udfff乙😀", "generate", ("\ud800",), ("\udc00",), failure="\ud800")
    write_items(tmp_path / "x.jsonl", LISTS, answered([("\ud800",)], [reply]), shared=())
    (row,) = read_jsonl(tmp_path / "x.jsonl")
    assert (row["prompt"], row["answer"], row["failure"], row["parsed"]) == (
        "\ufffd",
        "甲\ufffd乙😀",
        "\ufffd",
        ["\ufffd"],
    )


def test_one_answer_too_few_is_a_mistake_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_items(tmp_path / "x.jsonl", CHOICES, answered([("A",)]), shared=())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [{"id": ...}, {"parsed": 3}, {"choices": "x"}, {"gold": None}, {"also": 1}, {"documents": None}, {"forbidden": 0}],
)
def test_a_damaged_row_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "x.jsonl"
    write_items(path, CHOICES[:2], answered([("A",), None]), shared=())
    rows = list(read_jsonl(path))
    rows[1] = {key: value for key, value in (rows[1] | change).items() if value is not ...}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match="no row of an evaluation") as caught:
        read_items(path)
    assert "row 2" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_items(tmp_path / "absent.jsonl")


ODD = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "a-b",
    "a b",
    "a\nb",
    "日本",
    "日木",
    "x" * 80,
    "x" * 81,
    "x" * 300,
    "-a",
    "a.",
    "\ud800",
]
ODD += ["\x00", "a\\b", "A", "a"]


def test_names_are_plain_and_never_meet() -> None:
    plain = [plain_name(name) for name in ODD]
    assert len(set(plain)) == len(ODD)
    for name in plain:
        assert name and name.isascii() and "/" not in name and name not in (".", "..") and len(name) <= 90
    for kept in ("tuned", "Qwen2.5-7B", "a_b"):
        assert plain_name(kept) == kept


def test_files_lie_below_their_model_and_never_meet() -> None:
    names = [
        file_name(*parts)
        for parts in itertools.product(["a", "a b", ".."], ["t", "試験"], ["all questions", "x"], ["m"])
    ]
    assert len(set(names)) == 12
    for name in names:
        path = Path(name)
        assert path.parts[0] == "items" and len(path.parts) == 3 and ".." not in path.parts
        assert len(path.name.encode()) <= 255
    assert len(Path(file_name("m", "試" * 99, "x" * 99, "options-text-normalised")).name) <= 255

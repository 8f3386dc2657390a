"""Odd answers: what is read, what is not, and what the published scorer would have read."""

from __future__ import annotations

import pytest

from igakulm.benchmarks.items import Item
from igakulm.evaluation.answers import (
    parse_answer,
    parse_letters,
    parse_list,
    parse_number,
    upstream_letter,
    upstream_list,
)

FIVE = ("胃癌", "肺癌", "肝癌", "膵癌", "胆嚢癌")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("C", "C"),
        (" c \n", "C"),
        ("Ｃ", "C"),
        ("「C」", "C"),
        ("(C).", "C"),
        ("**C**", "C"),
        ("Cです。", "C"),
        ("C. 肝癌", "C"),
        ("Ｃ：肝癌です", "C"),
        ("肝癌", "C"),
        ("肝癌。", "C"),
        ("answer: C", "C"),
        ("ANSWER: C", "C"),
        ("The correct answer is C.", "C"),
        ("答え：Ｃ", "C"),
        ("正解は「C」です", "C"),
        ("解答はcである", "C"),
        ("AではなくBでもない。よって正解はC", "C"),
        ("最も適切なのは選択肢Cです", "C"),
        ("IgA腎症を疑うのでCを選ぶ", "C"),
        ("A,C", "AC"),
        ("c、a", "AC"),
        ("AとC", "AC"),
        ("A and C", "AC"),
        ("Answer: A because of pain", "A"),
        ("C. 肝癌\n理由は画像", "C"),
        ("答えはAとCです", "AC"),
        ("A, A", "A"),
    ],
)
def test_letters_that_are_read(text: str, letters: str) -> None:
    assert parse_letters(text, FIVE) == tuple(letters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "わかりません",
        "F",
        "答えはF",
        "A か B",
        "癌",
        "Because",
        "Ａ群溶連菌とＢ型肝炎",
        "12",
        "\x00",
        "選択肢",
        "bad",
        "The answer is a disease",
        "A: 胃\nB: 肺",
    ],
)
def test_letters_that_are_not_read(text: str) -> None:
    assert parse_letters(text, FIVE) is None


def test_several_standing_letters_count_only_when_several_are_wanted() -> None:
    text = "適切なのはBおよびDの二つ"
    assert parse_letters(text, FIVE) is None
    assert parse_letters(text, FIVE, wanted=2) == ("B", "D")
    assert parse_letters("ac", FIVE, wanted=2) == ("A", "C")


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ('["発熱", "咳"]', ("発熱", "咳")),
        ("['発熱', '発熱', ' ']", ("発熱",)),
        ("回答は ['発熱'] です", ("発熱",)),
        ('```json\n["発熱"]\n```', ("発熱",)),
        ("[]", ()),
        ("[1]", ("1",)),
        ("['発熱', '咳', '倦", ("発熱", "咳")),
        ("['発熱'", ("発熱",)),
        ("['発", None),
        ("[1] 症状: ['咳']", ("咳",)),
        ("[例] ['咳', '熱", ("咳",)),
        ("['咳', ['熱'", None),
        ("発熱、咳", None),
        ("[['発熱']]", None),
        ("['発熱', ['咳']]", None),
        ("[__import__('os').system('true')]", None),
        ("__import__('os').system('true')", None),
        ("]発熱[", None),
        ("[" * 100_000, None),
        ("['" + "あ" * 100_000 + "']", None),
        ("", None),
    ],
)
def test_lists(text: str, strings: tuple[str, ...] | None) -> None:
    assert parse_list(text) == strings


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("146", "146"),
        ("１４６ mg/dL", "146"),
        ("答え：7.20", "720"),
        ("250-80-24=146。答えは 146 mg/dL", "146"),
        ("1,500mL", "1500"),
        ("0.4", "04"),
        ("80 か 90", None),
        ("不明", None),
    ],
)
def test_numbers(text: str, digits: str | None) -> None:
    assert parse_number(text) == (None if digits is None else (digits,))


def test_an_endless_answer_is_unreadable_for_every_kind() -> None:
    for kind, text in (("choice", "A" * 100_000), ("entities", "['a']" + " " * 100_000), ("number", "1" * 100_000)):
        item = Item("1", "t", kind, "q", FIVE if kind == "choice" else (), ("A",))  # type: ignore[arg-type]
        assert parse_answer(item, text) is None
    assert parse_answer(Item("1", "t", "number", "q", (), ("5",)), "5") == ("5",)


def test_the_published_reading() -> None:
    assert upstream_letter("ANSWER: C") == ("A",)
    assert upstream_letter("c") is None
    assert upstream_letter("Ｃ") is None
    assert upstream_letter("") is None
    assert upstream_list("['咳', '咳']") == ("咳", "咳")
    assert upstream_list("回答: ['咳']") is None
    assert upstream_list("__import__('os').getcwd()") is None

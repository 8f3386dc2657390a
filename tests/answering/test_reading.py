"""Odd answers: what is read, what is not, and what the published scorer would have read."""

from __future__ import annotations

import json
import time

import pytest

from igakulm.answering.reading import (
    parse_answer,
    upstream_letter,
    upstream_list,
)
from igakulm.answering.reading_choices import parse_letters
from igakulm.answering.reading_numbers import parse_number
from igakulm.tasks.items import Item
from igakulm.text.lists import list_items

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
        ("Ｃ．", "C"),
        ("Ⓒ", "C"),
        ("(c)", "C"),
        ("【C】", "C"),
        ("`C`", "C"),
        ("Cである", "C"),
        ("選択肢C", "C"),
        ("選択肢c", "C"),
        ("Cが正しい", "C"),
        ("cが正しい", "C"),
        ("cです", "C"),
        ("C番", "C"),
        ("C) 肝癌", "C"),
        ("(C) 肝癌", "C"),
        ("**C.** 肝癌", "C"),
        ("正解はＣとＥ", "CE"),
        ("**正解**：C", "C"),
        ("【正解】C", "C"),
        ("答えは、選択肢Cです", "C"),
        ("答えは選択肢Cです。AやBではありません", "C"),
        ("正解：選択肢「C」", "C"),
        ('{"answer": "C"}', "C"),
        ("The answer is: (C) because A and B are wrong", "C"),
        ("The correct option is C, not A", "C"),
        ("AとBを比べる。最終的な答え：**C**", "C"),
        ("正解はAではないかと考えたが、正解はC", "C"),
        ("答えはAではなくCです", "C"),
        ("C\n\nAは誤り。Bも誤り。", "C"),
        ("Aは誤り。Bも誤り。\n\nC", "C"),
        (r"よって $\boxed{C}$", "C"),
        (r"AかB……\boxed{A} いや \boxed{\text{C}}", "C"),
        (r"\boxed{a, c}", "AC"),
        (r"\boxed{\mathrm{(C)}}", "C"),
    ],
)
def test_letters_that_are_read(text: str, letters: str) -> None:
    assert parse_letters(text, FIVE, wanted=len(letters)) == tuple(letters)
    if "boxed" not in text:
        assert parse_letters(text, FIVE, wanted=len(letters) + 2) is None  # what does not fit the question is unread


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
        "C型肝炎",
        "答えはC型肝炎です",
        "Cペプチドが低い",
        "C-反応性蛋白",
        "ビタミンCの欠乏",
        "病期Cである",
        "HbA1cを測る",
        "答えはAかBです",
        "答えはAまたはBです",
        "Answer: A or B",
        "答えはAではない",
        "AでもBでもない",
        "Aではなく、BかCです",
        "A\nよく考えると\nB",
        "cは誤り、bも誤り",
        "b型肝炎を疑う",
        r"\boxed{肝の病気}",
        r"\boxed{F}",
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
    assert list_items(text) == strings


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


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("<think>Aかもしれない。</think>C", "C"),
        ("<think>\n正解はA\n</think>\n\n正解はC", "C"),
        ("正解はAだろうか</think>C", "C"),
        ("<thinking>A</thinking><THINK>B</THINK> C", "C"),
        ("<think>" + "A" * 30_000 + "</think>C", "C"),
        ("<think>正解はC", None),
        ("C<think>いや", None),
        ("<think>正解はC</think>", None),
    ],
)
def test_reasoning_does_not_count(text: str, letters: str | None) -> None:
    item = Item("1", "t", "choice", "q", FIVE, ("C",))
    assert parse_answer(item, text) == (tuple(letters) if letters else None)


def test_reasoning_before_lists_and_numbers() -> None:
    entities, number = Item("1", "t", "entities", "q", (), ("咳",)), Item("1", "t", "number", "q", (), ("146",))
    assert parse_answer(entities, "<think>['熱']</think>['咳']") == ("咳",)
    assert parse_answer(entities, "<think>['咳']") is None
    assert parse_answer(number, "<think>250-80-24</think>146") == ("146",)
    assert parse_number(r"250-80-24 = \boxed{146}") == ("146",)


@pytest.mark.parametrize(
    "piece", [" ", "\n", "答え ", "C ", "C, ", "[", "['a", "\\boxed{", "A\n", "A. ", "1,", "<think>", "あ"]
)
def test_no_answer_takes_long(piece: str) -> None:
    begun = time.process_time()
    for start in ("", "答え", "['"):
        text = start + piece * (19_990 // len(piece))
        for kind in ("choice", "entities", "number"):
            parse_answer(Item("1", "t", kind, "q", FIVE if kind == "choice" else (), ("C",)), text)
        upstream_list(text)
    assert time.process_time() - begun < 10


def test_the_published_reading() -> None:
    assert upstream_letter("ANSWER: C") == ("A",)
    assert upstream_letter("c") is None
    assert upstream_letter("Ｃ") is None
    assert upstream_letter("") is None
    assert upstream_list("['咳', ' 咳', '咳']") == ("咳", " 咳")
    assert upstream_list("回答: ['咳']") is None
    assert upstream_list("[true]") is None and upstream_list('["咳", null]') is None
    assert upstream_list("[['咳']]") is None and upstream_list("[{}, '咳']") is None
    assert upstream_list("__import__('os').getcwd()") is None
    assert upstream_list("[" * 100_000) is None


def test_elements_that_are_no_text_count_and_match_nothing() -> None:
    found = upstream_list("['1', 1, 1.0, True, None, ('咳',), '1']")
    assert found is not None and found[0] == "1" and len(found) == len(set(found)) == 4
    assert upstream_list("[0x" + "f" * 10_000 + "]") == ("\ufffdint 0",)
    json.dumps(upstream_list("['\\ud800', '咳']"), ensure_ascii=False).encode("utf-8")


REASONED = """a 胃炎：空腹時に痛む。正解ではない。
b 潰瘍：黒色便と貧血を説明できる。正解。
c 膵炎：アミラーゼが高い。適切な検査は別にある。
d 胆石：右季肋部が痛む。除外。

"""
STOMACH = ("胃炎", "潰瘍", "膵炎", "胆石", "虫垂炎")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REASONED + "【回答】b", ("B",)),
        (REASONED + "以上より、潰瘍を除外することはできない。\n\n【回答】b", ("B",)),
        ("各肢を見る。\n### e 虫垂炎\n右下腹部が痛む。\n\n解答：b", ("B",)),
        ("正解はcです。\n\n【回答】b", None),
        ("最終回答：c\n\n【回答】b", None),
        ("【回答】bではない", None),
        ("## a) 胃炎\n痛みの時間が合う。\n→ **正解**\n\n## b) 潰瘍\n黒色便がない。\n→ 除外", ("A",)),
        ("以下に分布する。\n- 上部消化管\n- 潰瘍\n- 小腸\n一方、虫垂炎では通常みられない。", None),
        ("検討する。\n- a) 胃炎 → 合わない\n- e) 虫垂炎 → 右下腹部が痛む\n\nしたがって、正解は：", None),
        ("したがって、黒色便の原因として考えられるのは「潰瘍」です。", ("B",)),
        ("したがって、否定できるのは「潰瘍」です。", None),
        ("したがって、選択肢 a（胃炎）、c（膵炎）はこの経過で起こる。", None),
        ("潰瘍（b）だけでは説明できないため不十分です。", None),
        ("一般に「虫垂炎」を挙げることは稀です。", None),
        ("虫垂炎（e）を考える前に、よくある原因を先に調べる。", None),
        ("```\n胃炎\n  ↓\n潰瘍\n  ↓\n穿孔\n```\n経過はこのとおりである。", None),
    ],
)
def test_reasoning_option_by_option_and_the_line_that_closes_it(text: str, expected: tuple[str, ...] | None) -> None:
    assert parse_letters(text, STOMACH) == expected

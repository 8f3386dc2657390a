"""Free answers in the styles of chat models: read as a person reads them, and never wrongly, however they are worded.

`answer_styles.json` holds the styles. {L} {N} {T} are letter, number and text of the answer, {l} and {W} its letter
small and full-width; {O} {ON} {OT} and {P} {PN} {PT} two other options; {M} {MN} {MT} the second of two answers.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from igakulm.answering.reading import Prediction, final_text
from igakulm.answering.reading_choices import parse_letters
from igakulm.answering.reading_entities import parse_entities
from igakulm.answering.reading_numbers import parse_number

STYLES: dict[str, Any] = json.loads(Path(__file__).with_name("answer_styles.json").read_text(encoding="utf-8"))
OPTIONS: tuple[str, ...] = tuple(STYLES["options"])
ENGLISH = ("gastric ulcer", "acute pancreatitis", "gallstones", "appendicitis", "bowel obstruction")


def told(template: str, options: tuple[str, ...], first: int) -> tuple[str, str, str]:
    """A template filled in, and the letters of its one and its two answers."""
    places = [(first + step) % 5 for step in range(4)]
    names: dict[str, str] = {}
    for (letter, number, text), place in zip(
        (("L", "N", "T"), ("O", "ON", "OT"), ("P", "PN", "PT"), ("M", "MN", "MT")), places, strict=True
    ):
        names |= {letter: "ABCDE"[place], number: str(place + 1), text: options[place]}
    names |= {"l": names["L"].lower(), "m": names["M"].lower(), "W": chr(ord(names["L"]) + 0xFEE0)}
    return template.format(**names), names["L"], "".join(sorted(names["L"] + names["M"]))


def fixed(template: str) -> bool:
    """Whether a template says by itself which option is meant (D)."""
    return bool(re.search(r"[A-E]|胃潰瘍|^a\. ", re.sub(r"\{\w+\}", "", template)))


def read(text: str, options: tuple[str, ...] = OPTIONS, wanted: int = 1) -> Prediction:
    final = final_text(text)
    return None if final is None else parse_letters(final, options, wanted)


def filled(key: str, wanted: int, places: Sequence[int] = range(5)) -> Iterator[tuple[str, str]]:
    for template in STYLES[key]:
        for first in (3,) if fixed(template) else places:
            text, one, two = told(template, OPTIONS, first)
            yield text, one if wanted == 1 else two


@pytest.mark.parametrize(("key", "wanted"), [("one", 1), ("two", 2)])
def test_answers_are_read(key: str, wanted: int) -> None:
    cases = list(filled(key, wanted))
    found = {text: "".join(read(text, wanted=wanted) or ()) for text, _ in cases}
    assert {text: found[text] for text, letters in cases if found[text] not in ("", letters)} == {}
    unread = [text for text, _ in cases if not found[text]]
    assert len(unread) <= len(cases) // 100, unread


@pytest.mark.parametrize(("key", "wanted"), [("none_of_one", 1), ("none_of_two", 2)])
def test_what_is_no_answer_is_unread(key: str, wanted: int) -> None:
    assert {text: read(text, wanted=wanted) for text, _ in filled(key, wanted) if read(text, wanted=wanted)} == {}


def test_english_options_are_read_by_letter_and_text() -> None:
    wrong, unread = [], []
    for template in STYLES["one"]:
        if fixed(template):
            continue
        text, letter, _ = told(template, ENGLISH, 3)
        found = read(text, ENGLISH)
        wrong += [text] if found not in (None, (letter,)) else []
        unread += [text] if found is None else []
    assert wrong == [] and len(unread) <= len(STYLES["one"]) // 20, unread


DENIALS: tuple[tuple[str, str], ...] = (
    ("正解", "不正解"),
    ("答え", "誤った答え"),
    ("回答：", "誤答："),
    ("正しい", "正しくない"),
    ("です。", "ではありません。"),
    ("です。", "かどうかは分かりません。"),
    ("が正", "が不正"),
    ("適切", "不適切"),
    ("を選び", "を除き"),
    ("The answer is", "The answer is not"),
    ("correct", "incorrect"),
    ("is correct", "is not correct"),
)
NOISE: tuple[Callable[[str], str], ...] = (
    lambda text: f"  {text}\n\n",
    lambda text: text.replace("。", "．"),
    lambda text: text.replace("、", "，"),
    lambda text: text + "\n\n（CRPとCTの結果による）",
    lambda text: "血液型はA型、HBs抗原は陰性、ビタミンBは正常。\n" + text,
    lambda text: text + "\n\nなお、B型肝炎ウイルスの検査も行う。",
    lambda text: "ご質問ありがとうございます。\n\n" + text,
    lambda text: text + "\n\n参考文献 [1]",
    lambda text: f"**{text}**" if "\n" not in text else text,
    lambda text: text + "<|im_end|>",
    lambda text: re.sub("[A-E]", lambda found: chr(ord(found[0]) + 0xFEE0), text) if "{" not in text else text,
    lambda text: text[: max(1, len(text) * 2 // 3)],
    lambda text: text + "\n" + text,
)


def test_no_mutation_of_wording_makes_a_right_reading_wrong() -> None:
    """Denied, cut, repeated, surrounded: the reading is the same one or none."""
    chance = random.Random(7)
    wrong = {}
    for text, letter in filled("one", 1, (0,)):
        for change in NOISE:
            changed = change(text)
            if read(changed) not in (None, (letter,)):
                wrong[changed] = read(changed)
        for old, new in DENIALS:
            changed = text.replace(old, new)
            if changed != text and read(changed) not in (None, (letter,)):
                wrong[changed] = read(changed)
        other = chance.choice([sign for sign in "ABCDE" if sign != letter])
        for changed in (f"{text}\n\n正解は{other}です。", f"答え：{other}\n\n{text}"):
            if "最終" not in text and "inal" not in text and read(changed) not in (None, (letter,), (other,)):
                wrong[changed] = read(changed)
    assert wrong == {}


def test_a_plain_denial_of_the_answer_is_never_the_answer() -> None:
    for letter, text in zip("ABCDE", OPTIONS, strict=True):
        for name in (letter, text, f"{letter}. {text}", f"選択肢{letter}", f"「{letter}」", f"**{letter}**"):
            for frame in (
                "不正解は{}です。",
                "{}は誤りです。",
                "{}ではありません。",
                "{}以外です。",
                "誤答：{}",
                "{}が正しくない。",
            ):
                assert read(frame.format(name)) is None, frame.format(name)


def test_questions_for_what_is_wrong_turn_the_words_around() -> None:
    asks = "誤っているのはどれか。"
    assert parse_letters("誤っているのはCです。", OPTIONS, 1, asks) == ("C",)
    assert parse_letters("正解はCです。Cは誤りである。", OPTIONS, 1, asks) == ("C",)
    assert parse_letters("Aは正しい。Bは正しい。Cは誤り。", OPTIONS, 1, asks) is None
    assert parse_letters("答えはCではない。", OPTIONS, 1, asks) is None


def test_any_number_of_answers_where_the_question_does_not_say() -> None:
    assert read("正解はA、C、Eです。", wanted=0) == ("A", "C", "E")
    assert read("B", wanted=0) == ("B",)
    assert read("Aは正しい。\nBは誤り。\nCは正しい。", wanted=0) == ("A", "C")
    assert read("AまたはC", wanted=0) is None


def test_options_that_are_numbers_are_no_labels() -> None:
    options = ("2回", "3回", "4回", "5回")
    assert read("3回", options) == ("B",) and read("答え：4回", options) == ("C",)
    assert read("答えは4です", ("2", "3", "4", "5")) == ("C",)


def test_fifteen_options() -> None:
    options = tuple(f"項目{place}番" for place in range(1, 16))
    for place, letter in enumerate("ABCDEFGHIJKLMNO"):
        for text in (letter, f"答え：{letter}", f"正解は{letter}です。", f"({place + 1})", f"選択肢{place + 1}"):
            assert read(text, options) == (letter,), text


@pytest.mark.parametrize("document", [STYLES["document"], ""])
def test_lists_are_read(document: str) -> None:
    wanted = tuple(STYLES["found"])
    for text in STYLES["lists"]:
        found = parse_entities(final_text(text) or "", document)
        assert found == wanted or (not document and found is None), (text, found)
    for text in STYLES["empty_lists"]:
        assert parse_entities(text, document) == (), text
    for text in STYLES["unread_lists"]:
        assert parse_entities(text, document) is None, text


def test_a_listed_string_is_never_changed() -> None:
    """Widths and spaces inside an item stay: it is compared with the document letter by letter."""
    for item in (
        "３８．５℃の発熱",
        "ＣＲＰ上昇",
        "WBC 12,000",
        "咳・痰",
        "発熱（38℃）",
        "右 下腹部痛",
        "「ピリピリ」した痛み",
    ):
        for text in (json.dumps([item], ensure_ascii=False), repr([item]), f"- {item}", f"回答：{[item]}"):
            assert parse_entities(text, f"患者は{item}を訴えた。") == (item,), text


def test_numbers_are_read() -> None:
    for template in STYLES["numbers"]:
        for number in ("121", "0.45", "1,200"):
            text = template.format(n=number)
            assert parse_number(final_text(text) or "") == (re.sub(r"\D", "", number),), text
    for text in STYLES["no_numbers"]:
        assert parse_number(text) is None, text


def test_shared_cases(request: pytest.FixtureRequest) -> None:
    """Cases that lie beside the data, where they are there: at least 97 % as expected, none wrong."""
    path = Path(str(request.getfixturevalue("real_data"))).parent / "cases" / "answers.jsonl"
    if not path.is_file():
        pytest.skip(f"no cases at {path}")
    right = total = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        final, expected = final_text(row["text"]) or "", row["expected"]
        found: Prediction
        if row["kind"] == "choice":
            found = parse_letters(final, row["choices"], row["wanted"])
        else:
            found = parse_entities(final) if row["kind"] == "entities" else parse_number(final)
        said = "None" if found is None else ("" if row["kind"] == "choice" else "|").join(found)
        fits = said == expected or (expected.endswith("?") and said in ("", expected[:-1]))
        assert fits or said == "None", (row["text"], said)
        right, total = right + fits, total + 1
    assert right >= 0.97 * total

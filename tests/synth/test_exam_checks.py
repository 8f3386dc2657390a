from dataclasses import replace
from pathlib import Path

import pytest

from igakulm.recipe.schema import BenchmarksSection, Igakuqa
from igakulm.synth.exam_checks import REASONS, asks, check_item, without_values
from igakulm.synth.exams import ExamItem
from igakulm.tasks.load import load_test_items

TERM = "気管支喘息"
ITEM = ExamItem(
    "24歳の女性。夜間と明け方に咳と喘鳴を繰り返すため来院した。気管支喘息を疑うとき、まず行う検査はどれか。",
    ("呼吸機能検査", "脳波検査", "上部消化管内視鏡検査", "骨密度測定", "聴力検査"),
    ("A",),
    "気道の狭窄が変動することを確かめるために呼吸機能検査を行う。ほかの検査では気流の制限を評価できない。",
)


def test_a_good_item_is_kept() -> None:
    assert check_item(ITEM, TERM) is None


def test_two_right_options_are_kept_when_two_are_asked_for() -> None:
    for wording in ("どれか。2つ選べ。", "どれか。２つ選べ。", "どれか。二つ選べ。", "どれか。すべて選べ。"):
        item = replace(ITEM, question=ITEM.question.replace("どれか。", wording), answer=("A", "C"))
        assert check_item(item, TERM) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": ITEM.question + "\ufffd"}, "broken_characters"),
        ({"options": ("選択肢", "選択肢", "選択肢", "選択肢", "選択肢")}, "prompt_echo"),
        ({"options": ("選択肢1", "選択肢2", "選択肢3", "選択肢4", "選択肢5")}, "prompt_echo"),
        ({"question": "問題文"}, "prompt_echo"),
        ({"explanation": "解説"}, "prompt_echo"),
        ({"options": ITEM.options[:4]}, "options_count"),
        ({"answer": ("F",)}, "answer_not_among_options"),
        ({"explanation": "ご依頼に沿って解説します。" + ITEM.explanation}, "chatter"),
        ({"question": "Which test is done first in bronchial asthma of a woman?"}, "not_japanese"),
        ({"question": "気管支喘息は。"}, "too_short"),
        ({"explanation": "呼吸機能検査である。"}, "too_short"),
        ({"explanation": "呼吸機能検査を行う。" * 12}, "repetition"),
        ({"explanation": ITEM.explanation[:-6]}, "cut_off"),
        ({"options": ("呼吸機能検査", "脳波検査", "脳波　検査。", "骨密度測定", "聴力検査")}, "duplicate_options"),
        (
            {
                "options": (
                    "気管支拡張薬の吸入前後で一秒量がどれほど変わるかを呼吸機能検査で調べる",
                    *ITEM.options[1:],
                )
            },
            "option_lengths",
        ),
        ({"answer": ("A", "B")}, "answer_count"),
        ({"question": ITEM.question.replace("どれか。", "どれか。2つ選べ。")}, "answer_count"),
        ({"explanation": ITEM.explanation + "したがって正解はｃである。"}, "answer_contradiction"),
        ({"explanation": "正解：B。" + ITEM.explanation}, "answer_contradiction"),
        (
            {"question": "気管支喘息を疑い、呼吸機能検査を予定した。まず行う検査はどれか。"},
            "answer_given_away",
        ),
        ({"question": ITEM.question.replace(TERM, "この病気")}, "term_missing"),
        ({"question": "気管支喘息では夜間と明け方に咳と喘鳴を繰り返す。"}, "no_question"),
    ],
)
def test_each_defect_has_its_reason(changes: dict[str, object], reason: str) -> None:
    assert reason in REASONS
    assert check_item(replace(ITEM, **changes), TERM) == reason  # type: ignore[arg-type]


def test_the_server_says_that_it_was_cut_off() -> None:
    assert check_item(ITEM, TERM, "length") == "cut_off"


@pytest.mark.parametrize(
    "explanation",
    [
        ITEM.explanation + "したがって正解はaである。",
        ITEM.explanation + "正解は5日以内の受診を勧めることではない。",
        ITEM.explanation + "答えは B型肝炎ではない。",
    ],
)
def test_a_right_or_unclear_word_on_the_key_is_no_contradiction(explanation: str) -> None:
    assert check_item(replace(ITEM, explanation=explanation), TERM) is None


def test_options_that_are_numbers_or_signs_are_different_options() -> None:
    question = "気管支喘息の患者の血液ガス分析で、警戒すべき値の範囲はどれか。"
    for options in (("1", "2", "3", "4", "5"), (">5", "<5", "=5", "±5", "≧5")):
        assert check_item(replace(ITEM, question=question, options=options), TERM) is None


def test_short_options_may_differ_by_much_in_proportion() -> None:
    options = ("安静", "酸素", "短時間作用性吸入薬", "輸血", "手術")
    assert check_item(replace(ITEM, options=options, answer=("C",)), TERM) is None


def test_naming_all_options_in_the_question_gives_nothing_away() -> None:
    question = "気管支喘息と慢性閉塞性肺疾患のうち、可逆性の気流制限を特徴とするのはどれか。"
    options = ("気管支喘息", "慢性閉塞性肺疾患", "肺線維症", "肺結核", "胸膜炎")
    assert check_item(replace(ITEM, question=question, options=options), TERM) is None


@pytest.mark.parametrize(
    "question",
    [
        "正しいものを２つ選べ。",
        "気管支喘息で低下する検査値は何か",
        "この患者への説明として適切な文を選びなさい。",
        "空洞を作る疾患はどれか。ただし、薬剤によるものは除くものとし、患者の年齢や性別、生活の様子は問わないこととする。",
        "酸素分圧を求めよ。ただし、大気圧は760Torrとする。",
    ],
)
def test_questions_and_requests_ask(question: str) -> None:
    assert asks(question)


def test_statements_do_not_ask() -> None:
    for text in ("気管支喘息は気道の病気である。", "何も食べていない。" + "咳が続いている。" * 12, ""):
        assert not asks(text)


def test_measured_values_do_not_make_a_case_foreign() -> None:
    values = "血液所見：赤血球425万、Hb 12.1g/dL、Ht 38％、白血球9,800、血小板21万。" * 2
    gases = "動脈血ガス分析（room air）：pH 7.38、PaCO₂ 36Torr、PaO₂ 68Torr、HCO₃⁻ 24mEq/L。Na 140mEq/L、K 4.1mEq/L。"
    question = f"58歳の女性。気管支喘息で通院中である。{values}{gases}まず行う治療はどれか。"
    assert check_item(replace(ITEM, question=question), TERM) is None
    english = "A 58-year-old woman. Temperature 37.0°C. Which treatment is given first? 気管支喘息"
    assert check_item(replace(ITEM, question=english), TERM) == "not_japanese"


def test_brackets_that_never_close_take_no_time() -> None:
    assert without_values("（" * 20000 + "咳" * 20000).endswith("咳")


def test_the_published_questions_pass(real_data: Path) -> None:
    config = BenchmarksSection(igakuqa=Igakuqa(path=str(real_data / "igakuqa" / "data"), years=(2018, 2021)))
    reason = "この選択肢が当てはまる理由は、教科書に述べられているとおりである。"
    found = [
        check_item(ExamItem(item.question, item.choices, item.answer, reason), item.question[:4])
        for item in load_test_items(config)["igakuqa"]
        if len(item.choices) == 5 and not item.question.isascii()
    ]
    assert len(found) > 300 and found.count(None) >= 0.97 * len(found)


def test_the_published_questions_ask(real_data: Path) -> None:
    config = BenchmarksSection(igakuqa=Igakuqa(path=str(real_data / "igakuqa" / "data")))
    questions = [item.question for item in load_test_items(config)["igakuqa"]]
    assert sum(map(asks, questions)) >= 0.99 * len(questions)

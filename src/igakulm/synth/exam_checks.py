"""Is a parsed item a usable examination question about its term? One reason code for each way in which it is not.

Does: look at one item's form; the first defect counts. Does not: judge medical truth (verify.py asks a second model),
or compare items (set_checks.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from statistics import median

from igakulm.synth.check import holds_term, is_broken, is_chatter, is_cut_off, is_japanese, is_repetitive
from igakulm.synth.exam_examples import repeats_example
from igakulm.synth.exam_item import OPTIONS, ExamItem, render_exam
from igakulm.tasks.items import LETTERS, normalised_document

MIN_QUESTION = 10
MIN_EXPLANATION = 20
MAX_LENGTH_RATIO = 4.0
MIN_LENGTH_GAP = 25
MIN_GIVEN_AWAY = 4

REASONS = (
    "broken_characters",
    "prompt_echo",
    "options_count",
    "answer_not_among_options",
    "chatter",
    "not_japanese",
    "too_short",
    "repetition",
    "cut_off",
    "no_question",
    "duplicate_options",
    "option_lengths",
    "answer_count",
    "answer_contradiction",
    "answer_given_away",
    "term_missing",
)

_WANTED = re.compile(r"([1-5一二三四五])\s*(つ|個|項目|肢)\s*(を|だけ)?\s*(選|挙げ|答え)")
_ANY_NUMBER = re.compile(r"(すべて|全て|いくつでも)(を|の)?\s*(選|挙げ|答え)")
_KANJI_DIGITS = dict(zip("一二三四五", "12345", strict=True))
_TOLD = re.compile(
    r"(?:正解|正答|答え|解答)(?:の選択肢)?\s*(?:は|：|:)\s*[「『（(]?\s*(?:選択肢)?\s*"
    r"([A-Ea-e1-5])(?=番|である|です|であり|で、|[。、,.」』）)\s]|\Z)(?!\.[0-9])"
)
_TEMPLATE = re.compile(r"\A((選択肢|問題文|解説)\s*[0-9a-eA-E]?|[a-eA-E])\Z|\.{3}|……")
"""Names of the parts, given back instead of the parts."""
_VALUE = re.compile(
    r"(?:[A-Za-zα-ω][A-Za-zα-ω0-9.+\-]{0,9}\s?)?[<>≦≧≤≥±~]?\s?[0-9][0-9.,~]*\s?(?:[A-Za-zμ%°/^$*{}·×0-9.\-]+)?"
)
_GLOSS = re.compile(r"[〈<(\[{][^〈〉<>()\[\]{}ぁ-ん]*[〉>)\]}]")
_ASKS = re.compile(
    r"(どれ|どの|どう|どこ|どちら|いつ|いくつ|いくら|何|なに|なぜ|誰|だれ|か[。．?]?$|\?$|選べ|選び|選択せよ|選ぶ|挙げ|答え|求め)"
)
ASKING_END = 80
"""A question asks among so many of its last characters."""


def check_item(item: ExamItem, term: str, finish_reason: str = "stop") -> str | None:
    """The first defect of an item as a code of `REASONS`, or None when it may be kept.

    >>> options = ("甲", "乙", "丙", "丁", "甲。")
    >>> item = ExamItem("糖尿病の診断に用いる検査はどれか。", options, ("A",), "甲は血糖の平均を表すため診断に用いる。")
    >>> check_item(item, "糖尿病")
    'too_short'
    """
    said = (item.question, item.explanation)
    checks: dict[str, Callable[[], bool]] = {
        "broken_characters": lambda: is_broken(render_exam(item)),
        "prompt_echo": lambda: any(map(_TEMPLATE.search, (*said, *item.options))) or repeats_example(item),
        "options_count": lambda: len(item.options) != OPTIONS,
        "answer_not_among_options": lambda: not set(item.answer) <= set(LETTERS[: len(item.options)]),
        "chatter": lambda: any(map(is_chatter, said)),
        "not_japanese": lambda: not all(is_japanese(without_values(text)) for text in said if text),
        "too_short": lambda: any(map(_is_short, said, (MIN_QUESTION, MIN_EXPLANATION))),
        "repetition": lambda: any(is_repetitive(text, term) for text in said),
        "cut_off": lambda: is_cut_off(item.explanation, finish_reason),
        "no_question": lambda: not asks(item.question),
        "duplicate_options": lambda: len(set(map(_bare, item.options))) < len(item.options),
        "option_lengths": lambda: has_odd_length(item),
        "answer_count": lambda: not has_right_count(item),
        "answer_contradiction": lambda: contradicts_itself(item),
        "answer_given_away": lambda: is_given_away(item),
        "term_missing": lambda: not holds_term(render_exam(item), term),
    }
    return next((reason for reason in REASONS if checks[reason]()), None)


def without_values(text: str) -> str:
    """The text without measured values, their units and glosses in Latin letters, which fill the questions on cases.

    >>> without_values("血液所見：Hb 9.8g/dL、Na 140mEq/L。標準予防策〈standard precautions〉を行う。")
    '血液所見:、。標準予防策を行う。'
    """
    return _VALUE.sub("", _GLOSS.sub("", unicodedata.normalize("NFKC", text)))


def asks(question: str) -> bool:
    """Whether a text ends in a question or a request to choose.

    >>> asks("喘息について正しいのはどれか。"), asks("正しいものを２つ選べ。"), asks("喘息は気道の病気である。")
    (True, True, False)
    """
    return _ASKS.search(unicodedata.normalize("NFKC", question).strip()[-ASKING_END:]) is not None


def has_odd_length(item: ExamItem) -> bool:
    """True when an option is so much longer than the others that its length tells something.

    >>> options = ("安静を保つ。", "水分を取る。", "入浴する。", "運動する。")
    >>> has_odd_length(ExamItem("問", (*options, "薬を飲む。"), ("A",), ""))
    False
    >>> long = "発熱が続いて水分が取れないときは、早めに医療機関を受診して点滴を受ける。"
    >>> has_odd_length(ExamItem("問", (*options, long), ("A",), ""))
    True
    """
    lengths = sorted(map(len, item.options))
    typical = median(lengths[:-1])
    return lengths[-1] > MAX_LENGTH_RATIO * typical and lengths[-1] - lengths[-2] >= MIN_LENGTH_GAP


def has_right_count(item: ExamItem) -> bool:
    """Whether the answer has as many options as the question asks for; a question that names no number asks for one.

    >>> has_right_count(ExamItem("正しいのはどれか。２つ選べ。", ("甲", "乙", "丙"), ("A", "C"), ""))
    True
    >>> has_right_count(ExamItem("正しいのはどれか。", ("甲", "乙", "丙"), ("A", "C"), ""))
    False
    """
    wanted = answers_asked(item.question)
    return len(item.answer) >= 1 if wanted is None else len(item.answer) == wanted


def answers_asked(question: str) -> int | None:
    """How many options a question asks for: the number that it names, else one; None for as many as are right.

    >>> answers_asked("正しいのはどれか。二つ選べ。"), answers_asked("どれか。"), answers_asked("すべて選べ。")
    (2, 1, None)
    """
    text = unicodedata.normalize("NFKC", question)
    if _ANY_NUMBER.search(text):
        return None
    asked = _WANTED.search(text)
    return int(_KANJI_DIGITS.get(asked[1], asked[1])) if asked else 1


def contradicts_itself(item: ExamItem) -> bool:
    """True when the explanation says that the right option is another one than the answer has.

    >>> contradicts_itself(ExamItem("問", ("甲", "乙"), ("A",), "したがって、正解は b である。"))
    True
    """
    told = {_letter(found) for found in _TOLD.findall(unicodedata.normalize("NFKC", item.explanation))}
    return bool(told) and not told <= set(item.answer)


def _letter(name: str) -> str:
    return LETTERS[int(name) - 1] if name.isdigit() else name.upper()


def is_given_away(item: ExamItem) -> bool:
    """True when the question holds all right options word for word and no wrong one.

    >>> is_given_away(ExamItem("鉄欠乏性貧血の原因はどれか。", ("鉄欠乏性貧血", "感染"), ("A",), ""))
    True
    """
    question = normalised_document(item.question)
    right: list[bool] = []
    wrong: list[bool] = []
    for letter, option in zip(LETTERS, item.options, strict=False):
        text = normalised_document(option)
        (right if letter in item.answer else wrong).append(len(text) >= MIN_GIVEN_AWAY and text in question)
    return all(right) and not any(wrong)


def _is_short(text: str, least: int) -> bool:
    return len(text) < least


def _bare(text: str) -> str:
    # Signs stay, since > 5 and < 5 are two options; a text of signs alone stays as it is.
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s。．.、,，・]", "", folded) or folded

"""A synthetic examination question with five options: what it holds, and the forms in which it is written.

Does: hold an item, put its options in another order, write it as a text for pretraining and as a row for tuning.
Does not: word prompts (exams.py), read a model's answer (exam_parsing.py), or judge an item (exam_checks.py).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from igakulm.files import sha256_json
from igakulm.synth.prompts import draw
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.training_rows import chat_row

OPTIONS = 5
TASK = "synthetic-exams"

_LABEL = "[A-Ea-e1-5]"
_REFERS = re.compile(
    rf"(選択肢|肢|正解|正答|解答|答え)(は|の|:|として)?[\s「『(]*{_LABEL}(?![A-Za-z0-9.%型])"
    rf"|^\s*\(?{_LABEL}\s*[.:)]|\({_LABEL}\)|(?<![A-Za-z0-9])[a-e](?=[はがをとも、])"
    rf"|[1-5]番目|[1-5]つ目の選択肢|(?<![A-Za-z0-9])[A-Ea-e]の選択肢",
    re.MULTILINE,
)
_ORDERED_OPTION = re.compile(
    r"(上記|以上|前記)(の|は)?(すべて|全て|いずれ|どれ|ものは)|(いずれ|どれ)(も|でも)(正し|誤|該当し|ない)"
    rf"|^(すべて|全て)(正しい|誤り)|^{_LABEL}\s*(と|および|及び|、|,)\s*{_LABEL}"
)


@dataclass(frozen=True, slots=True)
class ExamItem:
    """`options` without their letters; `answer` holds sorted capital letters (A = first option).

    `written` holds the letters of the right options before they were put in another order; empty if they were not.
    """

    question: str
    options: tuple[str, ...]
    answer: tuple[str, ...]
    explanation: str
    written: tuple[str, ...] = ()


def has_fixed_order(item: ExamItem) -> bool:
    """Whether the explanation or an option speaks of options by letter, number or place, so that they must stay.

    >>> has_fixed_order(ExamItem("問", ("甲", "乙"), ("A",), "選択肢bは誤りである。"))
    True
    >>> has_fixed_order(ExamItem("問", ("甲", "乙"), ("A",), "ビタミンB1が不足する。"))
    False
    """
    texts = [unicodedata.normalize("NFKC", text) for text in (item.question, item.explanation)]
    options = [unicodedata.normalize("NFKC", option) for option in item.options]
    return any(map(_REFERS.search, texts)) or any(map(_ORDERED_OPTION.search, options))


def shuffle_options(item: ExamItem, seed: int) -> ExamItem:
    """The item with its options in an order that follows from the seed and the question, the answer moved along.

    Models put the right option where they like it best. An item with a fixed order stays as it is.

    >>> shuffle_options(ExamItem("問", ("甲", "乙", "丙"), ("A",), "甲は正しい。"), 0).options
    ('丙', '乙', '甲')
    """
    if has_fixed_order(item):
        return item
    places = sorted(range(len(item.options)), key=lambda place: draw(seed, "option", item.question, str(place)))
    moved = {LETTERS[old]: LETTERS[new] for new, old in enumerate(places)}
    options = tuple(item.options[place] for place in places)
    answer = tuple(sorted(moved[letter] for letter in item.answer))
    return replace(item, options=options, answer=answer, written=item.written or item.answer)


def lettered(item: ExamItem) -> str:
    """The question and its options, as the learner sees them.

    >>> print(lettered(ExamItem("正しいのはどれか。", ("甲", "乙"), ("A",), "")))
    正しいのはどれか。
    a. 甲
    b. 乙
    """
    rows = [f"{letter}. {option}" for letter, option in zip(LETTERS.lower(), item.options, strict=False)]
    return "\n".join([item.question, *rows])


def render_exam(item: ExamItem) -> str:
    """The item as a text for pretraining: question, options, answer, explanation.

    >>> print(render_exam(ExamItem("正しいのはどれか。", ("甲", "乙"), ("B",), "乙は正しい。")))
    問題：正しいのはどれか。
    a. 甲
    b. 乙
    正解：b
    解説：乙は正しい。
    """
    answer = "、".join(letter.lower() for letter in item.answer)
    return f"問題：{lettered(item)}\n正解：{answer}\n解説：{item.explanation}"


def exam_row(item: ExamItem) -> dict[str, object]:
    """The item as a row that can be tuned on (`messages`) and read as an examination (`question, choices, answer`).

    Beside them: `id` (of the content), `task`, `document_sha256`, `explanation`, and `answer_written`, the letters that
    the right options had as the writer put them.
    """
    identifier = f"synth-{sha256_json([item.question, item.options])[:16]}"
    asked = Item(
        identifier, TASK, "choice", item.question, item.options, item.answer, item.question, wanted=len(item.answer)
    )
    return {
        **chat_row(asked),
        "question": item.question,
        "choices": list(item.options),
        "answer": list(item.answer),
        "answer_written": list(item.written or item.answer),
        "explanation": item.explanation,
    }

"""A second model answers an item without seeing the key; where it disagrees, one of the two is wrong.

Does: word the question, read the answer, compare. Does not: ask anybody, or decide which of the two is right: the
agreement rate says how far a set can be trusted, no more (two models of one family make the same mistakes).
"""

from __future__ import annotations

import json
import re

from igakulm.synth.check import tidy_answer
from igakulm.synth.exam_checks import answers_asked
from igakulm.synth.exam_item import OPTIONS, ExamItem, lettered
from igakulm.synth.exam_parsing import parse_letters
from igakulm.synth.prompts import Prompt, conversation, draw
from igakulm.tasks.items import LETTERS

SYSTEM = "あなたは日本の医師国家試験と薬剤師国家試験に詳しい専門家です。問題を注意深く読み、正しく答えます。"

ASKS = (
    "次の問題に答えてください。",
    "次の試験問題を解いてください。",
    "次の問題について、当てはまる選択肢を選んでください。",
)
RULES = (
    "\n\nまず考え方を短く述べ、次に正解の記号を示します。"
    "reason（考え方）と answer（正解の記号の配列）をこの順にキーとする一つのJSONだけを書いてください。\n"
    "answer には正解の記号（aからe）を、問題が求める数だけ入れます。"
)

_ANSWER_LINE = re.compile(r"(?:正解|正答|解答|答え|答|answer)\s*(?:は|：|:)?\s*([^\n。]{1,40})", re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]*\}", re.DOTALL)


def verify_prompt(item: ExamItem, seed: int) -> Prompt:
    """The question as a learner sees it: no key, no explanation, and no hint at how many options are right but its own.

    >>> item = ExamItem("どれか。", ("甲", "乙", "丙", "丁", "戊"), ("B",), "乙が正しい理由。")
    >>> "理由。" in verify_prompt(item, 0).messages[1]["content"]
    False
    """
    ask = ASKS[draw(seed, "verify", item.question) % len(ASKS)]
    return Prompt(
        "verify",
        conversation(SYSTEM, f"{ask}\n\n{lettered(item)}{RULES}"),
        verdict_schema(answers_asked(item.question)),
    )


def verdict_schema(wanted: int | None) -> dict[str, object]:
    """JSON schema of the answer: a reason, then as many letters as the question's own words ask for (None: 1 to 5).

    Without it a weak model names all five options.
    """
    letters = {"type": "array", "items": {"type": "string", "enum": list(LETTERS[:OPTIONS].lower())}}
    bounds = {"minItems": wanted or 1, "maxItems": wanted or OPTIONS}
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "answer": {**letters, **bounds}},
        "required": ["reason", "answer"],
        "additionalProperties": False,
    }


def parse_verdict(answer_text: str) -> tuple[str, ...] | None:
    """Sorted capital letters that the model chose, or None where its answer names none clearly.

    >>> parse_verdict('{"reason": "乙である。", "answer": ["ｂ"]}'), parse_verdict("正解：ａとｄ")
    (('B',), ('A', 'D'))
    >>> parse_verdict("難しい。") is None
    True
    """
    text = tidy_answer(answer_text)
    for found in reversed(_OBJECT.findall(text)):
        try:
            value = json.loads(found, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "answer" in value:
            return _known(parse_letters(value["answer"]))
    lines = _ANSWER_LINE.findall(text)
    return _known(parse_letters(lines[-1] if lines else text))


def _known(letters: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return letters if letters is not None and set(letters) <= set(LETTERS[:OPTIONS]) else None


def agrees(item: ExamItem, letters: tuple[str, ...] | None) -> bool:
    """Whether exactly the options of the key were chosen.

    >>> agrees(ExamItem("問", ("甲", "乙"), ("A",), ""), ("A", "B"))
    False
    """
    return letters is not None and set(letters) == set(item.answer)

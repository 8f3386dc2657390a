"""Prompts: the short chat format that our models are tuned on, and a plain form for models without chat tokens.

Does: render an item as text. Does not: tokenise, add chat tokens (tokenizer/chat.py), parse answers, or lay out prompts
as the published leaderboards do (wording.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from igakulm.tasks.items import LETTERS, Item

BASE_SUFFIX = "\n答え："


def chat_prompt(item: Item) -> str:
    """The user message: the question, then one line for each option.

    When every option carries an example after its first line (JCSTS), only the first lines are kept: the examples
    are the same in all items, and leaving them out saves four fifths of the tokens. The text is as its authors wrote
    it: whoever asks a model prepares the whole message for it (text/prepared.py).

    >>> print(chat_prompt(Item("1", "t", "choice", "咳の薬はどれか。", ("甲", "乙"), ("A",))))
    咳の薬はどれか。
    A. 甲
    B. 乙
    """
    return "\n".join([item.question, *_lettered(short_choices(item.choices))])


def chat_answer(item: Item) -> str:
    """The assistant text: letters ("A" or "A,C"), a JSON list of the entities, or the digits of a number.

    >>> chat_answer(Item("1", "t", "entities", "「咳、発熱」", (), ("発熱", "咳"), "咳、発熱"))
    '["咳", "発熱"]'
    >>> chat_answer(Item("1", "t", "choice", "q", ("a", "b", "c"), ("A", "C"), wanted=2))
    'A,C'
    """
    if item.kind == "entities":
        return listed(in_text_order(item.answer, item.document or item.question))
    return ",".join(item.answer)


def in_text_order(strings: Iterable[str], text: str) -> list[str]:
    """Strings of a text in the order in which they first stand in it, the longer one first where two begin together.

    Published rows have them as a set's, in no order: a model would have to learn which of n! orders is meant. In the
    text's own order the next item is always further on.

    >>> in_text_order(["咳", "肺炎", "細菌性肺炎", "熱"], "細菌性肺炎で咳")
    ['細菌性肺炎', '肺炎', '咳', '熱']
    """

    def place(string: str) -> tuple[int, int]:
        found = text.find(string)
        return (found if found >= 0 else len(text), -len(string))

    return sorted(strings, key=place)


def listed(strings: Iterable[str]) -> str:
    """A list of strings as a model answers it.

    >>> listed(["発熱", "咳"])
    '["発熱", "咳"]'
    """
    return json.dumps(list(strings), ensure_ascii=False)


def base_prompt(item: Item) -> str:
    """The prompt of a model without chat tokens: the same text, then the word "answer:" that it is to continue."""
    return chat_prompt(item) + BASE_SUFFIX


def short_choices(choices: tuple[str, ...]) -> tuple[str, ...]:
    """The first lines of the options when all of them have more than one, else the options as they are."""
    if choices and all("\n" in choice for choice in choices):
        return tuple(choice.split("\n", 1)[0] for choice in choices)
    return choices


def prompt_sha256(prompts: Iterable[str]) -> str:
    """Hex SHA-256 over all prompts in order, each with its length in bytes before it.

    >>> prompt_sha256(["ab", "c"]) == prompt_sha256(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for prompt in prompts:
        data = prompt.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def _lettered(choices: tuple[str, ...]) -> list[str]:
    return [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]

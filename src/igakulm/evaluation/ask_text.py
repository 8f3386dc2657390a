"""Asking a model that takes text: an endpoint, or a GGUF file that brings its own tokenizer.

Does: turn items into requests, answers into texts or option values. Does not: talk HTTP, or read answers.
The prompt is never cut here: how many tokens it has only the other side knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from igakulm.answering.options import set_sums
from igakulm.evaluation.manner import OPTIONS, Manner, Raw
from igakulm.inference.engine import TextModel, TextRequest
from igakulm.tasks.items import Item


def choose_by_text(
    model: TextModel, items: Sequence[Item], manner: Manner, chat: bool, done: Callable[[int], None]
) -> list[Raw]:
    """The log-probabilities of the option letters as the answer's first token, of several their sums; a letter that is
    not listed has none.
    """
    letters = [tuple(manner.letters(item)) for item in items]
    requests = [_request(item, manner, chat, wanted) for item, wanted in zip(items, letters, strict=True)]
    answers = model.answer(requests, done=done)
    found = []
    for item, request, wanted, answer in zip(items, requests, letters, answers, strict=True):
        values = set_sums([answer.letters.get(letter) for letter in wanted], item.wanted)
        found.append(Raw(_shown(request), False, options={OPTIONS: values}, failure=answer.failure))
    return found


def write_by_text(
    model: TextModel, items: Sequence[Item], manner: Manner, chat: bool, done: Callable[[int], None]
) -> list[Raw]:
    """Free answers."""
    requests = [_request(item, manner, chat, ()) for item in items]
    answers = model.answer(requests, done=done)
    return [
        Raw(_shown(request), False, answer.text, failure=answer.failure, cut=answer.cut)
        for request, answer in zip(requests, answers, strict=True)
    ]


def _request(item: Item, manner: Manner, chat: bool, letters: tuple[str, ...]) -> TextRequest:
    most = 1 if letters else manner.max_new_tokens
    if chat:
        return TextRequest(messages=tuple(manner.messages(item)), max_tokens=most, letters=letters)
    return TextRequest(prompt=manner.text(item), max_tokens=most, letters=letters, stop=("\n",))


def _shown(request: TextRequest) -> str:
    return "\n\n".join(message["content"] for message in request.messages) if request.messages else request.prompt

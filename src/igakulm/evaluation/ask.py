"""Asking a model the items of one task: prompts in token ids, options scored or text generated, answers parsed.

Does: fit prompts into the context, call the engine, read its answers. Does not: load engines, score, or write files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from igakulm.benchmarks.items import LETTERS, Item
from igakulm.benchmarks.prompts import base_prompt, chat_answer, chat_prompt
from igakulm.evaluation.answers import Prediction, parse_answer, upstream_letter, upstream_list
from igakulm.inference.engine import Engine
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import TextEncoder

OPTIONS, GENERATE = "options-letter", "generate"


@dataclass(frozen=True, slots=True)
class Asker:
    """One model and how it is asked.

    `chat`: with chat tokens; False = a base model, which gets plain text that ends in "答え：".
    `answer` is "options" (choices by the log-probability of their letter) or "generate".
    """

    engine: Engine
    encoder: TextEncoder
    chat: bool
    answer: str
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One item's prompt as sent, the answer's text, how it was read, and the published scorer's reading."""

    prompt: str
    truncated: bool
    text: str
    mode: str
    parsed: Prediction
    upstream: Prediction


def ask(asker: Asker, items: Sequence[Item], done: Callable[[int], None]) -> list[Reply]:
    """Replies in the order of the items; `done(n)` is called as items finish."""
    prompts = [fit_prompt(asker, item) for item in items]
    scored = [place for place, item in enumerate(items) if item.kind == "choice" and asker.answer == "options"]
    written = [place for place in range(len(items)) if place not in set(scored)]
    texts = dict(zip(scored, _choose(asker, [(items[p], prompts[p].ids) for p in scored], done), strict=True))
    texts.update(zip(written, _write(asker, [prompts[p].ids for p in written], done), strict=True))
    replies = []
    for place, (item, prompt) in enumerate(zip(items, prompts, strict=True)):
        text, mode = texts[place], OPTIONS if place in set(scored) else GENERATE
        parsed = tuple(text.split(",")) if mode == OPTIONS else parse_answer(item, text)
        upstream = upstream_list(text) if item.kind == "entities" else upstream_letter(text)
        replies.append(Reply(prompt.text, prompt.truncated, text, mode, parsed, upstream))
    return replies


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that fits: its text, its ids, and whether the document was cut."""

    text: str
    ids: list[int]
    truncated: bool


def fit_prompt(asker: Asker, item: Item) -> Prompt:
    """The prompt of an item within the engine's context, room for the answer kept.

    A prompt that is too long loses characters from the front of its document (of its question, where the document does
    not stand in it), as few as needed. If even that is not enough, token ids are dropped from the front.
    """
    answer = 1 if item.kind == "choice" and asker.answer == "options" else asker.max_new_tokens
    room = max(1, asker.engine.context_length - answer)
    text, ids = _render(asker, item)
    if len(ids) <= room:
        return Prompt(text, ids, truncated=False)
    start = item.question.find(item.document) if item.document else -1
    document = item.document if start >= 0 else item.question
    start = max(start, 0)

    def without(characters: int) -> Item:
        return replace(item, question=item.question[:start] + item.question[start + characters :])

    low, high = 1, len(document)
    while low < high:
        middle = (low + high) // 2
        fits = len(_render(asker, without(middle))[1]) <= room
        low, high = (low, middle) if fits else (middle + 1, high)
    text, ids = _render(asker, without(low))
    return Prompt(text, ids[-room:], truncated=True)


def _render(asker: Asker, item: Item) -> tuple[str, list[int]]:
    if not asker.chat:
        text = base_prompt(item)
        return text, [asker.encoder.bos, *asker.encoder.encode(text)]
    text = chat_prompt(item)
    return text, render_chat(asker.encoder, [{"role": "user", "content": text}], add_generation_prompt=True)[0]


def _choose(asker: Asker, asked: Sequence[tuple[Item, list[int]]], done: Callable[[int], None]) -> list[str]:
    """The k most probable letters of each item, k = how many answers the question wants; ties go to earlier letters."""
    if not asked:
        return []
    letters = {
        letter: asker.encoder.encode(letter) for letter in LETTERS[: max(len(item.choices) for item, _ in asked)]
    }
    options = [[letters[letter] for letter in LETTERS[: len(item.choices)]] for item, _ in asked]
    scores = asker.engine.score([ids for _, ids in asked], options, done=done)
    texts = []
    for (item, _), continuations in zip(asked, scores, strict=True):
        order = sorted(range(len(continuations)), key=lambda place: -continuations[place].log_probability)
        chosen = tuple(sorted(LETTERS[place] for place in order[: item.wanted]))
        texts.append(chat_answer(replace(item, answer=chosen)))
    return texts


def _write(asker: Asker, prompts: Sequence[list[int]], done: Callable[[int], None]) -> list[str]:
    """Greedy answers up to the end token; a base model also stops at the line's end."""
    if not prompts:
        return []
    stop = [asker.encoder.eos] if asker.chat else [asker.encoder.eos, asker.encoder.newline]
    return [asker.encoder.decode(ids) for ids in asker.engine.generate(prompts, asker.max_new_tokens, stop, done=done)]

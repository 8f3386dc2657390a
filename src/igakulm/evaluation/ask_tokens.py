"""Asking a local model: prompts as token ids that fit its context, options scored or answers generated in chunks.

Does: fit prompts, call the engine chunk by chunk, keep each chunk's answers. Does not: open models or read answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from igakulm.evaluation.kept import KeptAnswers
from igakulm.evaluation.manner import OPTIONS, OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED, Manner, Raw
from igakulm.inference.model import Model
from igakulm.tasks.items import Item
from igakulm.text.prepared import Form

CHUNK = 256
"""Items between two writes to the disk; lengths are sorted within a chunk."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that fits: its text, its ids, and whether something was cut."""

    text: str
    ids: list[int]
    truncated: bool


def choose_by_tokens(
    model: Model, items: Sequence[Item], manner: Manner, kept: KeptAnswers, done: Callable[[int], None]
) -> list[Raw]:
    """Log-probabilities of every item's options (their letters, or their texts)."""
    by_text = manner.answer == "options-text"
    found = []
    for chunk in _chunks(items):
        texts = [manner.option_texts(item) if by_text else tuple(manner.letters(item)) for item in chunk]
        options = [[model.encoder.continuation_ids(text) for text in choices] for choices in texts]
        longest = [max(map(len, choices)) for choices in options]
        prompts = [fit_prompt(model, item, manner, room) for item, room in zip(chunk, longest, strict=True)]
        question = {"score": [prompt.ids for prompt in prompts], "options": options, "model": model.identity}
        values, known = kept.values(question, lambda p=prompts, o=options: _score(model, p, o, done))  # type: ignore[misc]
        done(len(chunk) if known else 0)
        for prompt, choices, sums in zip(prompts, texts, values, strict=True):
            found.append(Raw(prompt.text, prompt.truncated, options=_by_mode(choices, sums, by_text=by_text)))
    return found


def _score(
    model: Model, prompts: Sequence[Prompt], options: list[list[list[int]]], done: Callable[[int], None]
) -> list[list[float]]:
    scores = model.engine.score([prompt.ids for prompt in prompts], options, done=done)
    return [[continuation.log_probability for continuation in continuations] for continuations in scores]


def _by_mode(texts: Sequence[str], sums: Sequence[float], *, by_text: bool) -> dict[str, list[float | None]]:
    """An option without text (it was a picture) has no value."""
    plain = [value if text else None for text, value in zip(texts, sums, strict=True)]
    if not by_text:
        return {OPTIONS: plain}
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    per_byte = [None if value is None else value / size for value, size in zip(plain, sizes, strict=True)]
    return {OPTIONS_TEXT: plain, OPTIONS_TEXT_NORMALISED: per_byte}


def write_by_tokens(
    model: Model, items: Sequence[Item], manner: Manner, kept: KeptAnswers, done: Callable[[int], None]
) -> list[Raw]:
    """Greedy answers up to the end token; without chat tokens also to the line's end.

    Half of a small context belongs to the prompt, however long answers may be.
    """
    encoder = model.encoder
    stop = encoder.line_end if manner.plain or not model.chat else encoder.stops
    most = max(1, min(manner.max_new_tokens, model.context_length // 2))
    found = []
    for chunk in _chunks(items):
        prompts = [fit_prompt(model, item, manner, most) for item in chunk]
        ids = [prompt.ids for prompt in prompts]
        question = {"generate": ids, "most": most, "stop": sorted(stop), "model": model.identity}
        values, known = kept.values(question, lambda i=ids: model.engine.generate(i, most, stop, done=done))  # type: ignore[misc]
        done(len(chunk) if known else 0)
        for prompt, answer in zip(prompts, values, strict=True):
            found.append(Raw(prompt.text, prompt.truncated, encoder.decode(answer)))
    return found


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def fit_prompt(model: Model, item: Item, manner: Manner, answer: int) -> Prompt:
    """The prompt of an item within the engine's context, room for `answer` tokens kept.

    A prompt that is too long loses its worked examples first, then characters from the front of its document (of its
    question, where the document does not stand in it), as few as needed. If even that is not enough, token ids are
    dropped from the front.
    """
    room = max(1, model.context_length - answer)
    text, ids = _render(model, item, manner)
    if len(ids) <= room:
        return Prompt(text, ids, truncated=False)
    if manner.shots:
        manner = manner.without_shots()
        text, ids = _render(model, item, manner)
        if len(ids) <= room:
            return Prompt(text, ids, truncated=True)
    start = item.question.find(item.document) if item.document else -1
    document = item.document if start >= 0 else item.question
    start = max(start, 0)

    def without(characters: int) -> Item:
        return replace(item, question=item.question[:start] + item.question[start + characters :])

    low, high = 1, len(document)
    while low < high:
        middle = (low + high) // 2
        fits = len(_render(model, without(middle), manner)[1]) <= room
        low, high = (low, middle) if fits else (middle + 1, high)
    text, ids = _render(model, without(low), manner)
    return Prompt(text, ids[-room:], truncated=True)


def _render(model: Model, item: Item, manner: Manner) -> tuple[str, list[int]]:
    """The prompt as text (of a conversation: the texts of its messages) and as ids, as the model reads it.

    Published layouts stay as their authors wrote them, byte for byte.
    """
    form: Form | None = "raw" if manner.style == "published" else None
    if manner.plain or not model.chat:
        prompt = model.plain_prompt(manner.text(item), form)
    else:
        prompt = model.prompt(manner.messages(item), form)
    return prompt.text, prompt.ids

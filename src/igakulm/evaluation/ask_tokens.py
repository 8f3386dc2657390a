"""Asking a local model: options weighed, lists taken out, free answers written, in chunks.

Does: lay out prompts that fit the context, ask them as `answering/` does for everybody, or freely in published layouts.
Does not: open models, or read answers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from igakulm.answering.extraction import LEAST_TEXT, Asked, Asking, Extraction, Framed, ask_pieces, pieces
from igakulm.answering.options import answer_ids, set_sums, set_texts
from igakulm.errors import InputError
from igakulm.evaluation.manner import OPTIONS, OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED, Manner, Raw
from igakulm.inference.engine import Continuation
from igakulm.inference.model import Model
from igakulm.tasks.items import Item
from igakulm.tasks.prompts import BASE_SUFFIX
from igakulm.text.prepared import Form
from igakulm.tokenizer.encoder import Encoder

CHUNK = 256
"""Items between two writes to the disk; lengths are sorted within a chunk."""


TOO_LONG = "the question does not fit the model's context; it was not asked"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: its text and ids, whether something was cut so that it fits, and whether its question `fits` at all."""

    text: str
    ids: list[int]
    truncated: bool
    fits: bool = True


def choose_by_tokens(model: Model, items: Sequence[Item], manner: Manner, done: Callable[[int], None]) -> list[Raw]:
    """Log-probabilities of every set of an item's options (by their letters, or their texts)."""
    by_text = manner.answer == "options-text"
    found = []
    ids_of = functools.cache(functools.partial(_ids, model, manner=manner))
    for chunk in _chunks(items):
        texts = [_answers(item, manner) for item in chunk]
        options = [[ids_of(text) for text in choices] for choices in texts]
        longest = [max(map(len, choices), default=1) for choices in options]
        prompts = [fit_prompt(model, item, manner, room) for item, room in zip(chunk, longest, strict=True)]
        scores = _scored(model, prompts, options, done)
        for item, prompt, choices, continuations in zip(chunk, prompts, texts, scores, strict=True):
            if continuations is None:
                found.append(not_asked(prompt))
                continue
            sums: list[float | None] = [one.log_probability for one in continuations]
            values = _by_mode(choices, sums, item.wanted) if by_text else {OPTIONS: sums}
            found.append(Raw(prompt.text, prompt.truncated, options=values))
    return found


def _scored(
    model: Model, prompts: Sequence[Prompt], options: Sequence[Sequence[list[int]]], done: Callable[[int], None]
) -> list[list[Continuation] | None]:
    """The options' log-probabilities; None where the question does not fit."""
    fitting = [place for place, prompt in enumerate(prompts) if prompt.fits]
    done(len(prompts) - len(fitting))
    scores = model.engine.score(
        [prompts[place].ids for place in fitting], [options[place] for place in fitting], done=done
    )
    found = dict(zip(fitting, scores, strict=True))
    return [found.get(place) for place in range(len(prompts))]


def not_asked(prompt: Prompt) -> Raw:
    """What stands for an answer to a question that does not fit."""
    return Raw(prompt.text, False, failure=TOO_LONG, asked=False)


def _answers(item: Item, manner: Manner) -> Sequence[str]:
    """The texts whose log-probabilities are asked for: one for each set of letters, or for each option's text."""
    if manner.answer == "options-text":
        return manner.option_texts(item)
    return set_texts(manner.letters(item), item.wanted)


def _ids(model: Model, text: str, *, manner: Manner) -> list[int]:
    """In our layouts an answer as the training rows had it; in others what goes on from the prompt."""
    if manner.style == "chat" and not manner.plain:
        return answer_ids(model.encoder, text)
    return model.encoder.continuation_ids(text)


def _by_mode(texts: Sequence[str], sums: Sequence[float | None], wanted: int) -> dict[str, list[float | None]]:
    """An option without text (it was a picture) has no value."""
    plain = [value if text else None for text, value in zip(texts, sums, strict=True)]
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    per_byte = [None if value is None else value / size for value, size in zip(plain, sizes, strict=True)]
    return {OPTIONS_TEXT: set_sums(plain, wanted), OPTIONS_TEXT_NORMALISED: set_sums(per_byte, wanted)}


def write_by_tokens(model: Model, items: Sequence[Item], manner: Manner, done: Callable[[int], None]) -> list[Raw]:
    """Answers that are written: lists in our layouts as `extract` takes them out, all others freely."""
    found: dict[int, Raw] = {}
    for start in range(0, len(items), CHUNK):
        chunk = dict(enumerate(items[start : start + CHUNK], start))
        frames = {place: framed for place, item in chunk.items() if (framed := frame_of(model, item, manner))}
        found |= _listed(model, {place: chunk[place] for place in frames}, frames, manner, done)
        free = [place for place in chunk if place not in frames]
        found |= zip(free, _free(model, [chunk[place] for place in free], manner, done), strict=True)
    return [found[place] for place in range(len(items))]


def frame_of(model: Model, item: Item, manner: Manner) -> Framed | None:
    """A list item's document between its words, where it is asked in our layout and its question holds the document."""
    start = item.question.rfind(item.document) if item.document else -1
    if manner.style != "chat" or item.kind != "entities" or start < 0:
        return None
    before, after = item.question[:start], item.question[start + len(item.document) :]
    known = (task for task in model.tasks if (task.kind, task.prefix, task.suffix) == ("extract", before, after))
    longest = next((task.longest for task in known), 0)
    suffix = BASE_SUFFIX if manner.plain or not model.chat else ""
    return Framed(before, item.document, after + suffix, item.tag, longest)


def _listed(
    model: Model,
    items: dict[int, Item],
    frames: dict[int, Framed],
    manner: Manner,
    done: Callable[[int], None],
) -> dict[int, Raw]:
    """Lists, in pieces where a document is long. An item that cannot be asked has a `failure`."""
    how = Asking(manner.max_new_tokens, plain=manner.plain)
    asked: dict[int, list[Asked]] = {}
    found: dict[int, Raw] = {}
    for place, framed in frames.items():
        try:
            asked[place] = pieces(model, framed, how)
        except InputError as error:
            found[place] = Raw(_render(model, items[place], manner)[0], False, failure=error.what, asked=False)
    whole = all(len(parts) == 1 for parts in asked.values())
    flat = [part for parts in asked.values() for part in parts]
    answers = ask_pieces(model, [frames[place] for place in asked], flat, how, done if whole else _nowhere)
    done(len(found) + (0 if whole else len(asked)))
    for place, extraction in zip(asked, answers, strict=True):
        found[place] = _raw(_render(model, items[place], manner)[0], extraction)
    return found


def _nowhere(_: int) -> None:
    """Pieces are no items."""


def _raw(prompt: str, extraction: Extraction) -> Raw:
    return Raw(prompt, False, extraction.raw, named=extraction.named, held=True, cut=extraction.cut)


def _free(model: Model, items: Sequence[Item], manner: Manner, done: Callable[[int], None]) -> list[Raw]:
    """Greedy answers up to the end token; without chat tokens also to the line's end.

    Half of a small context belongs to the prompt, however long answers may be.
    """
    if not items:
        return []
    encoder = model.encoder
    stop = encoder.line_end if manner.plain or not model.chat else encoder.stops
    most = max(1, min(manner.max_new_tokens, model.context_length // 2))
    prompts = [fit_prompt(model, item, manner, most) for item in items]
    fitting = [prompt for prompt in prompts if prompt.fits]
    done(len(prompts) - len(fitting))
    answers = iter(model.engine.generate([prompt.ids for prompt in fitting], most, stop, done=done))
    return [_written(encoder, prompt, next(answers), most) if prompt.fits else not_asked(prompt) for prompt in prompts]


def _written(encoder: Encoder, prompt: Prompt, answer: Sequence[int], most: int) -> Raw:
    return Raw(prompt.text, prompt.truncated, encoder.decode(answer), cut=len(answer) >= most)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def fit_prompt(model: Model, item: Item, manner: Manner, answer: int) -> Prompt:
    """The prompt of an item within the engine's context, room for `answer` tokens kept.

    A prompt that is too long loses its worked examples first, then characters from the front of its document, as few as
    needed. Where the document is the whole question, does not stand in it, or would be lost but for `LEAST_TEXT`
    characters, nothing is cut: the prompt does not fit, and is not to be asked.
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
    start = item.question.rfind(item.document) if item.document else -1
    longest = len(item.document) - LEAST_TEXT
    if start < 0 or item.document == item.question or longest < 1:
        return Prompt(text, ids, truncated=False, fits=False)

    def without(characters: int) -> Item:
        return replace(item, question=item.question[:start] + item.question[start + characters :])

    low, high = 1, longest
    while low < high:
        middle = (low + high) // 2
        fits = len(_render(model, without(middle), manner)[1]) <= room
        low, high = (low, middle) if fits else (middle + 1, high)
    shorter = _render(model, without(low), manner)
    if len(shorter[1]) > room:
        return Prompt(text, ids, truncated=False, fits=False)
    return Prompt(*shorter, truncated=True)


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

"""The questions that a converted model is compared on: those that the model itself was asked in its evaluation.

Does: take options, lists and messages for free answers from an evaluation's folder, evenly spaced. Does not: take all
items of a large benchmark, ask them (answer_change.py), or read answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from igakulm.answering.extraction import Framed
from igakulm.errors import InputError
from igakulm.evaluation.item_files import read_items
from igakulm.evaluation.manner import GENERATE, OPTIONS
from igakulm.files import read_jsonl
from igakulm.inference.model import Model
from igakulm.tasks.items import Item

T = TypeVar("T")

TUNED = "tuned"
MOST_CHOICES, MOST_LISTS, MOST_TEXTS, MOST_TOKENS = 200, 60, 24, 20_000
"""What a slow machine answers in minutes: a model of 1.2 B parameters reads 40 to 90 tokens a second on two cores.
Tokens are those of all prompts of a kind together."""


@dataclass(frozen=True, slots=True)
class Question:
    """One item with the message that asks it, as its author wrote it; `document`: where the text stands in it."""

    item: Item
    message: str
    document: tuple[int, int] | None = None

    def framed(self, model: Model) -> Framed:
        """The text of a list question between its words."""
        assert self.document is not None
        start, end = self.document
        before, after = self.message[:start], self.message[end:]
        known = (task.longest for task in model.tasks if (task.prefix, task.suffix) == (before, after))
        return Framed(before, self.message[start:end], after, self.item.tag, next(known, 0))


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked: sets of options by letters, lists, and free answers."""

    choices: Sequence[Question] = ()
    lists: Sequence[Question] = ()
    texts: Sequence[Question] = ()

    def __len__(self) -> int:
        return len(self.choices) + len(self.lists) + len(self.texts)


def read_questions(evaluation_dir: Path | None, model: Model, *, most_tokens: int = MOST_TOKENS) -> Questions:
    """Questions that the evaluated model was asked, evenly spaced over all of them.

    Args:
        evaluation_dir: folder with `items/MODEL/*.jsonl`; the model is `tuned`, or the only one. None = none.
        model: the exported one; what does not fit its context is left out.
        most_tokens: tokens of all prompts of a kind together, at most.

    Returns:
        Nothing where the folder holds no such items (also of an older version). Messages for free answers are those of
        all items.
    """
    known = list(_questions(evaluation_dir)) if evaluation_dir else []
    choices = [one for one in known if one.item.kind == "choice" and one.item.choices]
    lists = [one for one in known if one.document is not None and one.item.kind == "entities"]

    def some(questions: Sequence[Question], most: int) -> list[Question]:
        return _within(model, _spread(questions, most), most_tokens)

    return Questions(some(choices, MOST_CHOICES), some(lists, MOST_LISTS), some(known, MOST_TEXTS))


def _within(model: Model, questions: Sequence[Question], most_tokens: int) -> list[Question]:
    lengths = {id(one): len(prompt_of(model, one)) for one in questions}
    # Half of the context belongs to answers; lists are asked in pieces where they are long.
    found = [one for one in questions if one.document or 0 < lengths[id(one)] <= model.context_length // 2]
    length = sum(lengths[id(one)] for one in found)
    return _spread(found, len(found) * most_tokens // length) if length > most_tokens else found


def prompt_of(model: Model, question: Question) -> list[int]:
    """What the model reads, up to where its answer begins."""
    if not model.chat:
        return model.plain_prompt(question.message).ids
    return model.prompt([{"role": "user", "content": question.message}]).ids


def _questions(evaluation_dir: Path) -> Iterator[Question]:
    for path in sorted(_answers(evaluation_dir).glob("*.jsonl")):
        try:
            rows = list(read_jsonl(path))
            if rows and rows[0].get("answer_mode") in (OPTIONS, GENERATE):
                yield from _of_rows(rows, read_items(path)[0])
        except InputError:
            continue  # the evaluation is not the bundle's matter; its own commands say what is wrong with it


def _of_rows(rows: Iterable[dict[str, Any]], items: Sequence[Item]) -> Iterator[Question]:
    for row, item in zip(rows, items, strict=True):
        by_letters = row.get("answer_mode") == OPTIONS or item.kind != "choice"
        # In a published layout the prompt is what was asked; of a conversation, its texts in one message.
        message, place = row.get("message") or row["prompt"], row.get("document")
        if by_letters and message:
            yield Question(replace(item, question=message), message, (place[0], place[1]) if place else None)


def _answers(evaluation_dir: Path) -> Path:
    """The folder of the exported model's answers: that of the tuned one, or of the only one that was asked."""
    folder = evaluation_dir / "items"
    if (folder / TUNED).is_dir() or not folder.is_dir():
        return folder / TUNED
    others = sorted(path for path in folder.iterdir() if path.is_dir())
    return others[0] if len(others) == 1 else folder / TUNED


def _spread(values: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly spaced.

    >>> _spread("abcdef", 3), _spread("ab", 3), _spread("ab", 0)
    (['a', 'c', 'e'], ['a', 'b'], [])
    """
    count = min(len(values), most)
    return [values[len(values) * place // count] for place in range(count)]

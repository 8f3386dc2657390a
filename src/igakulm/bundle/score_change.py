"""How much a benchmark score changes from a model to its converted form, on the items that the model was evaluated on.

Does: take choice items from an evaluation's folder, choose among the options by log-probability as the evaluation does,
count right answers of both models. Does not: take all items of a large benchmark, or score entities and free text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from igakulm.errors import InputError
from igakulm.evaluation.ask import best_letters
from igakulm.evaluation.item_files import read_items
from igakulm.evaluation.manner import OPTIONS
from igakulm.evaluation.metrics import is_right
from igakulm.files import read_jsonl
from igakulm.inference.engine import Continuation, Engine, nothing
from igakulm.tasks.items import LETTERS, Item
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encoder import Encoder

T = TypeVar("T")

TUNED = "tuned"
MOST_ITEMS, MOST_TOKENS = 200, 20_000
"""What a slow machine answers in minutes: a model of 1.2 B parameters reads 40 to 90 tokens a second on two cores."""


@dataclass(frozen=True, slots=True)
class Question:
    """A choice item as token ids: its prompt, and its options."""

    item: Item
    prompt: list[int]
    options: list[list[int]]


def read_questions(
    evaluation_dir: Path,
    encoder: Encoder,
    context_length: int,
    *,
    most_items: int = MOST_ITEMS,
    most_tokens: int = MOST_TOKENS,
) -> list[Question]:
    """Choice items that the evaluated model answered by letters, evenly spaced over all of them.

    Their prompts are those of the evaluation; of a conversation, its texts in one message. Items that do not fit the
    context are left out.

    Args:
        evaluation_dir: folder with `items/MODEL/*.jsonl`; the model is `tuned`, or the only one.
        encoder: of the exported model.
        context_length: tokens that the model reads.
        most_items: how many at most.
        most_tokens: tokens of all prompts together, at most.

    Returns:
        Nothing where the folder holds no such items (also of an older version).
    """
    found: list[Question] = []
    for item in _spread(_choice_items(evaluation_dir), most_items):
        prompt = _prompt(encoder, item.question)
        options = [encoder.continuation_ids(letter) for letter in LETTERS[: len(item.choices)]]
        if prompt and all(options) and len(prompt) + max(map(len, options)) <= context_length:
            found.append(Question(item, prompt, options))
    length = sum(len(question.prompt) for question in found)
    return _spread(found, len(found) * most_tokens // length) if length > most_tokens else found


def _choice_items(evaluation_dir: Path) -> list[Item]:
    items: list[Item] = []
    for path in sorted(_answers(evaluation_dir).glob("*.jsonl")):
        try:
            if next(iter(read_jsonl(path)), {}).get("answer_mode") == OPTIONS:
                items += [item for item in read_items(path)[0] if item.kind == "choice" and item.choices]
        except InputError:
            continue  # the evaluation is not the bundle's matter; its own commands say what is wrong with it
    return items


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


def _prompt(encoder: Encoder, text: str) -> list[int]:
    """The text stands in the evaluation as the model read it: prepared already."""
    if not encoder.chat:
        return encoder.plain_ids(text)
    return render_chat(encoder, [{"role": "user", "content": text}], add_generation_prompt=True)[0]


def choose(
    engine: Engine, questions: Sequence[Question], done: Callable[[int], None] = nothing
) -> list[tuple[str, ...] | None]:
    """The letters that a model chooses for each question, as the evaluation reads them."""
    scores = engine.score([one.prompt for one in questions], [one.options for one in questions], done=done)
    return [_letters(question, values) for question, values in zip(questions, scores, strict=True)]


def _letters(question: Question, values: Sequence[Continuation]) -> tuple[str, ...] | None:
    sums = [value.log_probability if math.isfinite(value.log_probability) else None for value in values]
    return best_letters(sums, question.item.wanted)


def score_change(
    questions: Sequence[Question],
    original: Sequence[tuple[str, ...] | None],
    converted: Sequence[tuple[str, ...] | None],
) -> dict[str, Any]:
    """Compare what two models chose.

    Args:
        questions: at least one.
        original: letters by `choose`, of the model that was converted.
        converted: of the converted one.

    Returns:
        n, original and quantised (shares of right answers), difference (quantised minus original), changed (how many
        items have another answer), tasks (task -> n, original, quantised).
    """
    right: dict[str, list[tuple[bool, bool]]] = {}
    for question, before, after in zip(questions, original, converted, strict=True):
        pair = (is_right(question.item, before), is_right(question.item, after))
        right.setdefault(question.item.task, []).append(pair)
    every = [pair for pairs in right.values() for pair in pairs]
    total = _shares(every)
    return {
        **total,
        "difference": round(sum(after - before for before, after in every) / len(every), 4),
        "changed": sum(before != after for before, after in zip(original, converted, strict=True)),
        "tasks": {task: _shares(pairs) for task, pairs in sorted(right.items())},
    }


def _shares(pairs: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    before, after = (round(sum(pair[side] for pair in pairs) / len(pairs), 4) for side in range(2))
    return {"n": len(pairs), "original": before, "quantised": after}

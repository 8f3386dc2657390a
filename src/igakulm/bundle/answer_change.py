"""How the answers of a model change when it is converted, on what is served: options, lists, free text.

Does: ask a model the questions of its evaluation as every room asks (`answering/`), count answers that differ, score
both sides with the evaluation's own metrics. Does not: choose questions (proof_questions.py), convert, or write files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from igakulm.answering.extraction import extract_all
from igakulm.answering.options import answer_ids, choose, set_texts
from igakulm.bundle.proof_questions import Question, Questions, prompt_of
from igakulm.evaluation.metrics import entity_metrics, is_right
from igakulm.inference.bundle_file import AnswerChange, KindChange, TaskChange
from igakulm.inference.engine import nothing
from igakulm.inference.model import Model
from igakulm.tasks.items import LETTERS

TEXT_TOKENS = 48
"""Tokens of a free answer that are compared."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answered: letters, strings (None = unreadable), token ids."""

    choices: Sequence[tuple[str, ...] | None]
    lists: Sequence[tuple[str, ...] | None]
    texts: Sequence[Sequence[int]]


def answer(model: Model, questions: Questions, done: Callable[[int], None] = nothing) -> Answers:
    """Ask a model all questions."""
    found = extract_all(model, [one.framed(model) for one in questions.lists])
    done(len(questions.lists))
    prompts = [prompt_of(model, one) for one in questions.texts]
    stop = model.encoder.stops if model.chat else model.encoder.line_end
    texts = model.engine.generate(prompts, TEXT_TOKENS, stop, done=done) if prompts else []
    return Answers(_choices(model, questions.choices, done), [one.named for one in found], texts)


def _choices(model: Model, questions: Sequence[Question], done: Callable[[int], None]) -> list[tuple[str, ...] | None]:
    prompts = [prompt_of(model, one) for one in questions]
    options = [
        [answer_ids(model.encoder, text) for text in set_texts(LETTERS[: len(one.item.choices)], one.item.wanted)]
        for one in questions
    ]
    chosen: list[tuple[str, ...] | None] = []
    for one, scores in zip(questions, model.engine.score(prompts, options, done=done), strict=True):
        best = choose([score.log_probability for score in scores], len(one.item.choices), one.item.wanted)
        chosen.append(tuple(LETTERS[number] for number in best.chosen) if best else None)
    return chosen


def answer_change(questions: Questions, original: Answers, converted: Answers) -> AnswerChange:
    """Compare what two models answered to the same questions."""
    choices = [
        (one, before != after, float(is_right(one.item, before)), float(is_right(one.item, after)))
        for one, before, after in zip(questions.choices, original.choices, converted.choices, strict=True)
    ]
    lists = [
        (one, before != after, _overlap(one, before), _overlap(one, after))
        for one, before, after in zip(questions.lists, original.lists, converted.lists, strict=True)
    ]
    changed = sum(list(a) != list(b) for a, b in zip(original.texts, converted.texts, strict=True))
    return AnswerChange(
        options=_kind(choices),
        lists=_kind(lists),
        text=KindChange(n=len(original.texts), changed=changed, tokens=TEXT_TOKENS) if original.texts else None,
        tasks=_tasks(choices, "accuracy") | _tasks(lists, "overlap_f1"),
    )


_LINES = {
    "options": "options {changed} of {n} differ (accuracy {original:.3f} -> {quantised:.3f})",
    "lists": "lists {changed} of {n} differ (overlap F1 {original:.3f} -> {quantised:.3f})",
    "text": "free answers {changed} of {n} differ",
}


def change_lines(change: AnswerChange) -> list[str]:
    """What changed, in a few English words for each kind.

    >>> change_lines(AnswerChange(options=KindChange(n=4, changed=1, original=0.5, quantised=0.25)))
    ['options 1 of 4 differ (accuracy 0.500 -> 0.250)']
    """
    return [_LINES[name].format(**told) for name, told in change.kinds()]


_Compared = tuple[Question, bool, float, float]
"""A question, whether its answers differ, and both scores."""


def _overlap(question: Question, said: tuple[str, ...] | None) -> float:
    return entity_metrics([question.item], [said])[0].value


def _kind(rows: Sequence[_Compared]) -> KindChange | None:
    if not rows:
        return None
    before, after = _means(rows)
    return KindChange(n=len(rows), changed=sum(row[1] for row in rows), original=before, quantised=after)


def _means(rows: Sequence[_Compared]) -> tuple[float, float]:
    return round(sum(row[2] for row in rows) / len(rows), 4), round(sum(row[3] for row in rows) / len(rows), 4)


def _tasks(rows: Sequence[_Compared], metric: str) -> dict[str, TaskChange]:
    found = {}
    for task in sorted({row[0].item.task for row in rows}):
        own = [row for row in rows if row[0].item.task == task]
        before, after = _means(own)
        changed = sum(row[1] for row in own)
        found[task] = TaskChange(metric=metric, n=len(own), changed=changed, original=before, quantised=after)
    return found

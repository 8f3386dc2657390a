"""Lists of strings from a model: asked greedily, held to JSON and to the document, with every engine alike.

Does: say how a list is held, ask many prompts at once, tell an answer that was cut and how probable one is.
Does not: read lists (text/lists.py), follow an answer (inference/masks.py), or know what the strings mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from igakulm.inference.constraint import ListOf
from igakulm.inference.engine import Engine, Sampling, check_prompt, nothing
from igakulm.text.lists import list_items
from igakulm.text.literals import string_list
from igakulm.tokenizer.encoder import Encoder

Hold = Literal["document", "json"]
"""What every string of a list is: whole words, numbers or characters of the document as the model reads it; or any."""
HOLD: Hold = "document"
"""Measured on NRNER and MRNER: docs/results/2026-12-01-one-door.md."""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """What the model wrote.

    Attributes:
        text: the whole answer.
        items: its strings, each once; None when it holds no list.
        tokens: how many it has.
        cut: it reached the limit of length, or was ended because it went round in circles: items may be missing.
        probability: of the whole answer: the product of its tokens' probabilities; None = was not asked for,
            or the engine does not tell.
    """

    text: str
    items: tuple[str, ...] | None
    tokens: int
    cut: bool
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class ListQuestion:
    """A prompt as token ids, the longest answer in tokens, and the document that the answer speaks of."""

    prompt: Sequence[int]
    longest: int
    document: str


def ask_for_lists(
    engine: Engine,
    encoder: Encoder,
    questions: Sequence[ListQuestion],
    *,
    stop: Sequence[int] | None = None,
    hold: Hold = HOLD,
    weighed: bool = False,
    done: Callable[[int], None] = nothing,
) -> list[ListAnswer]:
    """Ask greedily for lists of strings.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        questions: what is asked.
        stop: ids that end an answer; None = those of a conversation.
        hold: how the answers are held; a server behind `engine` may know JSON only.
        weighed: also say how probable each answer is; the questions are then asked one by one.
        done: told how many more are answered.

    Raises:
        InputError: a prompt does not fit.
        EngineFailed: the model's process is gone.
    """
    for question in questions:
        check_prompt(question.prompt, 0, engine.context_length)
    ends = encoder.stops if stop is None else stop
    held = [ListOf(question.document if hold == "document" else None) for question in questions]
    if weighed:
        return [
            _weighed(engine, encoder, question, one, ends, done) for question, one in zip(questions, held, strict=True)
        ]
    made = engine.generate(
        [question.prompt for question in questions],
        [question.longest for question in questions],
        ends,
        constraints=held,
        done=done,
    )
    return [
        read_list(encoder.decode(tokens), len(tokens), question.longest)
        for question, tokens in zip(questions, made, strict=True)
    ]


def _weighed(
    engine: Engine,
    encoder: Encoder,
    question: ListQuestion,
    held: ListOf,
    stop: Sequence[int],
    done: Callable[[int], None],
) -> ListAnswer:
    """One answer, token by token; the probabilities are those of the model that is held to nothing."""
    steps = list(engine.stream(question.prompt, question.longest, stop, Sampling(top=1, constraint=held)))
    done(1)
    answer = read_list(encoder.decode([step.token for step in steps]), len(steps), question.longest)
    told = [step.log_probability for step in steps if step.log_probability is not None]
    return replace(answer, probability=math.exp(sum(told))) if len(told) == len(steps) else answer


def read_list(text: str, tokens: int, longest: int) -> ListAnswer:
    """An answer of so many tokens, of which it could have `longest`.

    >>> read_list('["発熱", "咳', 9, 40).cut, read_list('["発熱"]', 5, 5).cut, read_list("熱です", 3, 40).items
    (True, False, None)
    >>> read_list('["咳咳咳', 5, 40).cut, read_list("熱です", 3, 40).cut
    (True, False)
    """
    whole = string_list(text) is not None
    return ListAnswer(text, list_items(text), tokens, not whole and (tokens >= longest or "[" in text))

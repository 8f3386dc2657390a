"""How probable each of several options is as the answer to a prompt, from exact log-probabilities.

Does: token ids of an answer as the training rows had it, softmax over the options, sets of several answers.
Does not: render messages of tasks, or cut prompts that are too long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from igakulm.errors import InputError
from igakulm.inference.engine import Engine, check_prompt
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder

By = Literal["letters", "labels", "labels-normalised"]


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probability of each option (summing to the number wanted), and the numbers of those chosen, ascending."""

    shares: tuple[float, ...]
    chosen: tuple[int, ...]


def prompt_ids(encoder: Encoder, message: str) -> list[int]:
    """Ids of a conversation of one user message, up to where the answer begins."""
    return render_chat(encoder, [{"role": "user", "content": message}], add_generation_prompt=True)[0]


def answer_ids(encoder: Encoder, text: str) -> list[int]:
    """Ids of an answer as training rows have it, without the token that ends it."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
    ids, learnt = render_chat(encoder, turns, add_generation_prompt=False)
    answer = [token for token, counts in zip(ids, learnt, strict=True) if counts]
    while answer and answer[-1] in encoder.stops:
        answer.pop()
    return answer


def weigh(
    engine: Engine,
    encoder: Encoder,
    prompt: Sequence[int],
    options: Sequence[tuple[str, str]],
    wanted: int = 1,
    by: By = "letters",
) -> Weighed:
    """Weigh options, each (letter, label), as answers to a prompt; "labels…" for one answer only.

    Raises:
        InputError: prompt and answer are longer than the context, or labels for several answers.
        EngineFailed: the model's process is gone.
    """
    if wanted > 1 and by != "letters":
        raise InputError("several answers are weighed by letters only")
    sets = list(combinations(range(len(options)), wanted))
    part = 0 if by == "letters" else 1
    answers = [answer_ids(encoder, ",".join(options[number][part] for number in one)) for one in sets]
    check_prompt(prompt, max(map(len, answers)) - 1, engine.context_length)
    (scores,) = engine.score([prompt], [answers])
    values = [score.log_probability / (max(1, score.tokens) if by == "labels-normalised" else 1) for score in scores]
    weights = softmax(values)
    shares = [0.0] * len(options)
    for one, weight in zip(sets, weights, strict=True):
        for number in one:
            shares[number] += weight
    return Weighed(tuple(shares), sets[max(range(len(sets)), key=weights.__getitem__)])


def softmax(values: Sequence[float]) -> list[float]:
    """Probabilities that are in proportion to the exponentials of log-probabilities; equal when all are impossible.

    >>> softmax([0.0, 0.0]), softmax([-1000.0, -2000.0]), softmax([-math.inf, -math.inf])
    ([0.5, 0.5], [1.0, 0.0], [0.5, 0.5])
    """
    most = max(values)
    if most == -math.inf:
        return [1 / len(values)] * len(values)
    weights = [math.exp(value - most) for value in values]
    return [weight / sum(weights) for weight in weights]

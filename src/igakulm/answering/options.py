"""How probable each of several options is as the answer to a prompt, from exact log-probabilities.

Does: token ids of an answer as the training rows had it, sets of several answers, softmax over them; the one rule is:
the likeliest whole set. Does not: render messages of tasks, or cut prompts that are too long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from igakulm.errors import InputError
from igakulm.inference.engine import check_prompt
from igakulm.inference.model import Model
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encoder import Encoder

By = Literal["letters", "labels", "labels-normalised"]


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probability of each option (summing to the number wanted), and the numbers of those chosen, ascending."""

    shares: tuple[float, ...]
    chosen: tuple[int, ...]


def answer_ids(encoder: Encoder, text: str) -> list[int]:
    """Ids of an answer as training rows have it, without the token that ends it; without chat tokens, of plain text."""
    if not encoder.chat:
        return encoder.continuation_ids(text)
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
    ids, learnt = render_chat(encoder, turns, add_generation_prompt=False)
    answer = [token for token, counts in zip(ids, learnt, strict=True) if counts]
    while answer and answer[-1] in encoder.stops:
        answer.pop()
    return answer


def sets_of(options: int, wanted: int) -> list[tuple[int, ...]]:
    """Every set of so many of the options, as numbers from 0.

    >>> sets_of(3, 2)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(options), wanted))


def set_texts(texts: Sequence[str], wanted: int) -> list[str]:
    """What a model writes that gives each set as its answer.

    >>> set_texts("abc", 2), set_texts("AB", 1)
    (['a,b', 'a,c', 'b,c'], ['A', 'B'])
    """
    return [",".join(texts[number] for number in one) for one in sets_of(len(texts), wanted)]


def set_sums(values: Sequence[float | None], wanted: int) -> list[float | None]:
    """Values of sets where a model tells those of single options only: their sums; None where one is not told.

    >>> set_sums([-1.0, None, -0.5], 2)
    [None, -1.5, None]
    """
    sums: list[float | None] = []
    for one in sets_of(len(values), wanted):
        told = [value for number in one if (value := values[number]) is not None]
        sums.append(sum(told) if len(told) == wanted else None)
    return sums


def choose(values: Sequence[float | None], options: int, wanted: int) -> Weighed | None:
    """The likeliest set, the earlier one of two that are alike; None where no set has a value.

    Args:
        values: log-probability of each set, in the order of `sets_of`; None = not known, counted as impossible.
        options: how many there are.
        wanted: how many are to be chosen.

    >>> choose([-1.0, None, -0.5], 3, 1).chosen, choose([-2.0, -1.0, -1.0], 3, 2).chosen, choose([None, None], 2, 1)
    ((2,), (0, 2), None)
    """
    if all(value is None for value in values):
        return None
    sets = sets_of(options, wanted)
    weights = softmax([-math.inf if value is None else value for value in values])
    shares = [0.0] * options
    for one, weight in zip(sets, weights, strict=True):
        for number in one:
            shares[number] += weight
    known = [place for place, value in enumerate(values) if value is not None]
    # By the values, not by the weights: far from the best, these are all 0.
    best = max(known, key=lambda place: (values[place], -place))
    return Weighed(tuple(shares), sets[best])


def weigh(
    model: Model, prompt: Sequence[int], options: Sequence[tuple[str, str]], wanted: int = 1, by: By = "letters"
) -> Weighed:
    """Weigh options, each (letter, label), as answers to a prompt; "labels…" for one answer only.

    Raises:
        InputError: prompt and answer are longer than the context, or labels for several answers.
        EngineFailed: the model's process is gone.
    """
    if wanted > 1 and by != "letters":
        raise InputError("several answers are weighed by letters only")
    texts = [option[0] if by == "letters" else option[1] for option in options]
    answers = [answer_ids(model.encoder, text) for text in set_texts(texts, wanted)]
    check_prompt(prompt, max(map(len, answers)) - 1, model.context_length)
    (scores,) = model.engine.score([prompt], [answers])
    lengths = [max(1, score.tokens) if by == "labels-normalised" else 1 for score in scores]
    values = [score.log_probability / length for score, length in zip(scores, lengths, strict=True)]
    weighed = choose(values, len(options), wanted)
    assert weighed is not None
    return weighed


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

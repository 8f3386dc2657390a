"""A list of strings from a model: asked greedily, held to JSON where the engine can.

Does: stop when the model goes round in circles. Does not: read lists (text/lists.py), or know what the strings mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from igakulm.errors import InputError
from igakulm.inference.engine import GREEDY, Engine, Sampling, check_prompt
from igakulm.text.lists import goes_round, list_items
from igakulm.tokenizer.open import Encoder

LIST_SCHEMA: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
LOOK_EVERY = 16


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """What the model wrote.

    Attributes:
        text: the whole answer.
        items: its strings, each once; None when it holds no list.
        tokens: how many it has.
        cut: it reached the limit of length, or was ended because it went round in circles.
    """

    text: str
    items: tuple[str, ...] | None
    tokens: int
    cut: bool


def ask_for_list(
    engine: Engine, encoder: Encoder, prompt: Sequence[int], most: int, *, constrained: bool = True
) -> ListAnswer:
    """Ask greedily for a list of strings.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        prompt: token ids.
        most: tokens of the longest answer.
        constrained: accept only a JSON list of strings, where the engine can do that.

    Raises:
        InputError: the prompt does not fit.
        EngineFailed: the model's process is gone.
    """
    check_prompt(prompt, 0, engine.context_length)
    try:
        tokens, cut = _tokens(engine, encoder, prompt, most, Sampling(schema=LIST_SCHEMA) if constrained else GREEDY)
    except InputError:
        # An engine says so when it cannot hold an answer to a schema; the prompt itself was checked above.
        if not constrained:
            raise
        tokens, cut = _tokens(engine, encoder, prompt, most, GREEDY)
    text = encoder.decode(tokens)
    return ListAnswer(text, list_items(text), len(tokens), cut)


def _tokens(
    engine: Engine, encoder: Encoder, prompt: Sequence[int], most: int, sampling: Sampling
) -> tuple[list[int], bool]:
    made: list[int] = []
    steps = engine.stream(prompt, most, encoder.stops, sampling)
    with closing(steps):  # type: ignore[type-var]
        for step in steps:
            made.append(step.token)
            if len(made) % LOOK_EVERY == 0 and goes_round(encoder.decode(made)):
                return made, True
    return made, len(made) >= most

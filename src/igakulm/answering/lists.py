"""A list of strings from a model: asked greedily, held to JSON where the engine can, read with tolerance.

Does: stop when the model goes round in circles; read JSON and Python lists, also inside other text or cut off.
Does not: evaluate anything, or know what the strings mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from igakulm.errors import InputError
from igakulm.inference.engine import GREEDY, Engine, Sampling, check_prompt
from igakulm.text.literals import string_list, whole_characters
from igakulm.tokenizer.open import Encoder

LIST_SCHEMA: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
LOOPS = 8
"""So many entries in a row that the list has already mean that the model goes round in circles."""
LOOK_EVERY = 16
_STUCK = re.compile(r"(.{1,8}?)\1{15,}\Z", re.DOTALL)
"""The same one to eight characters, sixteen times: no item, and no end in sight."""
MOST_STARTS = 10
"""Opening brackets of an answer at which a list is looked for."""
_QUOTED = re.compile(r"""[\[,]\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?=\s*[,\]]|\s*$)""", re.DOTALL)


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


def goes_round(text: str) -> bool:
    """Whether the last entries of an unfinished list all stand in it before them, or its last one has no end.

    >>> goes_round('["咳", "熱"' + ', "咳"' * 8 + ', "'), goes_round('["咳' + "，" * 20)
    (True, True)
    >>> goes_round('["咳", "熱", "痛み", "')
    False
    """
    if _STUCK.search(text[-256:]):
        return True
    entries = [found[1] for found in _QUOTED.finditer(text)]
    return len(entries) > LOOPS and set(entries[-LOOPS:]) <= set(entries[:-LOOPS])


def list_items(text: str) -> tuple[str, ...] | None:
    """The strings of the list that an answer holds, without white space around them, each once; None without a list.

    >>> list_items('回答: ["発熱", "咳", "咳"]です')
    ('発熱', '咳')
    >>> list_items('["発熱", "咳", "倦怠')
    ('発熱', '咳')
    >>> list_items("[]"), list_items("発熱") is None, list_items("__import__('os')") is None
    ((), True, True)
    """
    text = text.strip()
    starts = [place for place, character in enumerate(text) if character == "["][:MOST_STARTS]
    end = text.rfind("]") + 1
    found = next((entries for start in starts if (entries := string_list(text[start:end])) is not None), None)
    if found is None and starts:
        found = _whole_strings(text[starts[0] :])
    return None if found is None else tuple(dict.fromkeys(entry.strip() for entry in found if entry.strip()))


def _whole_strings(text: str) -> tuple[str, ...] | None:
    """The whole strings of a list that was cut off or is broken in one place; None when there is none."""
    found: list[str] = []
    for quoted in _QUOTED.finditer(text):
        found += string_list(f"[{quoted[1]}]") or (whole_characters(quoted[1][1:-1]),)
    return tuple(found) or None

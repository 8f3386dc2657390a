"""A tokenizer with one token a character and an engine that follows a rule, for tests without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import GREEDY, Continuation, Message, Sampling, Step, lengths_of
from igakulm.inference.open import OpenedModel
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import TextEncoder

FIRST = 16


class CharacterEncoder:
    """Ids are code points shifted by `FIRST`."""

    bos, eos, newline, unk = 1, 2, 3, 0
    system, user, assistant = 4, 5, 6

    @classmethod
    def load(cls, folder: Path) -> TextEncoder:
        return cast(TextEncoder, cls())

    def encode(self, text: str) -> list[int]:
        return [self.newline if character == "\n" else ord(character) + FIRST for character in text]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join("\n" if token == self.newline else chr(token - FIRST) for token in ids if token >= FIRST - 13)


class CharacterCodec:
    """The encoder as a codec; `chat` says whether the model has chat tokens."""

    identity = "characters"
    stop: tuple[int, ...] = (CharacterEncoder.eos,)
    line_end: tuple[int, ...] = (CharacterEncoder.eos, CharacterEncoder.newline)

    def __init__(self, *, chat: bool = True) -> None:
        self.chat = chat

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        return render_chat(CharacterEncoder.load(Path()), messages, add_generation_prompt=True)[0]

    def plain_ids(self, text: str) -> list[int]:
        return [CharacterEncoder.bos, *CharacterEncoder().encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        return CharacterEncoder().encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return CharacterEncoder().decode(ids)


def opened(engine: RuleEngine, *, chat: bool = True) -> OpenedModel:
    """A model of this engine."""
    return OpenedModel(engine, CharacterCodec(chat=chat), "rule", "rule-1")


class RuleEngine:
    """Prefers the letters of `rank` in its order, and always writes `text`; keeps what it was sent."""

    name = "rule"
    lanes = 1

    def __init__(self, rank: str = "BACDE", text: str = '["咳"]', context_length: int = 2000) -> None:
        self.rank, self.text, self.context_length = rank, text, context_length
        self.prompts: list[list[int]] = []
        self.stops: list[tuple[int, ...]] = []

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = lambda count: None,
    ) -> list[list[Continuation]]:
        self.prompts += [list(prompt) for prompt in prompts]
        done(len(prompts))
        return [[self._value(option) for option in choices] for choices in options]

    def _value(self, option: Sequence[int]) -> Continuation:
        """Each character costs its place in the rank."""
        letters = [chr(token - FIRST).upper() for token in option]
        return Continuation(-float(sum(self.rank.index(letter) for letter in letters)), len(option))

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = lambda count: None,
    ) -> list[list[int]]:
        self.prompts += [list(prompt) for prompt in prompts]
        self.stops.append(tuple(stop))
        done(len(prompts))
        return [CharacterEncoder().encode(self.text)[:most] for most in lengths_of(max_new_tokens, prompts)]

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        sampling: Sampling = GREEDY,
    ) -> Iterator[Step]:
        yield from map(Step, self.generate([prompt], max_new_tokens, stop)[0])

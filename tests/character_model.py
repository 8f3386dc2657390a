"""A tokenizer with one token a character and an engine that follows a rule, for tests without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import GREEDY, Continuation, Sampling, Step, lengths_of
from igakulm.inference.model import Model
from igakulm.text.messages import Message
from igakulm.tokenizer.encoder import Part

FIRST = 16


class CharacterEncoder:
    """Ids are code points shifted by `FIRST`; see `Encoder`."""

    folder, files = Path(), ()
    adopted, runtime, cut_after = False, "plain", ""
    fallback: frozenset[int] = frozenset()
    identity = sha256 = source_sha256 = "characters"
    bos, eos, newline, unk = 1, 2, 3, 0
    system, user, assistant = 4, 5, 6
    base_size = size = 0x110000 + FIRST
    begin: tuple[int, ...] = (1,)
    stops: tuple[int, ...] = (2,)
    line_end: tuple[int, ...] = (2, 3)
    chat_tokens: tuple[int, ...] = ()

    def __init__(self, *, chat: bool = True) -> None:
        self.chat = chat

    def encode(self, text: str) -> list[int]:
        return [self.newline if character == "\n" else ord(character) + FIRST for character in text]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def encode_in_parts(self, line: str) -> Iterable[list[int]]:
        yield self.encode(line)

    def parts(self, text: str) -> list[Part]:
        return [Part(character, 1) for character in text]

    def without_and_with_mecab(self, sentence: str) -> None:
        """No MeCab here."""

    def written(self, ids: Sequence[int]) -> list[str]:
        return [self.decode([token]) for token in ids]

    def plain_ids(self, text: str) -> list[int]:
        return [self.bos, *self.encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        return self.encode(text)

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> tuple[list[int], list[bool]]:
        roles = {"system": self.system, "user": self.user, "assistant": self.assistant}
        ids, learnt = [self.bos], [False]
        for message in messages:
            answers = message["role"] == "assistant"
            part = [*self.encode(message["content"]), *([self.eos] if answers else [])]
            ids += [roles[message["role"]], *part]
            learnt += [False, *([answers] * len(part))]
        ends = [self.assistant] * add_generation_prompt
        return ids + ends, learnt + [False] * len(ends)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join("\n" if token == self.newline else chr(token - FIRST) for token in ids if token >= FIRST - 13)

    def token_bytes(self, token: int) -> bytes:
        return self.decode([token]).encode()


def opened(engine: RuleEngine, *, chat: bool = True) -> Model:
    """A model of this engine."""
    return Model(engine, CharacterEncoder(chat=chat), "rule", "rule-1")


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
        letters = [chr(token - FIRST).upper() for token in option if chr(token - FIRST) != ","]
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

"""An endpoint whose model may be exchanged while it is evaluated, or between a run and the one that goes on with it.

Does: compare what the server says about its model, and its answers to a few questions asked again, before new answers
are put beside kept ones and after each task. Does not: ask the rest again, or know which model is the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from igakulm.asking.client import EndpointError, ResponseStore
from igakulm.asking.served_model import served_model
from igakulm.inference.endpoint import Endpoint
from igakulm.inference.engine import TextAnswer, TextRequest, nothing

WITNESSES = 3
"""Questions that are asked again."""
PROBE_TOKENS, COMPARED = 32, 20
"""Tokens of an answer that is asked for again, and characters of it that are compared: long ones drift apart."""
NATS = 0.5
"""A letter's log-probability differs by more from another model's than from the same model's in another batch."""
CARD = "served-model"
HINT = "answers of two models make no score: choose an empty folder with --out, and leave the server as it is"

Witness = tuple[TextRequest, TextAnswer]


class SameModel:
    """A `TextModel` over an endpoint that is one model from beginning to end.

    Args:
        asking: the endpoint; it keeps answers in `store`.
        fresh: the same endpoint without a store.
        store: of the answers; it also holds what the server said about its model.
    """

    def __init__(self, asking: Endpoint, fresh: Endpoint, store: ResponseStore | None) -> None:
        self.name, self.chat, self.url = asking.name, asking.chat, asking.url
        self._asking, self._fresh, self._store = asking, fresh, store
        self._card = store.get(CARD) if store else None
        self._witnesses: list[Witness] = []

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
        """See `TextModel.answer`.

        Raises:
            EndpointError: the model was exchanged; and as `Endpoint.answer`.
        """
        known = [self._asking.stored(request) for request in requests]
        if not all(known):
            self._look()
            kept = [(request, answer) for request, answer in zip(requests, known, strict=True) if answer]
            self._remember(kept)
            if kept:
                self._compare()
        before = self._asking.counts["answered"]
        answers = self._asking.answer(requests, done=done)
        self._remember(list(zip(requests, answers, strict=True)))
        if self._asking.counts["answered"] > before:
            self._look()
            self._compare(at_end=True)
        if len(self._asking.models) > 1:
            raise self._exchanged("its answers name " + " and ".join(sorted(self._asking.models)))
        return answers

    def _remember(self, answered: Sequence[Witness]) -> None:
        for request, answer in answered:
            said = answer.letters if request.letters else answer.text
            if said and len(self._witnesses) < WITNESSES:
                self._witnesses.append((request, answer))

    def _look(self) -> None:
        """What the server says of its model is what it said when the first answer was kept."""
        card = served_model(self.url, self.name)
        if card is None:
            return
        if self._card is None:
            self._card = card
            if self._store is not None:
                self._store.put(CARD, {"route": "models"}, card)
        elif card != self._card:
            changed = [key for key in sorted(card.keys() | self._card.keys()) if card.get(key) != self._card.get(key)]
            raise self._exchanged("what it says about its model is another: " + ", ".join(changed))

    def _compare(self, *, at_end: bool = False) -> None:
        """Exchanged is a model that answers every witness otherwise than before, and twice alike."""
        if len(self._witnesses) < 2:
            return
        short = [replace(request, max_tokens=min(request.max_tokens, PROBE_TOKENS)) for request, _ in self._witnesses]
        try:
            once = self._fresh.answer(short)
            if any(alike(before, now) for (_, before), now in zip(self._witnesses, once, strict=True)):
                return
            again = self._fresh.answer(short)
        except EndpointError:
            if at_end:
                return  # every answer is there; nothing more can be known
            raise
        if all(alike(first, second) for first, second in zip(once, again, strict=True)):
            raise self._exchanged(f"it answers {len(short)} questions otherwise than before")

    def _exchanged(self, why: str) -> EndpointError:
        return EndpointError(f"the server's model was exchanged under the evaluation: {why}", where=self.url, hint=HINT)


def alike(before: TextAnswer, now: TextAnswer) -> bool:
    """Whether two answers to one question can be those of one model; where nothing can be compared, they can.

    >>> alike(TextAnswer("答えはAです。理由は"), TextAnswer("答えはA")), alike(TextAnswer("B"), TextAnswer("C"))
    (True, False)
    >>> alike(TextAnswer("A", {"A": -0.1, "B": -3.0}), TextAnswer("A", {"A": -0.1, "B": -4.0}))
    False
    """
    if now.failure or before.failure:
        return True
    if before.letters:
        common = before.letters.keys() & now.letters.keys()
        return all(abs(before.letters[letter] - now.letters[letter]) <= NATS for letter in common)
    size = min(COMPARED, len(before.text), len(now.text))
    return before.text[:size] == now.text[:size]

"""How fast each model answered so far, kept beside the answers: what `igakulm synth --dry-run` reckons with.

Does: add up requests, tokens and seconds over runs in one small JSON file. Does not: enter any result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from igakulm.asking.client import Answer
from igakulm.errors import InputError
from igakulm.files import read_json, write_json

SAVE_EVERY = 30.0
"""Seconds between two writings of the file, so that a killed run leaves its rate as well."""


@dataclass(slots=True)
class Tokens:
    """Answers of one kind and their tokens, as the server counted them."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0


@dataclass(slots=True)
class Rate:
    """What one model did: `kinds` by kind of request, `seconds` of wall time in which it was asked."""

    seconds: float = 0.0
    kinds: dict[str, Tokens] = field(default_factory=dict)

    @property
    def completion_tokens_per_second(self) -> float | None:
        """Tokens a second over all requests at once; None where the server counted none."""
        tokens = sum(kind.completion for kind in self.kinds.values())
        return tokens / self.seconds if tokens and self.seconds > 0 else None

    @property
    def requests_per_second(self) -> float | None:
        """Answers a second, None before the first."""
        requests = sum(kind.requests for kind in self.kinds.values())
        return requests / self.seconds if requests and self.seconds > 0 else None


def rates_path(answers: Path) -> Path:
    """The file of rates that belongs to a file of answers."""
    return answers.with_suffix(".rates.json")


def model_name(model: str, revision: str) -> str:
    """The model as it stands in the file.

    >>> model_name("writer-7b", ""), model_name("writer-7b", "v2")
    ('writer-7b', 'writer-7b @ v2')
    """
    return f"{model} @ {revision}" if revision else model


def read_rates(path: Path) -> dict[str, Rate]:
    """The rates by model; none if there is no readable file, because only an estimate hangs on them."""
    try:
        found = read_json(path)
        return {
            name: Rate(float(rate["seconds"]), {kind: Tokens(**counts) for kind, counts in rate["kinds"].items()})
            for name, rate in found.items()
        }
    except (InputError, TypeError, ValueError, LookupError, AttributeError):
        return {}


class RateLog:
    """Adds a run's answers to the file; `clock` in seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self.rates = read_rates(path)
        self._counted = self._saved = clock()
        self._busy: set[str] = set()

    def begin(self, name: str) -> None:
        """From now on the model is asked; harmless when it is already."""
        if name not in self._busy:
            self._count()
            self._busy.add(name)

    def end(self, name: str) -> None:
        """The model has nothing to do any more."""
        self._count()
        self._busy.discard(name)
        self.save()

    def add(self, name: str, kind: str, answer: Answer) -> None:
        """Count a new answer."""
        tokens = self.rates.setdefault(name, Rate()).kinds.setdefault(kind, Tokens())
        tokens.requests += 1
        tokens.prompt += usage(answer, "prompt_tokens")
        tokens.completion += usage(answer, "completion_tokens")
        if self._clock() - self._saved >= SAVE_EVERY:
            self.save()

    def _count(self) -> None:
        now = self._clock()
        for name in self._busy:
            self.rates.setdefault(name, Rate()).seconds += now - self._counted
        self._counted = now

    def save(self) -> None:
        """Write the file."""
        self._count()
        self._saved = self._clock()
        asked = {name: asdict(rate) for name, rate in sorted(self.rates.items()) if rate.kinds}
        if asked:
            write_json(self._path, asked)


def usage(answer: Answer, name: str) -> int:
    """Tokens as the server counted them; 0 where it did not."""
    found = answer.body.get("usage")
    count = found.get(name) if isinstance(found, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 0

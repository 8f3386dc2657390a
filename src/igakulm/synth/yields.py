"""What became of the requests: texts asked for, kept and rejected, by kind, writer and wording, with their reasons.

Does: count, and give the summary and `yield.json`, which are functions of the answers alone. Does not: judge texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from igakulm.asking.client import Answer
from igakulm.synth.jobs import Job
from igakulm.synth.rates import usage
from igakulm.synth.writers import Author

KINDS = ("textbook", "exam")


@dataclass(slots=True)
class Tally:
    """Counts of one writer, kind or wording; `tokens` are those of all its answers, kept or not."""

    asked: int = 0
    kept: int = 0
    characters: int = 0
    tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Yield:
    """All counts; `positions` of the right options (`written`: before shuffling) and verification are of exam items."""

    writers: dict[str, Tally] = field(default_factory=dict)
    kinds: dict[str, Tally] = field(default_factory=dict)
    prompts: dict[str, Tally] = field(default_factory=dict)
    positions: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)

    def asked(self, job: Job, answer: Answer | None) -> None:
        """A job, with its answer if it has one."""
        tokens = usage(answer, "completion_tokens") if answer is not None else 0
        for tally in self._tallies(job):
            tally.asked += 1
            tally.tokens += tokens

    def kept(self, job: Job, text: str) -> None:
        """Its text was kept."""
        for tally in self._tallies(job):
            tally.kept += 1
            tally.characters += len(text)

    def rejected(self, job: Job, reason: str) -> None:
        """Its text was not."""
        for tally in self._tallies(job):
            tally.reasons[reason] += 1

    def _tallies(self, job: Job) -> tuple[Tally, Tally, Tally]:
        return (
            self.writers.setdefault(job.writer, Tally()),
            self.kinds.setdefault(job.kind, Tally()),
            self.prompts.setdefault(job.prompt_name, Tally()),
        )

    def summary(self, available: int) -> dict[str, Any]:
        """The stage's summary: texts of all kinds together, textbooks and exam items apart."""
        found = [self.kinds.get(kind, Tally()) for kind in KINDS]
        reasons: Counter[str] = sum((tally.reasons for tally in found), Counter())
        return {
            "terms_available": available,
            "terms": found[0].asked,
            "exams": found[1].asked,
            "documents": sum(tally.kept for tally in found),
            "textbooks": found[0].kept,
            "exam_items": found[1].kept,
            "characters": sum(tally.characters for tally in found),
            "completion_tokens": sum(tally.tokens for tally in found),
            "rejected": dict(sorted(reasons.items())),
        }

    def report(self, authors: Mapping[str, Author]) -> dict[str, Any]:
        """What `yield.json` has beyond the summary: counts by kind, writer (with its terms and share) and wording."""
        characters = sum(tally.characters for tally in self.writers.values())
        writers = {
            name: {
                **{key: value for key, value in author.provenance.items() if key != "writer"},
                "licence": author.licence,
                **_counts(tally := self.writers.get(name, Tally())),
                "share_of_characters": round(tally.characters / characters, 4) if characters else 0.0,
            }
            for name, author in authors.items()
        }
        return {
            "kinds": {name: _counts(tally) for name, tally in sorted(self.kinds.items())},
            "writers": writers,
            "prompts": {
                name: {"asked": tally.asked, "kept": tally.kept} for name, tally in sorted(self.prompts.items())
            },
        }


def _counts(tally: Tally) -> dict[str, object]:
    return {
        "asked": tally.asked,
        "kept": tally.kept,
        "characters": tally.characters,
        "completion_tokens": tally.tokens,
        "rejected": dict(sorted(tally.reasons.items())),
    }

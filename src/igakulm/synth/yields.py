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
class Counts:
    """Counts of one writer, kind or wording; `tokens` are those of all its answers, kept or not."""

    asked: int = 0
    kept: int = 0
    characters: int = 0
    tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Yield:
    """All counts; `positions` of the right options (`written`: before shuffling) and verification are of exam items."""

    writers: dict[str, Counts] = field(default_factory=dict)
    kinds: dict[str, Counts] = field(default_factory=dict)
    prompts: dict[str, Counts] = field(default_factory=dict)
    positions: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)

    def asked(self, job: Job, answer: Answer | None) -> None:
        """A job, with its answer if it has one."""
        tokens = usage(answer, "completion_tokens") if answer is not None else 0
        for counts in self._counts_of(job):
            counts.asked += 1
            counts.tokens += tokens

    def kept(self, job: Job, text: str) -> None:
        """Its text was kept."""
        for counts in self._counts_of(job):
            counts.kept += 1
            counts.characters += len(text)

    def rejected(self, job: Job, reason: str) -> None:
        """Its text was not."""
        for counts in self._counts_of(job):
            counts.reasons[reason] += 1

    def _counts_of(self, job: Job) -> tuple[Counts, Counts, Counts]:
        return (
            self.writers.setdefault(job.writer, Counts()),
            self.kinds.setdefault(job.kind, Counts()),
            self.prompts.setdefault(job.prompt_name, Counts()),
        )

    def summary(self, available: int) -> dict[str, Any]:
        """The stage's summary: texts of all kinds together, textbooks and exam items apart."""
        found = [self.kinds.get(kind, Counts()) for kind in KINDS]
        reasons: Counter[str] = sum((counts.reasons for counts in found), Counter())
        return {
            "terms_available": available,
            "terms": found[0].asked,
            "exams": found[1].asked,
            "documents": sum(counts.kept for counts in found),
            "textbooks": found[0].kept,
            "exam_items": found[1].kept,
            "characters": sum(counts.characters for counts in found),
            "completion_tokens": sum(counts.tokens for counts in found),
            "rejected": dict(sorted(reasons.items())),
        }

    def report(self, authors: Mapping[str, Author]) -> dict[str, Any]:
        """What `yield.json` has beyond the summary: counts by kind, writer (with its terms and share) and wording."""
        characters = sum(counts.characters for counts in self.writers.values())
        writers = {
            name: {
                **{key: value for key, value in author.provenance.items() if key != "writer"},
                "licence": author.licence,
                **_counts(counts := self.writers.get(name, Counts())),
                "share_of_characters": round(counts.characters / characters, 4) if characters else 0.0,
            }
            for name, author in authors.items()
        }
        return {
            "kinds": {name: _counts(counts) for name, counts in sorted(self.kinds.items())},
            "writers": writers,
            "prompts": {
                name: {"asked": counts.asked, "kept": counts.kept} for name, counts in sorted(self.prompts.items())
            },
        }


def _counts(counts: Counts) -> dict[str, object]:
    return {
        "asked": counts.asked,
        "kept": counts.kept,
        "characters": counts.characters,
        "completion_tokens": counts.tokens,
        "rejected": dict(sorted(counts.reasons.items())),
    }

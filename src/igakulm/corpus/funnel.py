"""The funnel: how many documents and characters of each source are left after each step, and why the others went.

Does: count, keep three samples of each reason, prove that every document read was kept or dropped.
Does not: decide or write.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

STEPS = ("read", "clean", "filter", "exact", "near", "decontamination")
_SAMPLES = 3
_SAMPLE_CHARACTERS = 200


class SourceCount:
    """Counts of one source."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.documents: Counter[str] = Counter()
        self.characters: Counter[str] = Counter()
        self.dropped = 0
        self.licences: set[str] = set()

    def passed(self, step: str, characters: int) -> None:
        """One document is still there after `step`."""
        self.documents[step] += 1
        self.characters[step] += characters

    def as_json(self) -> dict[str, Any]:
        """The source's part of funnel.json."""
        steps = [
            {"step": step, "documents": self.documents[step], "characters": self.characters[step]} for step in STEPS
        ]
        return {"name": self.name, "kind": self.kind, "licences": sorted(self.licences), "steps": steps}


class Funnel:
    """Counts of a whole corpus."""

    def __init__(self) -> None:
        self.sources: dict[str, SourceCount] = {}
        self.reasons: Counter[str] = Counter()
        self.samples: dict[str, list[dict[str, str]]] = {}
        self.personal: Counter[str] = Counter()

    def source(self, name: str, kind: str) -> SourceCount:
        """The counts of a source, made at its first document."""
        if name not in self.sources:
            self.sources[name] = SourceCount(name, kind)
        return self.sources[name]

    def drop(self, source: str, reason: str, identifier: str, text: str) -> None:
        """Count a dropped document."""
        self.sources[source].dropped += 1
        self.reasons[reason] += 1
        samples = self.samples.setdefault(reason, [])
        if len(samples) < _SAMPLES:
            samples.append({"id": identifier, "text": text[:_SAMPLE_CHARACTERS]})

    def check(self) -> None:
        """Every document that was read was either kept or dropped.

        Raises:
            RuntimeError: the counts of a source differ, which is a mistake in this program.
        """
        for source in self.sources.values():
            kept = source.documents[STEPS[-1]]
            if source.documents["read"] != kept + source.dropped:
                raise RuntimeError(
                    f"source {source.name!r}: {source.documents['read']} documents read, "
                    f"but {kept} kept and {source.dropped} dropped"
                )

    def as_json(self, tasks: list[str], unchecked: dict[str, int]) -> dict[str, Any]:
        """funnel.json; `tasks` are the benchmark tasks that were looked for, `unchecked` their items too short."""
        return {
            "sources": [source.as_json() for source in self.sources.values()],
            "reasons": dict(sorted(self.reasons.items())),
            "samples": dict(sorted(self.samples.items())),
            "decontamination": {task: self.reasons[f"benchmark:{task}"] for task in tasks},
            "benchmark_items_too_short": unchecked,
            "personal_data_deleted": dict(sorted(self.personal.items())),
        }

    def sources_json(self) -> dict[str, Any]:
        """sources.json: what the kept documents are made of."""
        return {
            source.name: {
                "kind": source.kind,
                "licences": sorted(source.licences),
                "documents": source.documents[STEPS[-1]],
                "characters": source.characters[STEPS[-1]],
            }
            for source in self.sources.values()
        }

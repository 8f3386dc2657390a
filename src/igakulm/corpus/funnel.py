"""The funnel: how many documents and characters of each source are left after each step, and why the others went.

Does: count, keep three samples of each reason, add the counts of parts, prove that every document read was kept or
dropped. Does not: decide or write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

STEPS = ("read", "clean", "filter", "exact", "near", "decontamination", "boilerplate", "quality")
"""In the order in which they are applied."""
_SAMPLES = 3
_SAMPLE_CHARACTERS = 200


class SourceCount:
    """Counts of one source."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.documents: Counter[str] = Counter()
        self.characters: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.personal: Counter[str] = Counter()
        self.licences: set[str] = set()

    def passed(self, step: str, characters: int) -> None:
        """One document is still there after `step`."""
        self.documents[step] += 1
        self.characters[step] += characters

    def as_json(self, steps: Sequence[str]) -> dict[str, Any]:
        """The source's part of funnel.json."""
        listed = [
            {"step": step, "documents": self.documents[step], "characters": self.characters[step]} for step in steps
        ]
        return {
            "name": self.name,
            "kind": self.kind,
            "licences": sorted(self.licences),
            "steps": listed,
            "reasons": dict(sorted(self.dropped.items())),
        }


class Funnel:
    """Counts of a whole corpus, or of a part of it."""

    def __init__(self, steps: Sequence[str] = STEPS) -> None:
        self.steps = tuple(steps)
        self.sources: dict[str, SourceCount] = {}
        self.samples: dict[str, list[dict[str, str]]] = {}
        self.personal: Counter[str] = Counter()

    @property
    def reasons(self) -> Counter[str]:
        """Dropped documents of all sources by reason."""
        return sum((source.dropped for source in self.sources.values()), Counter())

    def source(self, name: str, kind: str) -> SourceCount:
        """The counts of a source, made at its first document."""
        if name not in self.sources:
            self.sources[name] = SourceCount(name, kind)
        return self.sources[name]

    def total(self, step: str) -> int:
        """Documents of all sources that are there after a step."""
        return sum(source.documents[step] for source in self.sources.values())

    def drop(self, source: str, reason: str, identifier: str, text: str) -> None:
        """Count a dropped document."""
        self.sources[source].dropped[reason] += 1
        samples = self.samples.setdefault(reason, [])
        if len(samples) < _SAMPLES:
            samples.append({"id": identifier, "text": text[:_SAMPLE_CHARACTERS]})

    def record(self) -> dict[str, Any]:
        """All counts as JSON, for `add`."""
        sources = [
            {
                "name": source.name,
                "kind": source.kind,
                "documents": dict(source.documents),
                "characters": dict(source.characters),
                "dropped": dict(source.dropped),
                "personal": dict(source.personal),
                "licences": sorted(source.licences),
            }
            for source in self.sources.values()
        ]
        return {"sources": sources, "samples": self.samples, "personal": dict(self.personal)}

    def add(self, record: Mapping[str, Any]) -> None:
        """Add the counts of a part; parts come in reading order, so that the first samples are kept."""
        for row in record["sources"]:
            source = self.source(row["name"], row["kind"])
            for name in ("documents", "characters", "dropped", "personal"):
                getattr(source, name).update(row[name])
            source.licences.update(row["licences"])
        for reason, samples in record["samples"].items():
            kept = self.samples.setdefault(reason, [])
            kept += samples[: _SAMPLES - len(kept)]
        self.personal.update(record["personal"])

    def check(self) -> None:
        """Every document that was read was either kept or dropped.

        Raises:
            RuntimeError: the counts of a source differ, which is a mistake in this program.
        """
        for source in self.sources.values():
            kept, dropped = source.documents[self.steps[-1]], source.dropped.total()
            if source.documents["read"] != kept + dropped:
                raise RuntimeError(
                    f"source {source.name!r}: {source.documents['read']} documents read, "
                    f"but {kept} kept and {dropped} dropped"
                )

    def as_json(self, tasks: Sequence[str], unchecked: Mapping[str, int]) -> dict[str, Any]:
        """funnel.json; `tasks` are the benchmark tasks that were looked for, `unchecked` their items too short."""
        reasons = self.reasons
        return {
            "sources": [source.as_json(self.steps) for source in self.sources.values()],
            "reasons": dict(sorted(reasons.items())),
            "samples": dict(sorted(self.samples.items())),
            "decontamination": {task: reasons[f"benchmark:{task}"] for task in tasks},
            "benchmark_items_too_short": dict(unchecked),
            "personal_data_deleted": dict(sorted(self.personal.items())),
        }

    def sources_json(self) -> dict[str, Any]:
        """sources.json: what the kept documents are made of."""
        return {
            source.name: {
                "kind": source.kind,
                "licences": sorted(source.licences),
                "documents": source.documents[self.steps[-1]],
                "characters": source.characters[self.steps[-1]],
            }
            for source in self.sources.values()
        }

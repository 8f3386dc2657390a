"""What a finished corpus says of itself: funnel.json, sources.json and statistics.json as typed models.

Does: read them. Does not: count (funnel.py, histograms.py), or write (build_corpus.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, JsonValue, TypeAdapter

from igakulm.files import read_json
from igakulm.stored import Part, Stored, parse, refuse_newer

FUNNEL, SOURCES, STATISTICS = "funnel.json", "sources.json", "statistics.json"
T = TypeVar("T")
Kind = Literal["medical", "general"]
NEWEST = 1
"""Of sources.json and statistics.json, which have the sources' names as keys and so far no key `format`."""


class StepCount(Part):
    """What is left of a source after a step."""

    step: str
    documents: int = 0
    characters: int = 0


class FunnelSource(Part):
    """One source: what each step left, and how many documents went for which reason."""

    name: str
    kind: str = ""
    licences: tuple[str, ...] = ()
    steps: tuple[StepCount, ...] = ()
    reasons: dict[str, int] = Field(default_factory=dict)


class Dropped(Part):
    """A dropped document: the beginning of its text."""

    id: str = ""
    text: str = ""


class FunnelFile(Stored):
    """funnel.json. `decontamination`: task -> documents that were dropped for it; `benchmark_items_too_short`: task ->
    items that could not be looked for; `personal_data_deleted`: kind -> places.
    """

    sources: tuple[FunnelSource, ...] = ()
    reasons: dict[str, int] = Field(default_factory=dict)
    samples: dict[str, tuple[Dropped, ...]] = Field(default_factory=dict)
    decontamination: dict[str, int] = Field(default_factory=dict)
    benchmark_items_too_short: dict[str, int] = Field(default_factory=dict)
    personal_data_deleted: dict[str, int] = Field(default_factory=dict)


class SourceEntry(Part):
    """What is kept of a source; `personal_data`: what was done about it (corpus/personal_data.py)."""

    kind: Kind
    licences: tuple[str, ...] = ()
    documents: int = 0
    characters: int = 0
    personal_data: dict[str, JsonValue] = Field(default_factory=dict)


class Statistics(Part):
    """Documents by length (lower end of the class), by share of Japanese characters, and characters by script."""

    lengths: dict[str, int] = Field(default_factory=dict)
    japanese_share: dict[str, int] = Field(default_factory=dict)
    scripts: dict[str, int] = Field(default_factory=dict)


def read_sources(corpus_dir: Path) -> dict[str, SourceEntry]:
    """Source -> what is kept of it.

    Raises:
        InputError: no sources.json, or a damaged or newer one.
    """
    return _by_source(corpus_dir / SOURCES, TypeAdapter(dict[str, SourceEntry]))


def read_statistics(corpus_dir: Path) -> dict[str, Statistics]:
    """Source -> counts of its kept documents; errors as `read_sources`."""
    return _by_source(corpus_dir / STATISTICS, TypeAdapter(dict[str, Statistics]))


def _by_source(path: Path, adapter: TypeAdapter[dict[str, T]]) -> dict[str, T]:
    value = read_json(path)
    refuse_newer(value, NEWEST, str(path))
    return parse(value, adapter, str(path))

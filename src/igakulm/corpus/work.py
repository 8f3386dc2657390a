"""The work on one batch of documents, the same in every process and on every machine.

Does: clean, delete personal data, filter; digests, signatures, benchmark matches and hashes of lines of what passes.
Does not: read, write or compare documents with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igakulm.corpus.decontaminate import Finder, Index, Match
from igakulm.corpus.dedup import Signatures, digests_of, signatures_of
from igakulm.corpus.personal_data import SourceCleaner
from igakulm.corpus.repeated import Marks, mark, site_of
from igakulm.corpus.source_filters import drop_by_source, filters_by_source
from igakulm.recipe.schema import CorpusSection
from igakulm.text.ngrams import letters_of


@dataclass(frozen=True)
class Result:
    """One batch: cleaned texts and the reason of each (None = passed); the rest is about the passed ones, in order."""

    texts: list[str]
    reasons: list[tuple[str, str] | None]
    personal: dict[str, dict[str, int]]
    digests: list[bytes]
    signatures: Signatures
    marks: Marks
    matches: list[Match | None]


class Worker:
    """Settings and the tables that are built once from them."""

    def __init__(self, corpus: CorpusSection, index: Index) -> None:
        self._corpus = corpus
        self._clean = SourceCleaner(corpus)
        self._filters = filters_by_source(corpus)
        self._finder = Finder(index)

    def __call__(
        self, texts: Sequence[str], sources: Sequence[str], ids: Sequence[str], metas: Sequence[str]
    ) -> Result:
        """Work on documents as they were read, with the name of the source, the id and the metadata of each."""
        corpus = self._corpus
        cleaned = self._clean(texts, sources, ids, metas)
        reasons = drop_by_source(cleaned.texts, sources, self._filters, corpus.filters, metas, texts)
        passed = [place for place, reason in enumerate(reasons) if reason is None]
        kept = [cleaned.texts[place] for place in passed]
        sites = [site_of(sources[place], metas[place], corpus.repeated) for place in passed]
        letters = letters_of(kept)
        near = corpus.near_duplicates
        if near.enabled and kept:
            signatures = signatures_of(letters, near)
        else:
            signatures = np.zeros((len(kept), near.bands * near.rows), np.uint16)
        return Result(
            cleaned.texts,
            reasons,
            cleaned.personal,
            digests_of(letters),
            signatures,
            mark(kept, sites, corpus.repeated),
            self._finder.find(letters),
        )

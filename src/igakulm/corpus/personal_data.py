"""Cleaning and personal data of a batch of documents, by what the recipe says of each source.

Does: take personal data out of records before the cleaning, delete it from public text after it, and count both by
source. Does not: find anything itself (text/personal/).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from igakulm.corpus.menus import without_menus, without_skeletons
from igakulm.recipe.personal_data import Deidentification, deidentification
from igakulm.recipe.schema import CorpusSection, Source
from igakulm.text.cleaning import clean_texts
from igakulm.text.personal.key_file import deidentifier_of
from igakulm.text.personal.masking import mask_texts
from igakulm.text.personal.replacing import Deidentifier

_WHERE = "corpus.sources.personal_data"


class Cleaned(NamedTuple):
    """Cleaned texts in order, and how many spans of each kind were taken out of each source."""

    texts: list[str]
    personal: dict[str, dict[str, int]]


class SourceCleaner:
    """Cleans documents of the sources of a recipe; one a process.

    Raises:
        InputError: the settings of a source need a key file, or it cannot be used.
    """

    def __init__(self, corpus: CorpusSection) -> None:
        self._privacy = corpus.privacy
        self._sources = {source.name: source for source in corpus.sources}
        chosen = {source.name: deidentification(source.personal_data) for source in corpus.sources}
        self._settings: dict[str, Deidentification] = {name: one for name, one in chosen.items() if one is not None}
        for settings in self._settings.values():
            deidentifier_of(settings, _WHERE)

    def __call__(
        self, texts: Sequence[str], sources: Sequence[str], ids: Sequence[str], metas: Sequence[str]
    ) -> Cleaned:
        """Clean documents as they were read, with the source, id and metadata of each."""
        cleaned: list[str] = []
        personal: dict[str, Counter[str]] = {}
        for name, group in groupby(range(len(texts)), key=lambda place: sources[place]):
            places = list(group)
            batch = [texts[place] for place in places]
            counts = personal.setdefault(name, Counter())
            if name in self._settings:
                rows = [(ids[place], metas[place]) for place in places]
                batch = self._without(batch, rows, self._settings[name], counts)
            batch = clean_texts(batch)
            if self._is_public(self._sources.get(name)):
                masked = mask_texts(batch, self._privacy)
                batch = [
                    after if after == before else without_skeletons(after)
                    for before, after in zip(batch, masked.texts, strict=True)
                ]
                counts.update(masked.deleted)
            if (source := self._sources.get(name)) is not None and strips_menus(source):
                batch = [without_menus(text) for text in batch]
            cleaned += batch
        return Cleaned(cleaned, {name: dict(counts) for name, counts in personal.items() if counts})

    @staticmethod
    def _is_public(source: Source | None) -> bool:
        """Whether web notations are deleted: not in records, where 「#糖尿病」 is a problem and no tag."""
        return source is None or (source.kind != "records" and source.personal_data != "kept")

    @staticmethod
    def _without(
        texts: Sequence[str], rows: Sequence[tuple[str, str]], settings: Deidentification, counts: Counter[str]
    ) -> list[str]:
        deidentifier: Deidentifier = deidentifier_of(settings, _WHERE)
        replaced = [
            deidentifier(text, _scope(settings, identifier, meta)).text
            for text, (identifier, meta) in zip(texts, rows, strict=True)
        ]
        counts.update(deidentifier.counts)
        return replaced


def strips_menus(source: Source) -> bool:
    """Whether menus are taken out: the recipe's word, else of OSCAR alone, whose pages are whole."""
    return source.format == "oscar" if source.strip_menus is None else source.strip_menus


def _scope(settings: Deidentification, identifier: str, meta: str) -> str:
    """The patient, as the metadata of the document names it, else the document."""
    value = json.loads(meta).get(settings.patient) if settings.patient and meta else None
    return str(value) if isinstance(value, str | int) else identifier


def personal_data_of(source: Source | None, corpus: CorpusSection, replaced: dict[str, int]) -> dict[str, object]:
    """What was done to a source, for sources.json and the card."""
    settings = deidentification(source.personal_data) if source else None
    if settings is not None:
        done = Deidentifier(settings, b"none").record()
        return {key: done[key] for key in ("how", "layers", "style", "dates")} | {"replaced": replaced}
    if source is not None and (source.kind == "records" or source.personal_data == "kept"):
        return {"how": "kept"}
    kinds = sorted(name for name, wanted in corpus.privacy.model_dump().items() if wanted)
    return {"how": "deleted", "layers": ["rules"], "kinds": kinds, "replaced": replaced} if kinds else {"how": "kept"}

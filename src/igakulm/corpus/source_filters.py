"""The filters of each source: the recipe's, changed by what the source is and by what it says itself.

Does: hold the thresholds for a hospital's records, and put the keys of a source over those of the recipe.
Does not: judge (filter.py).

Rules that were set on web pages drop most records: a line of laboratory values is mostly digits, a report of an
echocardiogram mostly Latin letters, a problem list short lines, a chart the same words every day. What stays of the
rules is what no record is: broken or garbled characters, nothing but symbols, hardly any text at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from igakulm.corpus.filter import drop_reasons
from igakulm.corpus.filters.filter import Finding
from igakulm.recipe.schema import CorpusSection, Filters, Source

NEVER = 1_000_000
RECORDS = Filters(
    min_characters=10,
    min_japanese_share=0.0,
    min_kana_share=0.0,
    max_symbol_share=0.6,
    max_digit_share=0.9,
    max_duplicate_line_share=1.0,
    max_duplicate_sentence_share=1.0,
    max_duplicate_ngram_share=1.0,
    max_short_line_share=1.0,
    max_advertisement_words=NEVER,
    max_adult_words=NEVER,
    drop_truncated=False,
)
"""For sources of `kind: records`; the keys that it sets count more than `corpus.filters`."""


def filters_of(source: Source | None, corpus: CorpusSection) -> Filters:
    """The filters of a source; None = documents of an earlier stage.

    >>> notes = Source(name="a", path="a", kind="records", personal_data="kept", filters=Filters(min_characters=30))
    >>> found = filters_of(notes, CorpusSection(filters=Filters(max_characters=1000, drop_truncated=True)))
    >>> found.min_characters, found.max_characters, found.drop_truncated
    (30, 1000, False)
    """
    found = corpus.filters
    if source is None:
        return found
    for changed in ([RECORDS] if source.kind == "records" else []) + ([source.filters] if source.filters else []):
        found = found.model_copy(update={name: getattr(changed, name) for name in changed.model_fields_set})
    return found


def filters_by_source(corpus: CorpusSection) -> dict[str, Filters]:
    """The filters of every source of the recipe by its name."""
    return {source.name: filters_of(source, corpus) for source in corpus.sources}


def drop_by_source(
    texts: Sequence[str],
    sources: Sequence[str],
    filters: Mapping[str, Filters],
    others: Filters,
    metas: Sequence[str],
    read: Sequence[str],
) -> list[Finding | None]:
    """`drop_reasons` of each document by the filters of its source; `others` are those of sources without a name."""
    found: list[Finding | None] = []
    for name, group in groupby(range(len(texts)), key=lambda place: sources[place]):
        places = list(group)
        span = slice(places[0], places[-1] + 1)
        found += drop_reasons(texts[span], filters.get(name, others), metas[span], read[span])
    return found

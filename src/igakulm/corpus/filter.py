"""Rules that drop a document, each with a reason code (section 2.1: unsuitable, cut-off or repeated text).

Does: judge cleaned documents by the thresholds of the recipe's `filters`, 15 MB/s and more on one core; say which rule
dropped a document and what it measured. Does not: change a document, or judge quality by a model.

The first filter of `corpus/filters/` that matches gives the reason. What a reason means and which key of the recipe
sets its threshold stands beside the keys of `Filters`.

Good text that the rules must not lose: nursing records and findings of 60 characters without a full stop, problem
lists, laws in katakana, verse and dialogue. Where a rule looks at the share of something, it therefore also asks for a
minimum amount of it; the numbers below were set on such text.
"""

from __future__ import annotations

from collections.abc import Sequence

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.corpus.filters.measure import measure
from igakulm.corpus.filters.registry import all_filters
from igakulm.recipe.schema import Filters


def drop_reason(text: str, filters: Filters, meta: str = "{}") -> Finding | None:
    """Reason code and detail if the document is dropped, None if it is kept.

    >>> drop_reason("短い。", Filters())
    ('too_short', '3 characters')
    >>> drop_reason("安静時の血圧が持続的に高い状態を高血圧症という。" * 1, Filters(min_characters=10)) is None
    True
    """
    return drop_reasons([text], filters, [meta])[0]


def drop_reasons(
    texts: Sequence[str], filters: Filters, metas: Sequence[str] | None = None, read: Sequence[str] | None = None
) -> list[Finding | None]:
    """`drop_reason` of each document; characters and words of all of them are counted at once.

    `metas` are the documents' metadata as JSON; without them the rules about OSCAR's flags find nothing. `read` are the
    documents before cleaning, which deletes characters that could not be read; without them none is missed.
    """
    metas = metas if metas is not None else ["{}"] * len(texts)
    documents = [Document(*parts) for parts in zip(texts, read or texts, metas, strict=True)]
    asked = all_filters()
    first = next((place for place, one in enumerate(asked) if one.needs_measures), len(asked))
    findings = [_first_finding(document, asked[:first], filters) for document in documents]
    still_kept = [place for place, finding in enumerate(findings) if finding is None]
    measured = measure([documents[place] for place in still_kept], filters)
    for place, document in zip(still_kept, measured, strict=True):
        findings[place] = _first_finding(document, asked[first:], filters)
    return findings


def _first_finding(document: Document, asked: Sequence[Filter], filters: Filters) -> Finding | None:
    for one in asked:
        finding = one.judge(document, filters)
        if finding is not None:
            return finding
    return None

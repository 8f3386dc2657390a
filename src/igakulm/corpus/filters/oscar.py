"""What OSCAR's makers found out about a document, as reasons to drop it.

Does: judge the metadata that the reader keeps of OSCAR 22.01 and 23.01: quality warnings and annotations (`warnings`),
block-list categories (`categories`), the perplexity of a model of harmful text (`harmful_pp`, low = harmful) and the
probability of the identified language (`language_probability`). Does not: look at the text.

Of 23.01's warnings, `short_sentences`, `tiny`, `header` and `footer` count lines as sentences and stand on nearly all
Japanese pages; `noisy` and 22.01's `adult` mean something.
"""

from __future__ import annotations

import json

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters

_KEYS = ('"warnings"', '"categories"', '"harmful_pp"', '"language_probability"')


def flag_reason(meta: str, filters: Filters) -> Finding | None:
    """Reason code and detail if the metadata (JSON as text) speak against a document.

    >>> flag_reason('{"warnings": ["tiny", "noisy"]}', Filters())
    ('oscar_warning', 'noisy')
    >>> flag_reason('{"harmful_pp": 12.5}', Filters(min_harmful_perplexity=25))
    ('oscar_harmful', 'perplexity of harmful text 12.5')
    """
    if not any(key in meta for key in _KEYS):
        return None
    try:
        about = json.loads(meta)
    except ValueError:
        return None
    return _of(about, filters) if isinstance(about, dict) else None


def _of(about: dict[str, object], filters: Filters) -> Finding | None:
    for key, unwanted in (("warnings", filters.drop_warnings), ("categories", filters.drop_categories)):
        found = _words(about.get(key)) & set(unwanted)
        if found:
            return f"oscar_{'warning' if key == 'warnings' else 'category'}", ", ".join(sorted(found))
    perplexity, least = _number(about.get("harmful_pp")), filters.min_harmful_perplexity
    if perplexity is not None and least is not None and perplexity < least:
        return "oscar_harmful", f"perplexity of harmful text {perplexity:.1f}"
    probability, least = _number(about.get("language_probability")), filters.min_language_probability
    if probability is not None and least is not None and probability < least:
        return "oscar_language", f"probability of the language {probability:.2f}"
    return None


def _words(value: object) -> set[str]:
    """The hub's form has one string where the files have a list."""
    if isinstance(value, str):
        return {value}
    return {word for word in value if isinstance(word, str)} if isinstance(value, list) else set()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def judge(document: Document, filters: Filters) -> Finding | None:
    """Looks at the metadata alone."""
    return flag_reason(document.meta, filters)


FILTER = Filter(
    reasons=("oscar_warning", "oscar_category", "oscar_harmful", "oscar_language"),
    keys=("drop_warnings", "drop_categories", "min_harmful_perplexity", "min_language_probability"),
    judge=judge,
    order=20,
)

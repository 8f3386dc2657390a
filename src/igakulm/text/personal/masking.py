"""Deletion of personal data and web notations from cleaned text (section 2.2.1), for the corpus.

Does: delete what the finder finds of the kinds that a recipe names, tidy what is left, count what was deleted.
Does not: find anything of its own. It is a first net for public text; for records see finder.py and replacing.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from igakulm.recipe.personal_data import Kind
from igakulm.recipe.schema import Privacy
from igakulm.text.personal.finder import Finder
from igakulm.text.personal.spans import Span

KINDS = ("mail", "url", "telephone", "account", "tag", "postal_code", "patient_number")
"""What a recipe can switch; My Number and insurance numbers go with `patient_number`."""
_MORE_KINDS: dict[str, tuple[Kind, ...]] = {"patient_number": ("patient_number", "insurance_number", "my_number")}
_GROUP = {kind: group for group, kinds in _MORE_KINDS.items() for kind in kinds}


class Masked(NamedTuple):
    """The texts without personal data, and how many pieces of each kind were deleted."""

    texts: list[str]
    deleted: dict[str, int]


_GAP = "\x1f"
"""Stands where something was deleted until the text around it has been tidied."""
_EMPTIED = re.compile(rf"[(\[「〈《<] ?{_GAP}(?: ?{_GAP})* ?[)\]」〉》>]")
_GAPS = re.compile(rf"( ?)(?:{_GAP} ?)*{_GAP}( ?)")


@cache
def _finder(config: Privacy) -> Finder:
    kinds = (kind for name in KINDS if getattr(config, name) for kind in _MORE_KINDS.get(name, (name,)))
    return Finder(tuple(kinds), ("rules",), "web")  # type: ignore[arg-type]


def mask_texts(texts: Sequence[str], config: Privacy) -> Masked:
    """Delete personal data from cleaned documents.

    Args:
        texts: documents as `clean_texts` returns them (one form of hyphen, half-width digits).
        config: which kinds are deleted.

    >>> mask_texts(["電話は03-1234-5678、体温は38.5℃です。"], Privacy()).texts
    ['電話は、体温は38.5℃です。']
    >>> mask_texts(["アムロジピン5mgを1日1回、2024-01-05から10-12日"], Privacy()).deleted
    {}
    """
    joined = "\n".join(texts)
    spans = [span for span in _finder(config).find_read(joined) if "\n" not in joined[span.start : span.end]]
    if not spans:
        return Masked(list(texts), {})
    deleted = Counter(_GROUP.get(span.kind, span.kind) for span in spans)
    return Masked(_without(texts, spans), {kind: deleted[kind] for kind in KINDS if deleted[kind]})


def _without(texts: Sequence[str], spans: Sequence[Span]) -> list[str]:
    """The texts without the spans, which count from the beginning of the first text."""
    masked = list(texts)
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    place = 0
    pieces: list[str] = []
    position = 0
    for span in spans:
        while span.start >= starts[place + 1]:
            if pieces:
                masked[place] = _tidy("".join([*pieces, texts[place][position:]]))
                pieces, position = [], 0
            place += 1
        offset = starts[place]
        pieces += (texts[place][position : span.start - offset], _GAP)
        position = span.end - offset
    masked[place] = _tidy("".join([*pieces, texts[place][position:]]))
    return masked


def _tidy(text: str) -> str:
    """Close the gaps; brackets and lines that held nothing else go with them."""
    lines = []
    for line in _EMPTIED.sub(_GAP, text).split("\n"):
        closed = (
            _GAPS.sub(lambda found: " " if found[1] and found[2] else "", line).strip(" ") if _GAP in line else line
        )
        if closed or closed == line:
            lines.append(closed)
    return "\n".join(lines).strip("\n")

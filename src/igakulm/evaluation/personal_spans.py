"""How well personal data is found: recall and precision by kind on labelled notes, with 95 % intervals.

Does: compare spans with labels, read and write what was measured for this version of the rules (personal_spans.json),
so that the card of a model can say it. Does not: find spans, or hold labelled notes.
A label counts as found when each of its characters but spaces lies in a span; a span is right when at least half of
its characters are labelled. Intervals are Wilson's (1927); spans of one note are taken as independent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from igakulm.evaluation.intervals import wilson
from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.finder import Finder

MEASURED_FILE = "personal_spans.json"
Label = tuple[int, int, Kind]


class Share(BaseModel):
    """`right` of `n`, with the ends of the 95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    right: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 1 of nothing."""
        return self.right / self.n if self.n else 1.0


class Measured(BaseModel):
    """What was measured on one set of notes.

    `recall` and `precision`: over all kinds; `recall_by_kind`, `precision_by_kind`: kind to share. `negatives`: texts
    without personal data that were left alone. `held_out`: whether nobody looked at the notes, and nothing learnt from
    them, before they were measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    labelled_set: str
    notes: int
    recall: Share
    precision: Share
    recall_by_kind: dict[Kind, Share]
    precision_by_kind: dict[Kind, Share]
    negatives: Share
    held_out: bool = False


def share_of(right: int, n: int) -> Share:
    """A share with Wilson's 95 % interval; of nothing, the whole range.

    >>> share = share_of(98, 100)
    >>> round(share.low, 3), round(share.high, 3)
    (0.93, 0.995)
    """
    low, high = wilson(right, n) if n else (0.0, 1.0)
    return Share(right=right, n=n, low=round(low, 4), high=round(high, 4))


def measure(
    labelled_set: str,
    notes: Sequence[tuple[str, Sequence[Label]]],
    negatives: Iterable[str],
    finder: Finder,
    *,
    held_out: bool = False,
) -> Measured:
    """Compare what is found in notes with their labels.

    Args:
        labelled_set: names the set, for tables and cards.
        notes: text and labels of each.
        negatives: texts in which nothing may be found.
        finder: what is measured.
        held_out: told on.
    """
    labels, found, spans, right = Counter[Kind](), Counter[Kind](), Counter[Kind](), Counter[Kind]()
    for text, wanted in notes:
        told = finder.find(text)
        covered = {place for span in told for place in range(span.start, span.end)}
        labelled = {place for start, end, _ in wanted for place in range(start, end)}
        for start, end, kind in wanted:
            labels[kind] += 1
            found[kind] += all(place in covered or text[place].isspace() for place in range(start, end))
        for span in told:
            spans[span.kind] += 1
            inside = sum(place in labelled for place in range(span.start, span.end))
            right[span.kind] += 2 * inside >= span.end - span.start
    untouched = [not finder.find(text) for text in negatives]
    return Measured(
        labelled_set=labelled_set,
        notes=len(notes),
        recall=share_of(found.total(), labels.total()),
        precision=share_of(right.total(), spans.total()),
        recall_by_kind={kind: share_of(found[kind], labels[kind]) for kind in sorted(labels)},
        precision_by_kind={kind: share_of(right[kind], spans[kind]) for kind in sorted(spans)},
        negatives=share_of(sum(untouched), len(untouched)),
        held_out=held_out,
    )


def measured() -> tuple[Measured, ...]:
    """What was measured for the rules of this version, one entry a labelled set."""
    text = files("igakulm.evaluation").joinpath(MEASURED_FILE).read_text(encoding="utf-8")
    return tuple(Measured.model_validate(entry) for entry in json.loads(text))

"""All rules as layers over one text: what `igakulm deidentify`, the corpus and every stage ask.

Does: run the chosen layers for the chosen kinds, let names be found again, settle overlaps.
Does not: change the text (replacing.py), or hold a rule of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from igakulm.recipe.personal_data import Kind, Layer
from igakulm.text.personal import (
    addresses,
    consistency,
    dates,
    identifiers,
    institutions,
    names,
    telephone,
    web,
)
from igakulm.text.personal.gazetteer import Gazetteer, gazetteer
from igakulm.text.personal.learnt import LEARNT_KINDS, find_learnt
from igakulm.text.personal.reading import read
from igakulm.text.personal.sentences import find_names_in_sentences
from igakulm.text.personal.spans import DEFAULT_KINDS, Piece, Span, settled, spans_of

LAYERS: tuple[Layer, ...] = get_args(Layer)
Context = Literal["records", "web"]

_Rule = Callable[[str], Iterable[Piece]]
_RULES: tuple[tuple[Kind, str, _Rule], ...] = (
    ("telephone", "telephone", telephone.find_telephones),
    ("mail", "mail", web.find_mails),
    ("url", "url", web.find_urls),
    ("postal_code", "postal code", identifiers.find_postal_codes),
    ("vehicle_number", "number plate", identifiers.find_vehicles),
    ("birth_date", "date of birth", dates.find_birth_dates),
    ("age", "age above 89", dates.find_ages),
    ("date", "date", dates.find_dates),
)
_BLANK = re.compile(r"[\s、。,.:;|・()（）〒-]*")
_NUMBER_KINDS = frozenset({"patient_number", "insurance_number", "my_number", "device_number"})


_NEAR = 24
"""Characters between a name and a date that the tagger takes for one of birth: farther away it is of something else."""


def _beside(names_found: Sequence[Span], births: Iterable[Span]) -> Iterator[Span]:
    """Dates of birth that stand near after a name."""
    ends = sorted(span.end for span in names_found)
    for birth in births:
        place = bisect_right(ends, birth.start)
        if place and birth.start - ends[place - 1] <= _NEAR:
            yield birth


@dataclass(frozen=True, slots=True)
class Finder:
    """What is looked for, and how.

    Attributes:
        kinds: of `spans.KINDS`.
        layers: rules = numbers, mail, URLs, dates, addresses, institutions by their form; labels, titles = names after
            「氏名：」 and before 「様」; gazetteer = full names anywhere, kana and Latin letters; context = a surname
            that calls or reports; sentences = what MeCab takes for persons; tagger = what a small tagger learnt from
            invented notes; consistency = a name found once is found everywhere.
        context: records = a hospital's notes; web = public text, where every #tag that is no problem goes.
        min_confidence: what is less sure is as if it had not been found: no name is found again because of it.
    """

    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    layers: tuple[Layer, ...] = LAYERS
    context: Context = "records"
    min_confidence: float = 0.0

    def find(self, text: str) -> list[Span]:
        """The spans of one document, in order, without overlaps.

        >>> [(span.kind, span.start) for span in Finder().find("氏名：佐藤花子　ＴＥＬ０３－５５５５－０１２３")]
        [('name', 3), ('telephone', 11)]
        """
        return self.find_read(read(text))

    def find_read(self, seen: str) -> list[Span]:
        """As `find`, of a text that `reading.read` has been applied to or need not be."""
        found = self._sure(self._by_rules(seen))
        learnt = self._sure(find_learnt(seen, self.kinds)) if self._asks_tagger else []
        found += [span for span in learnt if span.kind not in ("name", "birth_date")]
        if "name" in self.kinds:
            names_found = self._names(seen, [span for span in learnt if span.kind == "name"])
            found += _beside(names_found, [span for span in learnt if span.kind == "birth_date"])
            found += names_found
            if "birth_date" in self.kinds and "rules" in self.layers:
                beside = dates.find_birth_dates_beside(seen, sorted({span.end for span in names_found}))
                found += self._sure(spans_of(beside, "birth_date", "date beside a name or an age"))
        return [span for span in settled(found) if not _BLANK.fullmatch(seen, span.start, span.end)]

    @property
    def _asks_tagger(self) -> bool:
        return "tagger" in self.layers and not set(LEARNT_KINDS).isdisjoint(self.kinds)

    def _by_rules(self, seen: str) -> Iterator[Span]:
        if "rules" not in self.layers:
            return
        for kind, rule, find in _RULES:
            if kind in self.kinds:
                yield from spans_of(find(seen), kind, rule)
        if _NUMBER_KINDS.intersection(self.kinds):
            yield from (span for span in identifiers.find_numbers(seen) if span.kind in self.kinds)
        if "account" in self.kinds:
            yield from spans_of(web.find_accounts(seen, self._is_given), "account", "account")
        if "tag" in self.kinds:
            yield from spans_of(web.find_tags(seen, self.context == "records"), "tag", "tag")
        if "address" in self.kinds:
            yield from spans_of(addresses.find_addresses(seen, gazetteer()), "address", "address")
        if "institution" in self.kinds:
            yield from spans_of(institutions.find_institutions(seen, gazetteer()), "institution", "institution")

    def _is_given(self, word: str) -> bool:
        return word in gazetteer().given

    def _names(self, seen: str, learnt: list[Span]) -> list[Span]:
        lists = gazetteer()
        steps: Sequence[tuple[Layer, Callable[[str, Gazetteer], Iterator[Span]]]] = (
            ("labels", names.find_labelled_names),
            ("titles", names.find_titled_names),
            ("gazetteer", names.find_full_names),
            ("gazetteer", names.find_kana_and_latin_names),
            ("titles", names.find_staff_names),
            ("context", names.find_described_names),
            ("context", names.find_lone_surnames),
            ("context", names.find_calling_names),
            ("sentences", find_names_in_sentences),
        )
        found = learnt + self._sure(span for layer, find in steps if layer in self.layers for span in find(seen, lists))
        if "consistency" in self.layers and found:
            found += self._sure(consistency.find_again(seen, found, lists))
        return found

    def _sure(self, spans: Iterable[Span]) -> list[Span]:
        return [span for span in spans if span.confidence >= self.min_confidence]

"""What was found: a place in a text, its kind, the rule or model that found it, and how sure that is.

Does: name the kinds in both languages, hold spans, settle overlaps. Does not: find anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, get_args

from igakulm.recipe.personal_data import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
JAPANESE: dict[Kind, str] = {
    "name": "氏名",
    "birth_date": "生年月日",
    "age": "年齢",
    "date": "日付",
    "address": "住所",
    "postal_code": "郵便番号",
    "institution": "施設",
    "telephone": "電話番号",
    "mail": "メール",
    "url": "URL",
    "account": "アカウント",
    "tag": "タグ",
    "patient_number": "患者番号",
    "insurance_number": "保険番号",
    "my_number": "マイナンバー",
    "vehicle_number": "車両番号",
    "device_number": "機器番号",
}
"""What stands in brackets where a span was replaced."""
DEFAULT_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "date")
"""Dates other than of birth are left as they are unless they are asked for."""


class Span(NamedTuple):
    """Characters `start` to `end` of a text. `rule` names the rule or model; `confidence` is 0 to 1."""

    start: int
    end: int
    kind: Kind
    rule: str
    confidence: float


class Piece(NamedTuple):
    """A span before its rule is known to be right: where, and how sure."""

    start: int
    end: int
    confidence: float = 0.95


def spans_of(pieces: Iterable[Piece], kind: Kind, rule: str) -> Iterator[Span]:
    """Pieces that one rule found, as spans."""
    for piece in pieces:
        yield Span(piece.start, piece.end, kind, rule, piece.confidence)


def settled(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, none of which overlaps another.

    Of two that overlap the surer one stays, of equally sure ones the longer; what the other one covers beside it stays
    a span of its own, so that no character that a rule found comes free again; of the same kind it is one with its
    neighbour.

    >>> [span[:3] for span in settled([Span(0, 4, "name", "a", 0.9), Span(2, 6, "address", "b", 0.8)])]
    [(0, 4, 'name'), (4, 6, 'address')]
    """
    kept: list[Span] = []
    taken: list[tuple[int, int]] = []
    ordered = sorted(spans)
    if all(one.end <= two.start for one, two in pairwise(ordered)):
        return ordered
    for group in _touching(ordered):
        if len(group) == 1:
            kept += group
            continue
        taken.clear()
        parts: list[Span] = []
        for span in sorted(group, key=lambda one: (-one.confidence, one.start - one.end, one.start)):
            for start, end in _free(span.start, span.end, taken):
                parts.append(span._replace(start=start, end=end))
                taken.append((start, end))
        kept += _joined(sorted(parts))
    return sorted(kept)


def _joined(parts: list[Span]) -> Iterator[Span]:
    """Neighbours of one kind as one span, by the surer rule."""
    last = parts[0]
    for part in parts[1:]:
        if part.start == last.end and part.kind == last.kind:
            surer = max(last, part, key=lambda one: one.confidence)
            last = surer._replace(start=last.start, end=part.end)
        else:
            yield last
            last = part
    yield last


def _touching(ordered: list[Span]) -> Iterator[list[Span]]:
    """Groups of spans that overlap each other, directly or through others."""
    group: list[Span] = []
    reach = -1
    for span in ordered:
        if group and span.start >= reach:
            yield group
            group = []
        group.append(span)
        reach = max(reach, span.end) if len(group) > 1 else span.end
    if group:
        yield group


def _free(start: int, end: int, taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    free = [(start, end)]
    for low, high in taken:
        free = [
            part
            for first, last in free
            for part in ((first, min(last, low)), (max(first, high), last))
            if part[0] < part[1]
        ]
    return free

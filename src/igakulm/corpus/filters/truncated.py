"""Documents that are cut off: a teaser with a cut mark, or a last sentence that stops within itself.

Does: judge the end. Does not: judge long documents, which are worth keeping even so.
"""

from __future__ import annotations

import re

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters

_CUT_MARK = re.compile(
    r"(?:続きを(?:読む|みる|見る)|もっと(?:見る|読む)|全文を(?:読む|見る)|\.\.\.|\[…\]|read more)"
    r"[ 」)\]>》]*(?:\([^()]*\))?$"
)
_SENTENCE_ENDS = "。!?」』)】…〉》\"'♪"
_FINAL_FORMS = "たすんねよないるかがしてどうくだぁぇあわさけりせとむもぬっーえお"
"""Hiragana that sentences end with, in notes and chats too; others before … or the end mean a cut."""
_UNFINISHED = "、はがをにへのでもつまひみ"
_SNIPPET = 2000  # characters; a longer document is worth keeping even if its last sentence is cut
_WHOLE_LINE = 12  # characters; a shorter line above a cut mark is a heading


def judge(document: Document, filters: Filters) -> Finding | None:
    """The end of a document of at most 2,000 characters."""
    return _truncated(document.text) if filters.drop_truncated else None


def _truncated(text: str) -> Finding | None:
    """A visible cut mark at the end, or a last sentence that stops within itself after whole sentences.

    Text without full stops (notes, findings, lists) says nothing about its end and is kept.
    """
    if len(text) > _SNIPPET:
        return None
    start = text.rfind("\n") + 1
    last = text[start:]
    mark = _CUT_MARK.search(last)
    if mark:
        # A mark on a line of its own is a link of the page unless the line before is cut too.
        above = text[:start].rstrip("\n").rpartition("\n")[2]
        cut = mark.start() > 0 or (len(above) >= _WHOLE_LINE and above[-1] not in _SENTENCE_ENDS)
        return ("truncated", f"ends with {mark[0]!r}") if cut else None
    if "。" not in text:
        return None
    if last[-1] == "…":
        word = last.rstrip("…")[-1:]
        return ("truncated", f"ends with {last[-8:]!r}") if word and word not in _FINAL_FORMS + _SENTENCE_ENDS else None
    return _cut_sentence(text, last)


def _cut_sentence(text: str, last: str) -> Finding | None:
    """The last sentence ends in a particle or in the middle of a word, and most of the text is whole sentences."""
    tail = last[last.rfind("。") + 1 :]
    if len(tail) < 10 or tail[-1] not in _UNFINISHED or tail.endswith(("もの", "なの", "ので", "ように")):
        return None
    before = text[: len(text) - len(tail)].split("\n")
    whole = sum(len(line) for line in before if line[-1:] in _SENTENCE_ENDS and line)
    if whole < 0.6 * sum(map(len, before)):
        return None
    return "truncated", f"ends with {tail[-8:]!r}"


FILTER = Filter(("truncated",), ("drop_truncated",), judge, order=70)

"""Lists of strings as models write them: read with tolerance, and seen going round in circles.

Does: read the list that a text holds, also inside other text or cut off; tell an unfinished list that has nothing new.
Does not: evaluate anything, read forms without brackets (answering/reading.py does), or know what the strings mean.
"""

from __future__ import annotations

import re

from igakulm.text.literals import MAX_CHARACTERS, string_list

LOOPS = 8
"""So many entries in a row that the list has already mean that the model goes round in circles."""
MOST_STARTS = 10
"""Opening brackets of an answer at which a list is looked for."""
_STUCK = re.compile(r"(.{1,8}?)\1{15,}\Z", re.DOTALL)
"""The same one to eight characters, sixteen times: no item, and no end in sight."""
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_ENTRY = re.compile(rf"[\[,]\s*({_QUOTED})(?=\s*[,\]]|\s*$)", re.DOTALL)
_WHOLE_STRINGS = re.compile(rf"\[\s*{_QUOTED}(?:\s*,\s*{_QUOTED})*")


def list_items(text: str) -> tuple[str, ...] | None:
    """The strings of the list that a text holds, without white space around them, each once, in order; None without.

    The list may stand inside other text; of several lists the last counts. One that was cut off by the token limit
    counts up to its last whole string. Nested lists and anything that would have to be executed are unreadable.

    >>> list_items("回答: ['発熱', '咳', '咳']です")
    ('発熱', '咳')
    >>> list_items('["発熱", "咳", "倦怠')
    ('発熱', '咳')
    >>> list_items("[]"), list_items("発熱") is None, list_items("__import__('os').listdir('/')") is None
    ((), True, True)
    """
    if len(text) > MAX_CHARACTERS:
        return None
    starts = [place for place, character in enumerate(text) if character == "["][:MOST_STARTS]
    end = text.rfind("]") + 1
    found = next((entries for start in starts if (entries := string_list(text[start:end])) is not None), None)
    if found is None and starts and starts[-1] >= end and text.count("[") == text.count("]") + 1:
        found = _cut_off(text[starts[-1] :])
    return None if found is None else tuple(dict.fromkeys(entry.strip() for entry in found if entry.strip()))


def _cut_off(text: str) -> tuple[str, ...] | None:
    """The whole strings at the beginning of an unclosed list."""
    begun = _WHOLE_STRINGS.match(text)
    return string_list(begun[0] + "]") if begun else None


def goes_round(text: str) -> bool:
    """Whether the last entries of an unfinished list all stand in it before them, or its last one has no end.

    >>> goes_round('["咳", "熱"' + ', "咳"' * 8 + ', "'), goes_round('["咳' + "，" * 20)
    (True, True)
    >>> goes_round('["咳", "熱", "痛み", "')
    False
    """
    if _STUCK.search(text[-256:]):
        return True
    entries = [found[1] for found in _ENTRY.finditer(text)]
    return len(entries) > LOOPS and set(entries[-LOOPS:]) <= set(entries[:-LOOPS])

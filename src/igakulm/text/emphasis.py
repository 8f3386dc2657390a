"""Characters that are repeated for emphasis become one (section 2.2.1), unless the repetition says something.

Does: shorten runs. Does not: touch digits and letters, or laughs and dots (cleaning.py).

A run is data, and stays, where it is a score (★★★☆☆, ○○○○×, ++--), a value (評価:★★★), a mark of significance
(***p<0.001), stands between two numbers, or tells a course beside one (37.5→→→).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igakulm.text import characters as ch
from igakulm.text.characters import SEPARATOR, tables
from igakulm.text.mapped import MappedCodes, Positions

RUNS: dict[str, int] = {
    **dict.fromkeys("!?、。…ー〜・―♪☆★", 2),
    **dict.fromkeys("-_=*#→←:,※", 3),  # two are code, or a result that did not change
    **dict.fromkeys("○●◎△▲▽▼□■◇◆×/|^<>", 4),  # 「○○病院」
    **dict.fromkeys("↑↓", 6),  # 「WBC↑↑↑」
    **dict.fromkeys("+", 7),  # 「尿蛋白(++++)」 is a result
    **dict.fromkeys(map(chr, range(0x3041, 0x3097)), 4),
    **dict.fromkeys(map(chr, range(0x30A1, 0x30FB)), 4),
}
"""A run of at least so many becomes one character. Digits and letters are never shortened."""
MARKS = ("○●◎△▲▽▼□■◇◆☆★×✓/", "+-±", "→←↑↓↗↘")
"""Signs that one writes side by side as the steps of a score, a result or a course."""
SCORES = "○●◎△▲▽▼□■◇◆☆★×→←↑↓+-*"
LONGEST_SCORE = 10
STARS = 4
"""So many asterisks beside a letter or digit are a level of significance."""
BEFORE_VALUE = ":=("
BETWEEN_NUMBERS = "-_=*#→←:,×/|^<>↑↓+ー○●◎△▲▽▼□■◇◆☆★"


def collapse_runs(text: MappedCodes) -> None:
    """Shorten the runs that are emphasis."""
    codes = text.codes
    equal = np.flatnonzero(codes[1:] == codes[:-1])
    least = _table()[codes[equal]]
    equal, least = equal[least > 0], least[least > 0]
    if not equal.size:
        return
    heads = np.flatnonzero(np.diff(equal, prepend=-2) > 1)
    lengths = np.diff(np.append(heads, equal.size)) + 1
    starts = equal[heads]
    emphasis = lengths >= least[heads]
    emphasis[emphasis] = ~_is_data(codes, starts[emphasis], lengths[emphasis])
    text.drop(equal[np.repeat(emphasis, lengths - 1)] + 1, merged=True)


def _is_data(codes: NDArray[np.uint32], starts: Positions, lengths: Positions) -> NDArray[np.bool_]:
    """Which runs say something by their length; rare enough for a loop."""
    flags = tables().flags

    def at(place: int) -> str:
        return chr(codes[place]) if 0 <= place < codes.size else SEPARATOR

    def one(start: int, length: int) -> bool:
        mark, end = at(start), start + length
        before, after = at(start - 1), at(end)
        far_before, far_after = (at(start - 2) if before == " " else before), (at(end + 1) if after == " " else after)
        if any(mark in group and (before in group or after in group) for group in MARKS):
            return True
        if mark in BETWEEN_NUMBERS and before.isdecimal() and after.isdecimal():
            return True
        if mark == "," and before.isalnum() and after.isalnum():
            return bool(flags[ord(before)] & flags[ord(after)] & ch.ALNUM)
        if mark == "*" and length <= STARS:
            return any(bool(flags[ord(side)] & ch.ALNUM) or side == "'" for side in (far_before, far_after))
        if mark in SCORES and length <= LONGEST_SCORE and far_before in BEFORE_VALUE:
            return True
        return mark in "→←↑↓" and (far_before.isdecimal() or far_after.isdecimal())

    return np.array([one(*pair) for pair in zip(starts.tolist(), lengths.tolist(), strict=True)], bool)


_TABLE: list[NDArray[np.int64]] = []


def _table() -> NDArray[np.int64]:
    """Least length of a run that is shortened, by code point; 0 for never."""
    if not _TABLE:
        table = np.zeros(0x110000, np.int64)
        for character, least in RUNS.items():
            table[ord(character)] = least
        _TABLE.append(table)
    return _TABLE[0]

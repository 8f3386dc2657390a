"""Text cleaning of section 2.2.1: one form of every character, nothing that a document does not need.

Does: the rules of `RULES`, on batches of documents, by look-up tables (50 MB/s and more on one core).
Does not: delete personal data (privacy.py), judge documents (filter.py), or turn spaces into the metaspace (that is
the tokenizer's matter: a document stays readable text).

A batch is joined with U+001E and seen as an array of code points. One table does all 1:1 work at once; only
characters that NFKC expands or composes go through `unicodedata`; what depends on neighbours is done on arrays, or
by regular expressions that run only when their literal occurs. `tests/corpus/oracle_clean.py` does the same slowly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.text import characters as ch
from igakulm.text.characters import SEPARATOR, Codes, tables


class Rule(NamedTuple):
    """One rule of the cleaning, with an example of what it does and of what it must leave alone."""

    name: str
    what: str
    before: str
    after: str
    untouched: str


RULES: tuple[Rule, ...] = (
    Rule(
        "numbers",
        "powers, fractions and adjoining Roman numbers keep their value",
        "10³と2½と誘導ⅡⅢ",
        "10^3と2 1/2と誘導II・III",
        "10^3",
    ),
    Rule(
        "circled",
        "circled numbers become (1): NFKC alone joins them to the next number",
        "①1日3回",
        "(1)1日3回",
        "(1)1日3回",
    ),
    Rule(
        "nfkc",
        "NFKC: half-width kana, full-width letters and digits, units",
        "ﾃﾞｰﾀ１．５㎎",
        "データ1.5mg",
        "データ1.5mg",
    ),
    Rule("restored", "… ℃ ℉, which NFKC takes apart, stay or come back", "37°Cで...", "37℃で…", "37℃で…"),
    Rule("hyphens", "one hyphen, one dash, one tilde", "5−10‐15〜20~25—", "5-10-15〜20〜25―", "5-10"),
    Rule(
        "long vowel",
        "ー between letters or digits is -; - before ン or a small kana is ー",
        "03ー1234とメ-ンテナンス",
        "03-1234とメーンテナンス",
        "データ-解析",
    ),
    Rule("look-alikes", "quotes, bullets, arrows and signs of one look", "“≦5”•⇒✔", '"≤5"・→✓', "±×÷≤≥≠μα"),
    Rule(
        "deleted",
        "control, private-use, invisible and foreign characters",
        "薬\u2063\u200b\ue000を\u2581飲む😀",
        "薬を飲む",
        "Sjögren症候群",
    ),
    Rule(
        "stops",
        "，．,. that end a Japanese clause become 、。",
        "熱，咳．水, 薬.",
        "熱、咳。水、薬。",
        "1.5と1,000とv1.2と第.3",
    ),
    Rule("laughs", "www and 笑笑", "草wwwです笑笑", "草です笑", "www.example.jp"),
    Rule("runs", "characters repeated for emphasis", "すごーーい！！！……", "すごーい!…", "尿蛋白(++)100000"),
    Rule(
        "spaces",
        "one space, one newline, none at the ends, after 、。 or beside a newline",
        " 熱。　咳  \n\n 痛 ",
        "熱。咳\n痛",
        "5 mg",
    ),
)
"""In the order in which they are applied."""

_BATCH_CHARACTERS = 1 << 20
_NUMBERS = re.compile(
    rf"(?<=[0-9０-９])[⁺⁻]?[⁰¹²³⁴-⁹]+|(?<=[0-9０-９⁰¹²³⁴-⁹])[{ch.FRACTIONS}]|[{ch.SMALL_ROMANS}](?=[Ⅰ-ⅿ])"
)
_BEFORE_NFKC = str.maketrans(ch.BEFORE_NFKC)
_SPACE, _NEWLINE, _HYPHEN, _LONG, _STOP, _WIDE_STOP, _MIDDLE_DOT, _ELLIPSIS = (
    np.uint32(ord(character)) for character in " \n-ー.．・…"
)
_DEGREE, _C, _F, _CELSIUS, _FAHRENHEIT, _W, _CAPITAL_W, _SMILE = (
    np.uint32(ord(character)) for character in "°CF℃℉wW笑"
)


def rules_table() -> str:
    """`RULES` as a Markdown table (docs/cleaning.md holds it)."""
    shown = {"\n": "⏎", "|": "\\|", "\u2063": "<U+2063>", "\u200b": "<U+200B>", "\ue000": "<U+E000>"}

    def code(text: str) -> str:
        return "`" + "".join(shown.get(character, character) for character in text) + "`"

    rows = [
        f"| {one.name} | {one.what} | {code(one.before)} | {code(one.after)} | {code(one.untouched)} |" for one in RULES
    ]
    return "\n".join(["| rule | what it does | before | after | left alone |", "|---|---|---|---|---|", *rows])


def clean_text(text: str) -> str:
    """Clean one document (`clean_texts` is much faster for many).

    >>> clean_text("ＨｂＡ１ｃ　７．２％，血糖 １８０㎎／㎗．")
    'HbA1c 7.2%、血糖 180mg/dl。'
    >>> clean_text("データ-解析")
    'データ-解析'
    """
    return clean_texts([text])[0]


def clean_texts(texts: Sequence[str]) -> list[str]:
    """Clean documents by the rules of `RULES`; cleaning twice changes nothing more.

    Lone surrogates and NUL are deleted like any other character that no document needs.
    """
    cleaned: list[str] = []
    for group in _groups(texts):
        cleaned += _clean_joined(group)
    return cleaned


def _groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Consecutive documents of about a million characters: large enough to be fast, small enough for the caches."""
    start = size = 0
    for index, text in enumerate(texts):
        size += len(text)
        if size >= _BATCH_CHARACTERS:
            yield texts[start : index + 1]
            start, size = index + 1, 0
    if start < len(texts):
        yield texts[start:]


def codes_of(text: str) -> Codes:
    """The code points of a text as an array."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _text_of(codes: Codes) -> str:
    return codes.tobytes().decode("utf-32-le")


def _clean_joined(documents: Sequence[str]) -> list[str]:
    table = tables()
    text = SEPARATOR.join([one.replace(SEPARATOR, "") if SEPARATOR in one else one for one in documents])
    codes = codes_of(text)
    kinds = table.kind[codes]
    special = np.flatnonzero(kinds)
    if special.size:
        codes = codes_of(_normalise_at(text, special, kinds[special] == ch.CONTEXT))
    codes = table.fused[codes]
    codes = _tidy_spaces(_shorten(codes[codes != 0]))
    codes = _drop_spaces_after_stops(_settle_stops(codes))
    codes = _settle_long_vowels(_collapse_runs(codes))
    return [one.strip(" \n") for one in _text_of(codes).split(SEPARATOR)]


def _write_number(found: re.Match[str]) -> str:
    characters = found[0]
    if characters[0] in ch.SMALL_ROMANS:
        return unicodedata.normalize("NFKC", characters) + "・"
    sign = " " if characters[0] in ch.FRACTIONS else "^"
    return sign + unicodedata.normalize("NFKC", characters)


def _normalise_at(text: str, positions: NDArray[np.intp], context: NDArray[np.bool_]) -> str:
    """Numbers and NFKC of the runs at `positions`, each with the character before it, to which a mark may be joined.

    `context` marks the positions whose form depends on the neighbours (`_NUMBERS`).
    """
    breaks = np.flatnonzero(np.diff(positions) > 1)
    starts = [int(positions[0]), *positions[breaks + 1].tolist()]
    ends = [*(positions[breaks] + 1).tolist(), int(positions[-1]) + 1]
    numbers = np.logical_or.reduceat(context, [0, *(breaks + 1)]).tolist()
    pieces: list[str] = []
    done = 0
    for start, end, has_number in zip(starts, ends, numbers, strict=True):
        run = _numbers_of(text, start, end) if has_number else text[start:end]
        if start > done and text[start - 1] not in ch.PROTECTED:
            start -= 1
            run = text[start] + run
        pieces.append(text[done:start])
        pieces.append(unicodedata.normalize("NFKC", run.translate(_BEFORE_NFKC)))
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _numbers_of(text: str, start: int, end: int) -> str:
    """`_NUMBERS` on a run of special characters; the pattern looks at one character before and one after it."""
    first, last = max(start - 1, 0), min(end + 1, len(text))
    written = _NUMBERS.sub(_write_number, text[first:last])
    return written[start - first : len(written) - (last - end)]


def _runs_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Starts and lengths of the runs of True."""
    places = np.flatnonzero(mask)
    heads = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    return places[heads], np.diff(heads, append=places.size)


def _tails(starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of all but the first character of each run."""
    counts = lengths - 1
    places: NDArray[np.intp] = np.repeat(starts + 1 - np.cumsum(counts) + counts, counts)
    places += np.arange(places.size)
    return places


def _shorten(codes: Codes) -> Codes:
    """Several characters that become one, or nothing: .. and ・・・ and °C, laughs. Writes into `codes`."""
    starts, lengths = _runs_of((codes == _STOP) | (codes == _WIDE_STOP))
    several = (lengths > 2) | ((lengths == 2) & (codes[starts] == _WIDE_STOP))
    dots = starts[several], lengths[several]
    starts, lengths = _runs_of(codes == _MIDDLE_DOT)
    middle_dots = starts[lengths > 2], lengths[lengths > 2]
    degrees = np.flatnonzero(codes[:-1] == _DEGREE)
    units = codes[degrees + 1]
    degrees, units = degrees[(units == _C) | (units == _F)], units[(units == _C) | (units == _F)]
    codes[dots[0]] = codes[middle_dots[0]] = _ELLIPSIS
    codes[degrees] = np.where(units == _C, _CELSIUS, _FAHRENHEIT)
    codes = _without(codes, np.concatenate((_tails(*dots), _tails(*middle_dots), degrees + 1, _laughs(codes))))
    starts, lengths = _runs_of(codes == _SMILE)
    return _without(codes, _tails(starts, lengths))


def _laughs(codes: Codes) -> NDArray[np.intp]:
    """Positions of ww… behind a Japanese character or !? that no letter, digit or full stop follows."""
    flags = tables().flags
    starts, lengths = _runs_of((codes == _W) | (codes == _CAPITAL_W))
    starts, lengths = starts[lengths > 1], lengths[lengths > 1]
    before, _ = _neighbours(codes, starts)
    _, after = _neighbours(codes, starts + lengths - 1)
    behind = ((flags[before] & ch.BEFORE_LAUGH) > 0) & ((flags[after] & ch.ALNUM) == 0) & (after != _STOP)
    starts, lengths = starts[behind], lengths[behind]
    return np.concatenate((starts, _tails(starts, lengths)))


def _neighbours(codes: Codes, positions: NDArray[np.intp]) -> tuple[Codes, Codes]:
    """The characters before and after; the ends of the batch count as separators."""
    edge = np.uint32(ord(SEPARATOR))
    before = np.where(positions > 0, codes[np.maximum(positions - 1, 0)], edge)
    after = np.where(positions + 1 < codes.size, codes[np.minimum(positions + 1, codes.size - 1)], edge)
    return before, after


def _without(codes: Codes, positions: NDArray[np.intp]) -> Codes:
    return np.delete(codes, positions) if positions.size else codes


def _tidy_spaces(codes: Codes) -> Codes:
    """One space, one newline, no space beside a newline."""
    repeated = np.flatnonzero((codes[1:] == _SPACE) & (codes[:-1] == _SPACE)) + 1
    codes = _without(codes, repeated)
    spaces = np.flatnonzero(codes == _SPACE)
    before, after = _neighbours(codes, spaces)
    edges = (_NEWLINE, np.uint32(ord(SEPARATOR)))
    codes = _without(codes, spaces[np.isin(before, edges) | np.isin(after, edges)])
    newlines = np.flatnonzero(codes == _NEWLINE)
    before, after = _neighbours(codes, newlines)
    return _without(codes, newlines[np.isin(before, edges) | (after == edges[1])])


def _settle_stops(codes: Codes) -> Codes:
    """，．,. become 、。 where they end a Japanese clause, and ,. elsewhere."""
    flags = tables().flags
    codes = codes.copy()
    marks = np.flatnonzero((codes == ord("，")) | (codes == ord("．")) | (codes == ord(",")) | (codes == ord(".")))
    if not marks.size:
        return codes
    before, after = _neighbours(codes, marks)
    before_flags, after_flags = flags[before], flags[after]
    mark = codes[marks]
    ends_line = (after == _NEWLINE) | (after == ord(SEPARATOR))
    wide_comma = ((before_flags & ch.DIGIT) == 0) | ((after_flags & ch.DIGIT) == 0)
    wide_stop = ((before_flags & ch.BEFORE_WIDE_STOP) > 0) | ends_line
    comma = (before_flags & ch.BEFORE_STOP) > 0
    stop = comma & ((after_flags & ch.AFTER_STOP) > 0)
    codes[marks] = np.select(
        [mark == ord("，"), mark == ord("．"), mark == ord(",")],
        [
            np.where(wide_comma, ord("、"), ord(",")),
            np.where(wide_stop, ord("。"), ord(".")),
            np.where(comma, ord("、"), ord(",")),
        ],
        np.where(stop, ord("。"), ord(".")),
    )
    return codes


def _drop_spaces_after_stops(codes: Codes) -> Codes:
    spaces = np.flatnonzero(codes == _SPACE)
    before, _ = _neighbours(codes, spaces)
    return _without(codes, spaces[(before == ord("、")) | (before == ord("。"))])


def _collapse_runs(codes: Codes) -> Codes:
    """Runs that are long enough (`RUNS`) become one character."""
    equal = np.flatnonzero(codes[1:] == codes[:-1])
    least = tables().runs[codes[equal]].astype(np.int64)
    equal, least = equal[least > 0], least[least > 0]
    if not equal.size:
        return codes
    starts = np.flatnonzero(np.concatenate(([True], np.diff(equal) > 1)))
    lengths = np.diff(np.append(starts, equal.size)) + 1
    long_enough = np.repeat(lengths >= least[starts], lengths - 1)
    return _without(codes, equal[long_enough] + 1)


def _settle_long_vowels(codes: Codes) -> Codes:
    flags = tables().flags
    codes = codes.copy()
    long = np.flatnonzero(codes == _LONG)
    before, after = _neighbours(codes, long)
    between = (flags[before] & flags[after] & ch.ALNUM) > 0
    hyphens = np.flatnonzero(codes == _HYPHEN)
    before, after = _neighbours(codes, hyphens)
    inside = ((flags[before] & ch.KATAKANA) > 0) & ((flags[after] & ch.NO_WORD_START) > 0)
    codes[long[between]] = _HYPHEN
    codes[hyphens[inside]] = _LONG
    return codes

"""Text cleaning of section 2.2.1: one form of every character, nothing that a document does not need.

Does: the rules of `RULES`, on batches of documents, by look-up tables (75 MB/s and more on one core).
Does not: delete personal data (personal/), judge documents (filter.py), or turn spaces into the metaspace (that is
the tokenizer's matter: a document stays readable text).

A batch is joined with U+001E and seen as an array of code points. One table does all 1:1 work at once; only
characters that NFKC expands or composes go through `unicodedata`; what depends on neighbours is done on arrays, or
by regular expressions that run only when their literal occurs. `tests/text/oracle_clean.py` does the same slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.text import characters as ch
from igakulm.text.characters import SEPARATOR, Codes, tables
from igakulm.text.emphasis import collapse_runs
from igakulm.text.expansion import expand
from igakulm.text.mapped import MappedCodes, Positions, text_of


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
        "apart",
        "digits that NFKC would put beside digits, and Roman numbers beside letters, keep a space",
        "SpO₂98、1㎡5、⒈5mg、MRⅠ°",
        "SpO2 98、1m2 5、(1)5mg、MR I°",
        "CO2、m2、IIIA期",
    ),
    Rule(
        "nfkc",
        "NFKC: half-width kana, full-width letters and digits, units",
        "ﾃﾞｰﾀ１．５㎎",
        "データ1.5mg",
        "データ1.5mg",
    ),
    Rule(
        "voiced",
        "voiced marks that stand by themselves are joined to their kana",
        "か゛ん、ハ ゚ーマ",
        "がん、パーマ",
        "ガン",
    ),
    Rule(
        "restored",
        "… ℃ ℉, which NFKC takes apart, stay or come back; the angle of a position is no temperature",
        "37.5°Cで...",
        "37.5℃で…",
        "30°Fowler位、45°CT",
    ),
    Rule("hyphens", "one hyphen, one dash, one tilde", "5−10‐15〜20~25—", "5-10-15〜20〜25―", "5-10"),
    Rule(
        "long vowel",
        "ー between letters or digits is -; - before ン or a small kana is ー",
        "03ー1234とメ-ンテナンス",
        "03-1234とメーンテナンス",
        "データ-解析",
    ),
    Rule("look-alikes", "quotes, bullets, arrows and signs of one look", "“≦5”•⇒✔☒⊕", '"≤5"・→✓×(+)', "±×÷≤≥≠μα"),
    Rule("variants", "kanji of two shapes have one", "囊胞、剝離", "嚢胞、剥離", "﨑"),
    Rule(
        "fonts",
        "signs of the fonts Symbol and Wingdings, which stand in the private use area",
        "5\uf0b12\uf06dg",
        "5±2μg",
        "5±2μg",
    ),
    Rule(
        "deleted",
        "control, private-use, invisible and foreign characters; what was seen leaves a space between words, and"
        " nothing joins two numbers",
        "薬\u2063\u200bを\u2581飲む😀1\u200b2",
        "薬を 飲む 1 2",
        "Sjögren症候群",
    ),
    Rule(
        "stops",
        "，．,. that end a Japanese clause become 、。",
        "熱，咳．水, 薬.",
        "熱、咳。水、薬。",
        "1.5と1,000とv1.2と第.3",
    ),
    Rule("laughs", "www and 笑笑", "草wwwです笑笑", "草 です笑", "www.example.jp"),
    Rule(
        "runs",
        "characters repeated for emphasis; scores, courses and levels of significance stay",
        "すごーーい！！！……",
        "すごーい!…",
        "尿蛋白(++)100000、★★★☆☆、***p",
    ),
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
_SPACE, _NEWLINE, _HYPHEN, _LONG, _STOP, _WIDE_STOP, _MIDDLE_DOT, _ELLIPSIS = (
    np.uint32(ord(character)) for character in " \n-ー.．・…"
)
_DEGREE, _C, _F, _CELSIUS, _FAHRENHEIT, _W, _CAPITAL_W, _SMILE = (
    np.uint32(ord(character)) for character in "°CF℃℉wW笑"
)


def rules_table() -> str:
    """`RULES` as a Markdown table (docs/cleaning.md holds it)."""
    shown = {
        "\n": "⏎",
        "|": "\\|",
        "\u2063": "<U+2063>",
        "\u200b": "<U+200B>",
        "\uf0b1": "<U+F0B1>",
        "\uf06d": "<U+F06D>",
    }

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


def _clean_joined(documents: Sequence[str]) -> list[str]:
    text = SEPARATOR.join(map(_without_separator, documents))
    codes = MappedCodes.of(text)
    _apply_rules(text, codes)
    return [one.strip(" \n") for one in text_of(codes.codes).split(SEPARATOR)]


def clean_mapped(text: str) -> tuple[str, NDArray[np.int32]]:
    """Clean one document, and tell where each character of the result comes from.

    Returns:
        The text that `clean_text` gives, and (2, its length) int32: character i comes from
        text[places[0, i] : places[1, i]].

    >>> cleaned, places = clean_mapped(" ５㎎... ")
    >>> cleaned, places.tolist()
    ('5mg…', [[1, 2, 2, 3], [2, 3, 3, 6]])
    """
    text = _without_separator(text)
    codes = MappedCodes.of(text, mapped=True)
    _apply_rules(text, codes)
    cleaned = text_of(codes.codes)
    start = len(cleaned) - len(cleaned.lstrip(" \n"))
    cleaned = cleaned.strip(" \n")
    assert codes.origin is not None
    return cleaned, codes.origin[:, start : start + len(cleaned)]


def widths_mapped(text: str) -> tuple[str, NDArray[np.int32]]:
    """Only the rules about width and compatibility forms (numbers, circled, nfkc), with places as `clean_mapped`.

    >>> widths_mapped("①ﾃﾞｰﾀ　１．５㎎…")[0]
    '(1)データ 1．5mg…'
    """
    codes = MappedCodes.of(text, mapped=True)
    expand(text, codes)
    codes.codes = tables().normal[codes.codes]
    assert codes.origin is not None
    return text_of(codes.codes), codes.origin


def _without_separator(text: str) -> str:
    """With another control character instead, which is deleted like it."""
    return text.replace(SEPARATOR, chr(ch.UNSEEN)) if SEPARATOR in text else text


def _apply_rules(text: str, codes: MappedCodes) -> None:
    """All of `RULES` on the code points of `text`."""
    expand(text, codes)
    codes.codes = tables().fused[codes.codes]
    _settle_gaps(codes)
    _shorten(codes)
    _settle_laughs(codes)
    _tidy_spaces(codes)
    _settle_stops(codes.codes)
    _drop_spaces_after_stops(codes)
    collapse_runs(codes)
    _settle_long_vowels(codes.codes)


def _settle_gaps(text: MappedCodes) -> None:
    """Deleted characters leave a space where deleting them would join two numbers, or words when they were seen."""
    codes, flags = text.codes, tables().flags
    deleted = np.flatnonzero(codes <= ch.GAP)
    if not deleted.size:
        return
    heads = np.flatnonzero(np.diff(deleted, prepend=-2) > 1)
    starts, ends = deleted[heads], deleted[np.append(heads[1:], deleted.size) - 1]
    seen = np.maximum.reduceat(codes[deleted], heads) == ch.GAP
    before, after = flags[_neighbours(codes, starts)[0]], flags[_neighbours(codes, ends)[1]]
    touching = ((before & (ch.WORD | ch.SIGN)) > 0) & ((after & (ch.WORD | ch.SIGN)) > 0)
    left = starts[(seen & touching) | ((before & after & ch.DIGIT) > 0)]
    codes[left] = _SPACE
    text.drop(np.setdiff1d(deleted, left, assume_unique=True))


def _runs_of(mask: NDArray[np.bool_]) -> tuple[Positions, Positions]:
    """Starts and lengths of the runs of True."""
    places = np.flatnonzero(mask)
    heads = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    return places[heads], np.diff(heads, append=places.size)


def _tails(starts: Positions, lengths: Positions) -> Positions:
    """Positions of all but the first character of each run."""
    counts = lengths - 1
    places: Positions = np.repeat(starts + 1 - np.cumsum(counts) + counts, counts)
    places += np.arange(places.size)
    return places


def _shorten(text: MappedCodes) -> None:
    """Several characters that become one: .. and ・・・ and °C, 笑笑."""
    codes = text.codes
    starts, lengths = _runs_of((codes == _STOP) | (codes == _WIDE_STOP))
    several = (lengths > 2) | ((lengths == 2) & (codes[starts] == _WIDE_STOP))
    dots = starts[several], lengths[several]
    starts, lengths = _runs_of(codes == _MIDDLE_DOT)
    middle_dots = starts[lengths > 2], lengths[lengths > 2]
    degrees = _temperatures(codes)
    codes[dots[0]] = codes[middle_dots[0]] = _ELLIPSIS
    codes[degrees] = np.where(codes[degrees + 1] == _C, _CELSIUS, _FAHRENHEIT)
    smiles = _tails(*_runs_of(codes == _SMILE))
    text.drop(np.concatenate((_tails(*dots), _tails(*middle_dots), degrees + 1, smiles)), merged=True)


def _temperatures(codes: Codes) -> Positions:
    """Places of ° in °C and °F that are units: no word, digit or name of a device goes on behind (45°CT, 30°C-arm).

    Katakana behind C may be the name of a device (Cアーム), and any letter behind F the name of a position: °C and °F
    then stay as they are, which says the same.
    """
    flags = tables().flags
    degrees = np.flatnonzero(codes[:-1] == _DEGREE)
    units = codes[degrees + 1]
    _, after = _neighbours(codes, degrees + 1)
    _, second = _neighbours(codes, np.minimum(degrees + 2, codes.size - 1))
    going_on = (flags[after] & (ch.ALNUM | ch.LATIN | ch.KATAKANA)) > 0
    going_on |= (after == _HYPHEN) & ((flags[second] & ch.LATIN) > 0)
    celsius = (units == _C) & ~going_on
    fahrenheit = (units == _F) & ~going_on & ((flags[after] & ch.WORD) == 0)
    found: Positions = degrees[celsius | fahrenheit]
    return found


def _settle_laughs(text: MappedCodes) -> None:
    """ww… behind a Japanese character or !? that no letter, digit or full stop follows is deleted."""
    codes, flags = text.codes, tables().flags
    starts, lengths = _runs_of((codes == _W) | (codes == _CAPITAL_W))
    starts, lengths = starts[lengths > 1], lengths[lengths > 1]
    before, _ = _neighbours(codes, starts)
    _, after = _neighbours(codes, starts + lengths - 1)
    behind = ((flags[before] & ch.BEFORE_LAUGH) > 0) & ((flags[after] & ch.ALNUM) == 0) & (after != _STOP)
    between = behind & ((flags[before] & flags[after] & ch.WORD) > 0)
    codes[starts[between]] = _SPACE
    text.drop(np.concatenate((starts[behind & ~between], _tails(starts[behind], lengths[behind]))))


def _neighbours(codes: Codes, positions: Positions) -> tuple[Codes, Codes]:
    """The characters before and after; the ends of the batch count as separators."""
    edge = np.uint32(ord(SEPARATOR))
    before = np.where(positions > 0, codes[np.maximum(positions - 1, 0)], edge)
    after = np.where(positions + 1 < codes.size, codes[np.minimum(positions + 1, codes.size - 1)], edge)
    return before, after


def _tidy_spaces(text: MappedCodes) -> None:
    """One space, one newline, no space beside a newline."""
    text.drop(np.flatnonzero((text.codes[1:] == _SPACE) & (text.codes[:-1] == _SPACE)) + 1)
    spaces = np.flatnonzero(text.codes == _SPACE)
    before, after = _neighbours(text.codes, spaces)
    edge = np.uint32(ord(SEPARATOR))
    text.drop(spaces[(before == _NEWLINE) | (after == _NEWLINE) | (before == edge) | (after == edge)])
    newlines = np.flatnonzero(text.codes == _NEWLINE)
    before, after = _neighbours(text.codes, newlines)
    text.drop(newlines[(before == _NEWLINE) | (before == edge) | (after == edge)])


def _settle_stops(codes: Codes) -> None:
    """，．,. become 、。 where they end a Japanese clause, and ,. elsewhere."""
    flags = tables().flags
    marks = np.flatnonzero((codes == ord("，")) | (codes == ord("．")) | (codes == ord(",")) | (codes == ord(".")))
    before, after = _neighbours(codes, marks)
    before_flags, after_flags = flags[before], flags[after]
    mark = codes[marks]
    ends_line = (after == _NEWLINE) | (after == ord(SEPARATOR))
    wide_comma = np.ones(marks.size, bool)
    between = np.flatnonzero((mark == ord("，")) & ((before_flags & after_flags & ch.DIGIT) > 0))
    wide_comma[between] = ~_thousands_follow(codes, marks[between])
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


def _thousands_follow(codes: Codes, marks: Positions) -> NDArray[np.bool_]:
    """Whether exactly three digits follow: 1，000 is a number, 3，4日 are two."""
    edge = codes.size - 1
    after = [
        (marks + step <= edge) & ((tables().flags[codes[np.minimum(marks + step, edge)]] & ch.DIGIT) > 0)
        for step in range(1, 5)
    ]
    return after[0] & after[1] & after[2] & ~after[3]


def _drop_spaces_after_stops(text: MappedCodes) -> None:
    spaces = np.flatnonzero(text.codes == _SPACE)
    before, _ = _neighbours(text.codes, spaces)
    text.drop(spaces[(before == ord("、")) | (before == ord("。"))])


def _settle_long_vowels(codes: Codes) -> None:
    flags = tables().flags
    long = np.flatnonzero(codes == _LONG)
    before, after = _neighbours(codes, long)
    between = (flags[before] & flags[after] & ch.ALNUM) > 0
    hyphens = np.flatnonzero(codes == _HYPHEN)
    before, after = _neighbours(codes, hyphens)
    inside = ((flags[before] & ch.KATAKANA) > 0) & ((flags[after] & ch.NO_WORD_START) > 0)
    codes[long[between]] = _HYPHEN
    codes[hyphens[inside]] = _LONG

"""Right answers as examination files write them: letters, numbers of options, option texts, several that count.

Does: read options and right answers of a row in the forms that published files have (["a", "c"], "AC", [1, 3], "③",
「2、5（いずれか2つ）」, "a or d", 解なし), and the digits of numeric questions. Does not: read what models answer
(answering/reading.py), or know files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import combinations

from igakulm.tasks.fields import whole
from igakulm.tasks.items import LETTERS
from igakulm.tasks.left_out import OddRow

MAX_CHOICES = 15
Answers = tuple[tuple[str, ...], ...]
"""Every set of letters that counts as right, the official one first."""

_VOIDED = re.compile(
    r"解なし|正解なし|正答なし|解答なし|採点除外|採点対象外|採点対象から除外|不適切問題|全員正解|"
    r"voided",
    re.IGNORECASE,
)
_NOTHING = frozenset({"-", "―", "—", "なし", "無し", "none", "n/a", "na", "null", "除外", "無効"})
_ANY_OF = re.compile(r"(?:いずれか|どれか|any)\s*([0-9一二三四五]|one|two|three)\s*(?:つ|個|of)?", re.IGNORECASE)
_COUNTS = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "one": 1, "two": 2, "three": 3}
_NOTE = re.compile(r"\((?=[^()]{4,}|[^()]*[^\x00-\x7f])[^()]*(?:\)|$)")
_OUT_OF = re.compile(r"(?:のうち|の中から|の中|から|の)?\s*(?:の)?$")
_OR = re.compile(r"\s+or\s+|または|又は|もしくは|あるいは|(?<=[0-9A-Za-z])か(?=\s*[0-9A-Za-z])", re.IGNORECASE)
_AND = re.compile(r"[,、，・/&+;\s]+|および|及び|と|\band\b")
_LABEL = re.compile(r"(?:選択肢|option|choice)?[\s('\"「]*([a-z]|[0-9]{1,2})[\s)'\"」.:]*(?:番)?", re.IGNORECASE)
_NUMBER = re.compile(r"[約-]?\s*(\d[\d,]*(?:\.\d+)?)\s*[^\d\s.,]{0,12}")
_SELECT_ALL = re.compile(
    r"(?:すべて|全て|総て|全部)(?:を|の番号を|の記号を)?(?:選|挙げ|答え)|select all|choose all|all that apply",
    re.IGNORECASE,
)


def asks_for_all(question: str) -> bool:
    """Whether a question wants all that is right, without saying how many that are.

    >>> asks_for_all("正しいのはどれか。すべて選べ。"), asks_for_all("正しいのはどれか。2つ選べ。")
    (True, False)
    """
    return bool(_SELECT_ALL.search(unicodedata.normalize("NFKC", question)))


def choices_of(value: object, where: str, *, blank: bool = False) -> tuple[str, ...]:
    """The options: 2 to 15 texts or numbers, in a list or under their labels; empty ones at the end do not count.

    Args:
        value: the field as it was read.
        where: file and row.
        blank: options in the middle may be empty too (they were pictures).

    Raises:
        OddRow: another form, fewer or more.
    """
    given = _under_labels(value) if isinstance(value, Mapping) else value
    if not isinstance(given, (list, tuple)) or not all(type(entry) in (str, int, float) for entry in given):
        hint = 'write "choices": ["…", "…"]'
        raise OddRow("wrong-choices", "the field 'choices' is not a list of texts", where=where, hint=hint)
    choices = [whole(str(entry), "choices", where).strip() for entry in given]
    while choices and not choices[-1] and not blank:
        choices.pop()
    if not 2 <= len(choices) <= MAX_CHOICES:
        what = f"{len(choices)} choices; a question has 2 to {MAX_CHOICES}"
        raise OddRow("wrong-choices", what, where=where)
    if "" in choices and not blank:
        raise OddRow("wrong-choices", f"option {LETTERS[choices.index('')]} is empty", where=where)
    return tuple(choices)


def _under_labels(value: Mapping[str, object]) -> list[object] | None:
    """The options of {"a": …, "b": …} or {"1": …, "2": …}; None where the labels are others."""
    labels = [unicodedata.normalize("NFKC", label).strip().upper() for label in value]
    numbers = [str(place) for place in range(1, len(labels) + 1)]
    return list(value.values()) if labels in (list(LETTERS[: len(labels)]), numbers) else None


def right_answers(value: object, choices: Sequence[str], where: str) -> Answers:
    """Every set of letters that counts as right.

    Letters and numbers (1 = first option) may have any case and width, and may stand together ("AC", "13"). A text that
    is exactly one of the options stands for it, where it is no letter or number of an option.

    Raises:
        OddRow: no answer, a voided question, or an answer that is none of the options.

    >>> right_answers(["2", "4", "5（いずれか2つを選択で正解）"], "abcde", "")
    (('B', 'D'), ('B', 'E'), ('D', 'E'))
    >>> right_answers("a or d", "abcd", ""), right_answers([1], "ab", "")
    ((('A',), ('D',)), (('A',),))
    """
    if isinstance(value, (list, tuple)) and value and all(isinstance(entry, (list, tuple)) for entry in value):
        found = dict.fromkeys(way for entry in value for way in right_answers(entry, choices, where))
        return tuple(found)
    parts = _texts(value, where)
    known = [unicodedata.normalize("NFKC", choice).strip() for choice in choices]
    if all(known.count(part) == 1 and not _letters(part, len(choices)) for part in parts):
        return (_once(parts, [LETTERS[known.index(part)] for part in parts], where),)
    text = _checked(parts, where)
    any_of = _ANY_OF.search(text)
    named = _OUT_OF.sub("", text[: any_of.start()]) if any_of else text
    ways = _OR.split(_NOTE.sub("", named).rstrip("("))
    sets = [_once(parts, _named(way, known, where), where) for way in ways]
    if any_of and len(sets) == 1:
        size = int(_COUNTS.get(any_of[1].lower(), 0) or any_of[1])
        sets = list(combinations(sets[0], size)) if 0 < size <= len(sets[0]) else sets
    return tuple(dict.fromkeys(sets))


def _texts(value: object, where: str) -> list[str]:
    """The answer's parts as texts of one width."""
    entries = list(value) if isinstance(value, (list, tuple)) else [value]
    entries = [int(entry) if isinstance(entry, float) and entry.is_integer() else entry for entry in entries]
    if not all(entry is None or type(entry) in (str, int, float) for entry in entries):
        raise OddRow("wrong-field", "the field 'answer' is not a list of texts", where=where, hint='write ["a"]')
    texts = [whole(str(entry), "answer", where) for entry in entries if entry is not None]
    parts = [text for entry in texts if (text := unicodedata.normalize("NFKC", entry).strip())]
    if not parts:
        hint = "leave the row out, or give its answer"
        raise OddRow("no-answer", "the answer must name at least one option, each once", where=where, hint=hint)
    return parts


def _checked(parts: Sequence[str], where: str) -> str:
    text = ",".join(parts)
    if _VOIDED.search(text) or text.lower() in _NOTHING:
        raise OddRow("voided", f"the question was voided: {text[:60]!r}", where=where)
    return text


def _named(text: str, options: Sequence[str], where: str) -> list[str]:
    """The letters that one way of answering names."""
    found: list[str] = []
    for piece in filter(None, map(str.strip, _AND.split(text))):
        letters = _letters(piece, len(options))
        if not letters and options.count(piece) == 1:
            letters = [LETTERS[options.index(piece)]]
        if not letters:
            known = f"{LETTERS[0]} to {LETTERS[len(options) - 1]}"
            raise OddRow("wrong-answer", f"the answer {piece[:40]!r} is not one of the options {known}", where=where)
        found += letters
    if not found:
        raise OddRow("wrong-answer", f"the answer {text[:40]!r} names no option", where=where)
    return found


def _letters(piece: str, count: int) -> list[str]:
    """The letters of "c", "3", "(C)", "選択肢3", "AC" or "13" among `count` options; [] for anything else."""
    known = LETTERS[:count]
    if found := _LABEL.fullmatch(piece):
        label = found[1].upper()
        if label in known:
            return [label]
        if label.isdigit() and 1 <= int(label) <= count:
            return [known[int(label) - 1]]
    run = [known[int(sign) - 1] if sign.isdigit() and 0 < int(sign) <= count else sign for sign in piece.upper()]
    joined = piece.isascii() and (piece.isalpha() or piece.isdigit()) and len(piece) <= count
    return run if joined and all(sign in known for sign in run) and len(set(run)) == len(run) else []


def _once(parts: Sequence[str], letters: Sequence[str], where: str) -> tuple[str, ...]:
    if len(set(letters)) != len(letters):
        what = f"the answer must name at least one option, each once, not {', '.join(parts)[:40]!r}"
        raise OddRow("wrong-answer", what, where=where)
    return tuple(sorted(letters))


def digits_of(value: object, where: str) -> Answers:
    """The digits of a question that wants a number, as on the mark sheet ("7.20" -> "720"); several may count.

    Raises:
        OddRow: no answer, a voided question, or no number.

    >>> digits_of(["7.20"], ""), digits_of(42, ""), digits_of("146または147", "")
    ((('720',),), (('42',),), (('146',), ('147',)))
    """
    parts = _texts(value, where)
    text = _checked(parts, where)
    boxes = len(parts) > 1 and all(len(part) == 1 and part.isdigit() for part in parts)
    ways = ["".join(parts)] if boxes else _OR.split(text)
    numbers = [_NUMBER.fullmatch(_NOTE.sub("", way).strip()) for way in ways]
    if not all(numbers):
        what = f"the answer of a question without choices must be one number, not {text[:40]!r}"
        raise OddRow("no-choices", what, where=where, hint='give "choices", or leave the row out')
    return tuple(dict.fromkeys((re.sub(r"\D", "", found[1]),) for found in numbers if found))

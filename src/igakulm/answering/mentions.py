"""Options that a text mentions: by letter, by number, by their text, or by two of these at once.

Does: find the mentions of a text (letters that are parts of words and phrases are none: C型肝炎, ビタミンC, CT,
hepatitis C), and join "C. 甲状腺炎" to one. Does not: judge whether a mention is the answer (reading_choices.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from igakulm.tasks.items import LETTERS

Form = Literal["letter", "small", "number", "text"]
MOST = 500
NOWHERE = -1
"""The option of a letter or number beyond the options, and of a label whose text belongs to another option."""

_KANJI, _KATAKANA = "一-龯々〆", "ァ-ヶー"
_LETTER = re.compile(r"(?<![A-Za-z0-9])(?<![A-Za-z]['’])[A-Za-z](?![A-Za-z0-9]|['’][A-Za-z])")
_NUMBER = re.compile(r"(?<![\d.A-Za-z])(?<!\d[,/:])\d{1,2}(?![\d%])(?![.,/:]\d)")
_LETTER_AFTER = re.compile(rf"-?[{_KANJI}{_KATAKANA}]|-[A-Za-z0-9]|(?:さん|ちゃん|くん)|[+\d]")
_GOOD_AFTER = re.compile(r"番(?!目)|以外|正(?:解|しい|答)|誤|及び|又は|或いは|若しくは")
_NUMBER_AFTER = re.compile(
    r"\s*(?:$|[\n.,:、。)\]」』】}/&;・|!?○◯×✗❌✓✔✅]|番(?!目)|[がはでをともの](?!つ)|だ|以外|および|及び|または|又は|and\b|or\b|is\b|[「『(\[【])"
)
_WORD_BEFORE = re.compile(r"([A-Za-z]+)\s+$")
_WORD_AFTER = re.compile(r" ([a-z]+)")
_BEFORE_A_LETTER = frozenset(
    """is be are option options choice choices answer answers letter choose select pick and or not than either neither
    nor so thus therefore hence both only with its say""".split()  # noqa: SIM905
)
_AFTER_A_LETTER = frozenset(
    """is are was because as since and or seems would due not but for with based cannot can should rather than
    best fits""".split()  # noqa: SIM905
)
_LABEL_GAP = re.compile(
    r"[\s*_]*(?:\.{3}|[.:)\]】」』〕>|]|\.\))?[\s*_]*[「『\"(\[]?[\s*_]*|(?:番)?の[「『]?|\s*[-–—→=]\s*"
)
_LOOSE_GAP = re.compile(r"[、,]\s*|\s+と\s+")
_IN_BRACKETS = re.compile(r"\s*(?:[(\[「【:→=]|、?すなわち|、?つまり)\s*(?:選択肢)?\s*")
_NUMBERED_LINE = re.compile(r"^[ \t]*\(?(\d{1,2})[.)]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mention:
    """One option at `text[start:end]`; `option` counts from 0."""

    start: int
    end: int
    option: int
    form: Form


class Options:
    """The options of one question, in the form in which texts are compared (NFKC, without white space around them)."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.count = len(choices)
        self.texts = [unicodedata.normalize("NFKC", choice).strip().rstrip("。").strip() for choice in choices]
        usable = sorted({text for text in self.texts if text and self.texts.count(text) == 1}, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, usable))) if usable else None
        self.numeric = any(re.fullmatch(r"\d{1,2}", text) for text in self.texts)

    def mentions(self, text: str) -> list[Mention]:
        """All mentions in the order of the text, labels joined with their texts; none where there are more than
        `MOST`: such a text has no end and no answer.
        """
        found = list(islice(self._texts(text), MOST + 1))
        taken = [(mention.start, mention.end) for mention in found]
        found += [
            one
            for one in islice(self._labels(text), MOST + 1)
            if not any(start <= one.start < end for start, end in taken)
        ]
        if len(found) > MOST:
            return []
        return self._joined(sorted(found, key=lambda mention: mention.start), text)

    def _texts(self, text: str) -> Iterator[Mention]:
        """Options by their text, where it is no part of a longer word."""
        for found in self._text.finditer(text) if self._text else ():
            if _is_bounded(text, found.start(), found.end()):
                yield Mention(found.start(), found.end(), self.texts.index(found[0]), "text")

    def _labels(self, text: str) -> Iterator[Mention]:
        for found in _LETTER.finditer(text):
            if _is_label(text, found.start(), found.end()):
                option = LETTERS.index(found[0].upper())
                form: Form = "letter" if found[0].isupper() else "small"
                yield Mention(found.start(), found.end(), option if option < self.count else NOWHERE, form)
        for found in _NUMBER.finditer(text) if not self.numeric else ():
            before = text[found.start() - 1 : found.start()]
            if _NUMBER_AFTER.match(text, found.end()) and not re.match(
                rf"[{_KATAKANA}{_KANJI}]", before.strip("肢号択第答解")
            ):
                option = int(found[0]) - 1
                yield Mention(found.start(), found.end(), option if 0 <= option < self.count else NOWHERE, "number")

    def _joined(self, mentions: Sequence[Mention], text: str) -> list[Mention]:
        """Labels and the texts beside them as one mention."""
        numbering = _numbering(text)
        joined: list[Mention] = []
        for mention in mentions:
            last = joined[-1] if joined else None
            both = _together(last, mention, text) if last else None
            if last is None or both is None:
                joined.append(mention)
                continue
            joined.pop()
            if both.option == NOWHERE and last.form == "number" and last.start in numbering:
                joined.append(mention)  # 1., 2., … count the lines; the text says which option is meant
            else:
                joined.append(both)
        return joined


def _is_bounded(text: str, start: int, end: int) -> bool:
    first, last = text[start], text[end - 1]
    before, after = text[start - 1 : start], text[end : end + 1]
    for inner, outer, side in ((first, before, "before"), (last, after, "after")):
        if not outer:
            continue
        if side == "after" and text.startswith("以外", end):
            continue
        word = rf"[{_KANJI}{_KATAKANA}]"
        if re.match(word, inner) and re.match(word, outer) and not (side == "before" and outer in "肢答解択番"):
            return False
        if re.match(r"[A-Za-z0-9]", inner) and re.match(r"[A-Za-z0-9]", outer):
            return False
    return True


def _is_label(text: str, start: int, end: int) -> bool:
    """Whether a letter that stands alone is no part of a word or phrase."""
    before = text[start - 1 : start]
    if re.match(rf"[{_KATAKANA}{_KANJI}]", before) and before not in "肢解答択号案":
        return False
    if before in ("-", "‐") and re.match(r"[A-Za-z]", text[start - 2 : start - 1]):
        return False
    if _LETTER_AFTER.match(text, end) and not _GOOD_AFTER.match(text, end):
        return False
    word = _WORD_BEFORE.search(text, max(0, start - 20), start)
    if word and word[1].lower() not in _BEFORE_A_LETTER and len(word[1]) > 1:
        return False
    follows = _WORD_AFTER.match(text, end)
    return not follows or (follows[1] in _AFTER_A_LETTER and text[start] != "I")


def _together(label: Mention, text_of: Mention, text: str) -> Mention | None:
    """A label and a text that stand together as one mention, NOWHERE when they contradict each other; else None."""
    gap = text[label.end : text_of.start]
    if label.form != "text" and text_of.form == "text":
        if not (_LABEL_GAP.fullmatch(gap) or (_LOOSE_GAP.fullmatch(gap) and label.option == text_of.option)):
            return None
        if "\n" in gap and label.option != text_of.option:
            return None
    elif not (label.form == "text" and text_of.form != "text" and _IN_BRACKETS.fullmatch(gap)):
        return None
    option = label.option if label.option == text_of.option else NOWHERE
    form = label.form if label.form != "text" else text_of.form
    return Mention(label.start, text_of.end, option, form)


def _numbering(text: str) -> frozenset[int]:
    """Places of numbers that count lines from 1."""
    found = list(_NUMBERED_LINE.finditer(text))
    counts = len(found) > 1 and [int(line[1]) for line in found] == list(range(1, len(found) + 1))
    return frozenset(line.start(1) for line in found) if counts else frozenset()

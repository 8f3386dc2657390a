"""Whether the characters at a place are a person's name: the one judgement that all rules about names share.

Does: read a name that begins at a place or ends at one, with the gazetteer and the words that are no names.
Does not: look for places where a name may stand (names.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from igakulm.text.personal.exceptions import COMPANY_END, EPONYM_END, NO_NAME, NO_NAME_END, WORD_NAMES
from igakulm.text.personal.gazetteer import Gazetteer
from igakulm.text.personal.reading import HAN, composed

_RUN_BEFORE = re.compile(
    rf"(?:[{HAN}]{{1,8}}[ \n]{{1,2}})?[{HAN}]{{1,10}}(?:[ぁ-ん]{{0,4}})$|"
    rf"(?:[{HAN}]{{1,8}}[ \n]?)[ぁ-んァ-ヺー]{{1,5}}$"
)
_KATAKANA_BEFORE = re.compile(r"(?:[ァ-ヺー゛゜]{1,10}[ ・\n=])?[ァ-ヺー゛゜]{2,12}$")
_HIRAGANA_BEFORE = re.compile(r"[ぁ-ん]{2,8}$")
_LATIN_BEFORE = re.compile(r"(?<![A-Za-z])[A-Z][A-Za-z'-]+(?:[ .]{1,2}[A-Z][A-Za-z'-]*)*$")
_LEAD = re.compile(
    r"(?:患者|担当|主治医|医師|看護師|妻|夫|母|父|兄|弟|姉|妹|娘|息子|長男|次男|三男|長女|次女|三女|孫|嫁|叔父|"
    r"叔母|友人|知人|氏名|名前|故|旧姓|紹介医|執刀|術者|助手|指導医|"
    r"当直|同席|付添|同伴|内科|外科|科|部|病院|医院|クリニック|病棟|室|薬局|薬剤師|保健師|前医|本日|昨日|同日|今朝|"
    r"夜間|日中|先週|ケアマネ|課|年|月|日|時|分|より|代|歳|性|児|者|後|前|の)$"
)
_FORWARD_HAN = re.compile(rf"[{HAN}]{{1,8}}")
_FORWARD_PAIR = re.compile(
    rf"(?P<first>[{HAN}]{{1,4}})[ \n]{{1,2}}(?P<second>[{HAN}]{{1,4}}|[ぁ-んァ-ヺー]{{2,5}})(?![{HAN}ぁ-んァ-ヺー])"
)
_FORWARD_PAIR_OPEN = re.compile(
    rf"(?P<first>[{HAN}]{{1,4}})[ \n]{{1,2}}(?P<second>[{HAN}]{{1,4}}|[ぁ-んァ-ヺー]{{2,5}})"
)
_FORWARD_MIXED = re.compile(
    rf"(?P<first>[{HAN}]{{1,4}})(?P<second>[ぁ-ん]{{2,4}}|[ァ-ヺー]{{2,5}})(?![ぁ-んァ-ヺー{HAN}])"
)
_FORWARD_KANA = re.compile(
    r"(?:[ァ-ヺー゛゜]{1,10}(?:[ ・=]{1,2}[ァ-ヺー゛゜]{1,12}){0,3}|[ぁ-んー]{1,8}(?:[ ・]{1,2}[ぁ-んー]{1,8})?)"
)
_FORWARD_LATIN = re.compile(r"[A-Z][A-Za-z'’-]*\.?(?:,? {1,2}[A-Z][A-Za-z'’-]*\.?){0,3}")
_HONORIFIC_END = re.compile(
    r"(?:様|さま|さん|氏|殿|君|くん|ちゃん|先生|医師|看護師|Dr|Ns|NS|主任|師長|部長|医長|院長|教授|講師|助教|PT|OT|"
    r"ST|MSW|薬剤師|保健師|技師)"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name from `start` to `end`; `surname` is how many of its characters are the surname, 0 = unknown."""

    start: int
    end: int
    surname: int
    confidence: float


def ends_at(seen: str, end: int, lists: Gazetteer, sure: bool) -> Name | None:
    """The name that ends at a place.

    Args:
        seen: text as `reading.read` gives it.
        end: where an honorific or a title begins.
        lists: the gazetteer.
        sure: whether what follows is said of persons only (「様」), so that an unknown word passes for a name.
    """
    low = max(0, end - 24)
    found = _RUN_BEFORE.search(seen, low, end)
    if found:
        name = _in_run(seen, found.start(), end, lists, sure)
        if name:
            return name
    if sure:
        return _kana_or_latin_before(seen, low, end, lists)
    return None


def _in_run(seen: str, start: int, end: int, lists: Gazetteer, sure: bool) -> Name | None:
    run = seen[start:end]
    gap = re.search(r"[ \n]{1,2}", run)
    if gap:
        name = _gapped(run, gap, start, end, lists, sure)
        if name:
            return name
        start, run = start + gap.end(), run[gap.end() :]
    for place in range(len(run) - 1):
        surname = lists.full_name(run[place:])
        if surname and run[place:] not in NO_NAME and not run[place:].endswith(NO_NAME_END):
            return Name(start + place, end, surname, 0.96)
    for place in range(len(run)):
        word = run[place:]
        lead = place == 0 or _LEAD.search(run[:place])
        if lead and word not in NO_NAME and (word in lists.surnames or (sure and word in lists.given)):
            return Name(start + place, end, len(word) if word in lists.surnames else 0, 0.95 if sure else 0.9)
    if sure and 2 <= len(run) <= 5 and _unknown(run, lists):
        return Name(start, end, 0, 0.7)
    return None


def _gapped(run: str, gap: re.Match[str], start: int, end: int, lists: Gazetteer, sure: bool) -> Name | None:
    first, second = run[: gap.start()], run[gap.end() :]
    if "\n" in gap[0] and (len(first) < 2 or second not in lists.given):
        return None
    for place in range(len(first)):
        if first[place:] in lists.surnames and first[place:] not in NO_NAME and len(second) <= 4:
            known = second in lists.given
            lone = second in NO_NAME or second in lists.surnames
            if known or (sure and not lone and (place == 0 or _LEAD.search(first[:place]))):
                return Name(start + place, end, len(first) - place, 0.97 if known else 0.9)
    return None


def _unknown(run: str, lists: Gazetteer) -> bool:
    return (
        run not in NO_NAME
        and run not in lists.words
        and not run.endswith(NO_NAME_END)
        and not re.search(r"[ぁ-ん]", run)
    )


def _kana_or_latin_before(seen: str, low: int, end: int, lists: Gazetteer) -> Name | None:
    found = _KATAKANA_BEFORE.search(seen, low, end)
    if found:
        word = composed(found[0])
        if word not in NO_NAME and not word.endswith(NO_NAME_END):
            return Name(found.start(), end, _surname_of_kana(found[0], lists), 0.85)
        return None
    found = _HIRAGANA_BEFORE.search(seen, low, end)
    if found:
        for place in range(len(found[0]) - 1):
            word = katakana(found[0][place:])
            bounded = place == 0 or found[0][place - 1] in "のはがとやにも、"
            if (
                len(word) > 2
                and bounded
                and word in (lists.given_readings | lists.surname_readings)
                and found[0][place:] not in NO_NAME
            ):
                return Name(found.start() + place, end, 0, 0.8)
        return None
    found = _LATIN_BEFORE.search(seen, low, end)
    if (found and not found[0].isupper()) or (found and len(found[0]) > 3):
        words = [word for word in re.split("[ .]+", found[0]) if word]
        if words[-1] not in NO_NAME:
            return Name(found.start(), end, 0, 0.8)
    return None


def _surname_of_kana(text: str, lists: Gazetteer) -> int:
    first = re.split("[ ・=\n]", text)[0]
    return len(first) if composed(first) in lists.surname_readings else 0


def katakana(text: str) -> str:
    """Hiragana as katakana.

    >>> katakana("やまだ")
    'ヤマダ'
    """
    return "".join(chr(ord(one) + 0x60) if "ぁ" <= one <= "ゖ" else one for one in text)


def begins_at(seen: str, start: int, lists: Gazetteer, sure: bool) -> Name | None:
    """The name that begins at a place.

    Args:
        seen: text as `reading.read` gives it.
        start: after a label or a title.
        lists: the gazetteer.
        sure: whether the label is said of persons only (「氏名：」), so that an unknown word passes for a name.
    """
    return (
        _pair(seen, start, lists, sure)
        or _joined(seen, start, lists, sure)
        or (_plain(seen, start, lists) if sure else _latin_pair(seen, start, lists))
    )


def _pair(seen: str, start: int, lists: Gazetteer, sure: bool) -> Name | None:
    found = _FORWARD_PAIR.match(seen, start) or _FORWARD_PAIR_OPEN.match(seen, start)
    if not found or found["first"] in NO_NAME:
        return None
    second, end = found["second"], found.end()
    bare = _HONORIFIC_END.search(second)
    if bare and bare.start() and second not in lists.given:
        second, end = second[: bare.start()], found.start("second") + bare.start()
    known = found["first"] in lists.surnames
    for size in range(len(second), 0, -1):
        word = second[:size]
        if known and (word in lists.given or katakana(word) in lists.given_readings):
            return Name(start, found.start("second") + size, len(found["first"]), 0.97)
    if second in NO_NAME or second.endswith(NO_NAME_END) or not sure:
        return None
    if (known or second in lists.given) and second not in lists.words:
        return Name(start, end, len(found["first"]), 0.93)
    if "\n" in found[0] or found["first"] in lists.words:
        return None
    return (
        Name(start, end, len(found["first"]), 0.85) if len(found["first"]) <= 3 and second not in lists.words else None
    )


def _joined(seen: str, start: int, lists: Gazetteer, sure: bool) -> Name | None:
    mixed = _FORWARD_MIXED.match(seen, start)
    if mixed and mixed["first"] in lists.surnames and katakana(mixed["second"]) in lists.given_readings:
        return Name(start, mixed.end(), len(mixed["first"]), 0.93)
    found = _FORWARD_HAN.match(seen, start)
    if not found:
        return None
    run = found[0]
    whole_end = len(run)
    for size in range(min(whole_end, 7), 1, -1):
        surname = lists.full_name(run[:size])
        rest_stands = size == whole_end or _HONORIFIC_END.match(run, size) or sure
        if (
            surname
            and rest_stands
            and (size > 2 or run[:size] not in lists.words)
            and run[:size] not in NO_NAME
            and not is_eponym(seen, start + size)
        ):
            return Name(start, start + size, surname, 0.95)
    titled = _HONORIFIC_END.search(run, 1)
    word = run[: titled.start()] if titled else run
    if word in NO_NAME or word.endswith(NO_NAME_END) or is_eponym(seen, start + len(word)):
        return None
    if word in lists.surnames and (sure or titled or not (word in WORD_NAMES or word in lists.words)):
        return Name(start, start + len(word), len(word), 0.92)
    if word in lists.given and (sure or titled or word not in lists.words):
        return Name(start, start + len(word), 0, 0.85)
    return None


def _plain(seen: str, start: int, lists: Gazetteer) -> Name | None:
    """After a sure label: whatever has the shape of a name."""
    found = _FORWARD_HAN.match(seen, start)
    if found:
        titled = _HONORIFIC_END.search(found[0], 1)
        word = found[0][: titled.start()] if titled else found[0]
        if 1 <= len(word) <= 6 and _unknown(word, lists):
            return Name(start, start + len(word), 0, 0.8)
        return None
    found = _FORWARD_KANA.match(seen, start)
    if found:
        word, end = found[0], found.end()
        titled = re.search(r"(?:さん|さま|くん|ちゃん)$", word)
        end -= len(titled[0]) if titled else 0
        word = seen[start:end].strip()
        known = " " in word or "・" in word or _surname_of_kana(word, lists) or composed(word) in lists.given_readings
        if (
            known
            and composed(word) not in NO_NAME
            and len(word) > 1
            and not word.startswith(("なし", "あり", "の", "は", "が"))
        ):
            return Name(start, start + len(word), _surname_of_kana(word, lists), 0.85)
        return None
    found = _FORWARD_LATIN.match(seen, start)
    if found and found[0].rstrip(".") not in NO_NAME and len(found[0]) > 1:
        return Name(start, found.end(), 0, 0.85)
    return None


def _latin_pair(seen: str, start: int, lists: Gazetteer) -> Name | None:
    found = _FORWARD_LATIN.match(seen, start)
    if found and " " in found[0] and latin_name(found[0], lists):
        return Name(start, found.end(), 0, 0.85)
    return None


def latin_name(text: str, lists: Gazetteer) -> bool:
    """Whether two words in Latin letters are a Japanese surname and given name, in either order.

    >>> from igakulm.text.personal.gazetteer import gazetteer
    >>> latin_name("Hanako SATO", gazetteer()), latin_name("Vital Signs", gazetteer())
    (True, False)
    """
    words = [re.sub("ou|oo|oh", "o", re.sub("uu", "u", word.lower())) for word in re.split("[ ,]+", text) if word]
    if len(words) != 2:
        return False
    first, second = words
    return (first in lists.surname_letters and second in lists.given_letters) or (
        second in lists.surname_letters and first in lists.given_letters
    )


def is_eponym(seen: str, end: int) -> bool:
    """Whether a name that ends here stands for a disease, a method, an instrument or a maker."""
    return EPONYM_END.match(seen, end) is not None or COMPANY_END.match(seen, end) is not None

"""Whether the characters at a place are a person's name: the one judgement that all rules about names share.

Does: read a name that begins at a place or ends at one, with the gazetteer and the words that are no names.
Does not: look for places where a name may stand (names.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from igakulm.text.personal.exceptions import COMPANY_END, EPONYM_END, NO_NAME, NO_NAME_END, WORD_NAMES, words
from igakulm.text.personal.gazetteer import Gazetteer, katakana
from igakulm.text.personal.reading import HAN, composed

_RUN_BEFORE = re.compile(
    rf"(?:[{HAN}]{{1,8}}[ \n]{{1,2}})?[{HAN}]{{1,10}}(?:[ぁ-ん]{{0,4}})$|"
    rf"(?:[{HAN}]{{1,8}}[ \n]?)[ぁ-んァ-ヺー]{{1,5}}$"
)
_KATAKANA_BEFORE = re.compile(r"(?:[ァ-ヺー゛゜]{1,10}[ ・\n=]){0,3}[ァ-ヺー゛゜]{2,12}$")
_HIRAGANA_PAIR_BEFORE = re.compile(r"(?<![ぁ-ん])(?P<first>[ぁ-ん]{2,6})[ \n](?P<second>[ぁ-ん]{2,6})$")
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
_WHOLE = re.compile(
    rf"(?P<name>[{HAN}]{{1,4}}[ぁ-んァ-ヺー]{{2,4}}|[{HAN}]{{1,6}}|[ぁ-んー]{{2,5}}|"
    rf"[ァ-ヺー゛゜]{{2,6}})(?=[ ]?(?:$|[\n、。)）,|(（/・「」]|医師|先生|"
    rf"Dr|様|さん|[0-9])|[ ])"
)
_FORWARD_KANA = re.compile(
    r"(?:[ァ-ヺー゛゜]{1,10}(?:[ ・=]{1,2}[ァ-ヺー゛゜]{1,12}){0,3}|[ぁ-んー]{1,8}(?:[ ・]{1,2}[ぁ-んー]{1,8})?)"
)
_FORWARD_LATIN = re.compile(r"[A-Z][A-Za-z'’-]*\.?(?:,? {1,2}[A-Z][A-Za-z'’-]*\.?){0,3}")
_NO_LATIN_NAME = re.compile(r"\b(?:DOB|MRN|ID|MD|RN|M|F|Male|Female|Age|Sex|Tel|TEL|Address|Date|Dept|Ward)\b.*")
_HONORIFIC_END = re.compile(
    r"(?:様|さま|さん|氏|殿|君|くん|ちゃん|先生|医師|看護師|Dr|Ns|NS|主任|師長|部長|医長|院長|教授|講師|助教|PT|OT|"
    r"ST|MSW|薬剤師|保健師|技師)"
)


PARTICLES = frozenset(
    words("さん さま くん ちゃん より から まで など です とも との には では へは かも ので のみ だけ")
)
"""What follows names in hiragana and looks like a given name."""


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
    plain = sure and not lists.full_name(run) and run not in lists.surnames
    whole = _rare(run, start, end, lists) if plain else None
    if whole and lists.is_given(run[whole.surname :]):
        return whole
    for place in range(len(run) - 1):
        surname = lists.full_name(run[place:])
        if surname and run[place:] not in NO_NAME and not run[place:].endswith(NO_NAME_END):
            return Name(start + place, end, surname, 0.96)
    for place in range(len(run)):
        word = run[place:]
        lead = place == 0 or (len(word) > 1 and _LEAD.search(run[:place]))
        if lead and word not in NO_NAME and (word in lists.surnames or (sure and word in lists.given)):
            return Name(start + place, end, len(word) if word in lists.surnames else 0, 0.95 if sure else 0.9)
    if sure and 2 <= len(run) <= 5 and _unknown(run, lists):
        return Name(start, end, 0, 0.7)
    bounded = not re.match(f"[{HAN}ぁ-んァ-ヺー]", seen[start - 1 : start])
    if not sure and bounded and 2 <= len(run) <= 3 and _unknown(run, lists):
        return Name(start, end, 0, 0.65)
    return _rare(run, start, end, lists) if sure else None


def _rare(run: str, start: int, end: int, lists: Gazetteer) -> Name | None:
    """A whole run of which only the surname or only the given name is known (「稲福幸恵」「伊集院琴葉」)."""
    if (
        not 3 <= len(run) <= 6
        or not re.fullmatch(f"[{HAN}]+(?:[ァ-ヺー]+|[ぁ-ん]+)?", run)
        or run in lists.words
        or _MEDICAL.search(run)
    ):
        return None
    if any(run[:place] in NO_NAME for place in range(2, len(run))):
        return None
    for place in range(min(4, len(run) - 1), 0, -1):
        first, rest = run[:place], run[place:]
        known, given = first in lists.surnames, lists.is_given(rest)
        if not re.fullmatch(f"[{HAN}]+", first) or rest in PARTICLES or first in NO_NAME:
            continue
        if (known or given) and len(rest) <= 3 and first not in lists.words and (given or rest not in lists.words):
            return Name(start, end, place, 0.75)
    return None


def _gapped(run: str, gap: re.Match[str], start: int, end: int, lists: Gazetteer, sure: bool) -> Name | None:
    first, second = run[: gap.start()], run[gap.end() :]
    if "\n" in gap[0] and (len(first) < 2 or second not in lists.given):
        return None
    unlisted = len(first) <= 3 and first not in lists.surnames and (_unknown(first, lists) or first in lists.given)
    if sure and unlisted and lists.is_given(second):
        return Name(start, end, len(first), 0.8)
    for place in range(len(first)):
        if first[place:] in lists.surnames and first[place:] not in NO_NAME and len(second) <= 4:
            known = second in lists.given
            lone = second in NO_NAME
            if known or (sure and not lone and (place == 0 or _LEAD.search(first[:place]))):
                return Name(start + place, end, len(first) - place, 0.97 if known else 0.9)
    return None


_MEDICAL = re.compile("[病症炎癌腫瘤斑疹痕癬痛熱血痙攣麻瘻瘡膿骨筋肉肝腎肺胃腸脳胸腹膚膜腺液剤酸食便尿臭色状形粒型]")
"""No kanji of a family's name that the dictionary lacks."""


def _unknown(run: str, lists: Gazetteer) -> bool:
    if len(run) > 4 or run[-1] in "時後前頃際毎下中上" or _MEDICAL.search(run):
        return False
    return (
        run not in NO_NAME
        and (run not in lists.words or run in lists.places)  # 「和食」「明神」: places are surnames too
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
    found = _HIRAGANA_PAIR_BEFORE.search(seen, low, end)
    if found and katakana(found["first"]) in lists.surname_readings:
        return Name(found.start("first"), end, len(found["first"]), 0.85)
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
    if found["first"].endswith(NO_NAME_END) and found["first"] not in lists.surnames:
        return None
    second, end = found["second"], found.end()
    bare = _HONORIFIC_END.search(second)
    if bare and not bare.start():
        return None
    if bare and second not in lists.given:
        second, end = second[: bare.start()], found.start("second") + bare.start()
    if "\n" in found[0] and not lists.is_given(second):
        return None
    known = found["first"] in lists.surnames
    bounded = _FORWARD_PAIR.match(seen, start) is not None and end == found.end()
    whole = known and bounded and len(second) <= 3 and (sure or lists.is_given(second))
    if whole and second not in NO_NAME and (second not in lists.words or second in lists.given):
        return Name(start, end, len(found["first"]), 0.95)
    for size in range(len(second), 0, -1):
        word = second[:size]
        if known and (word in lists.given or katakana(word) in lists.given_readings):
            return Name(start, found.start("second") + size, len(found["first"]), 0.97)
    if second in NO_NAME or second.endswith(NO_NAME_END):
        return None
    if sure:
        return _surely_a_pair(found, second, end, lists, bounded)
    rare = bounded and "\n" not in found[0] and len(second) > 1 and second in lists.given
    return Name(start, end, len(found["first"]), 0.75) if rare and _unknown(found["first"], lists) else None


def _surely_a_pair(found: re.Match[str], second: str, end: int, lists: Gazetteer, bounded: bool) -> Name | None:
    """Two words after a label of persons, one of which may be a name that no list has."""
    first, given = found["first"], second in lists.given
    if (first in lists.surnames or given) and (second not in lists.words or (bounded and given)):
        return Name(found.start(), end, len(first), 0.93)
    rare = "\n" not in found[0] and first not in lists.words and len(first) <= 3 and second not in lists.words
    return Name(found.start(), end, len(first), 0.85) if rare else None


def _joined(seen: str, start: int, lists: Gazetteer, sure: bool) -> Name | None:
    mixed = _FORWARD_MIXED.match(seen, start)
    if (
        mixed
        and mixed["second"] not in PARTICLES
        and mixed["first"] in lists.surnames
        and katakana(mixed["second"]) in lists.given_readings
    ):
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


def after_colon(seen: str, start: int, lists: Gazetteer) -> Name | None:
    """The name after the colon of a label that is said of persons mostly (「診断者：佐藤蓮」「妻：トメ」)."""
    pair = _pair(seen, start, lists, sure=True)
    if pair:
        return pair
    found = _WHOLE.match(seen, start)
    if not found:
        return None
    word = found["name"]
    titled = _HONORIFIC_END.search(word, 1)
    if titled:
        word = word[: titled.start()]
    tail = re.search("[ぁ-ん]+$", word)
    if tail and tail.start() and tail[0] in PARTICLES:
        return None
    single = len(word) == 1 and word in lists.given
    if (
        word in NO_NAME
        or word.endswith(NO_NAME_END)
        or (word in lists.words and word not in lists.places and not single)
        or is_eponym(seen, found.end())
    ):
        return None
    end = start + len(word)
    if not re.match(f"[{HAN}]", word) and re.match("[ ・][ぁ-んァ-ヺ]", seen[end : end + 2]):
        return None  # surname and given name in kana
    if not re.match(f"[{HAN}]", word):
        return Name(start, end, 0, 0.8) if lists.is_given(word) else None
    if word in lists.given:
        return Name(start, end, 0, 0.8)
    if 2 <= len(word) <= 3 and _unknown(word, lists) and seen[start - 1 : start] != "\n":
        return Name(start, end, 0, 0.7)
    return _after_colon_in_parts(word, start, end, lists)


def _after_colon_in_parts(word: str, start: int, end: int, lists: Gazetteer) -> Name | None:
    """A known surname and something that is no word, or what may be a surname and a known given name."""
    for size in range(min(4, len(word)), 0, -1):
        rest = word[size:]
        plain = len(rest) <= 3 or re.match("[ぁ-んァ-ヺー]", rest)
        if word[:size] in lists.surnames and (
            not rest or (plain and rest not in lists.words and rest not in PARTICLES)
        ):
            return Name(start, end, size, 0.8)
    for size in range(min(3, len(word) - 1), 0, -1):
        if word[size:] in lists.given and (_unknown(word[:size], lists) or word[:size] in lists.given):
            return Name(start, end, size, 0.75)
    return None


def _plain(seen: str, start: int, lists: Gazetteer) -> Name | None:
    """After a sure label: whatever has the shape of a name."""
    mixed = _FORWARD_MIXED.match(seen, start)
    if mixed and mixed["second"] not in PARTICLES and lists.is_given(mixed["second"]) and mixed["first"] not in NO_NAME:
        return Name(start, mixed.end(), len(mixed["first"]), 0.8)
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
    word = _NO_LATIN_NAME.split(found[0])[0].rstrip(" ,") if found else ""
    if len(word.rstrip(".")) > 1 and word.rstrip(".") not in NO_NAME:
        return Name(start, start + len(word), 0, 0.85)
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

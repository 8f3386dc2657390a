"""Names of persons and places, taken at run time from the IPA dictionary that the tokenizer needs anyway.

Does: read surnames, given names with their readings, and place names from the compiled dictionary (a fifth of a
second, once a process). Does not: store a list of its own, or say whether a word is a name in its context.
The layout of `sys.dic` is that of MeCab 0.996 (dictionary.cpp): ten 32-bit words, the charset, then the double array,
the tokens, and the features as strings that end with a zero byte.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from igakulm.errors import InputError
from igakulm.text.personal.exceptions import words

_HEADER = 72
_NAMES = re.compile(r"名詞,固有名詞,人名,(姓|名),\*,\*,([^,\0]+),([^,\0]*),")
_PLACES = re.compile(r"名詞,固有名詞,地域,一般,\*,\*,([^,\0]+),")
_WORDS = re.compile(
    r"名詞,(?:一般|サ変接続|副詞可能|形容動詞語幹|ナイ形容詞語幹|接尾|代名詞|数),[^,\0]*,\*,\*,\*,([^,*\0]+),"
)
_KANJI = re.compile("[一-鿿々]+")


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Surnames and given names in kanji, in katakana and in Latin letters (small, Hepburn), places, common nouns."""

    surnames: frozenset[str]
    given: frozenset[str]
    surname_readings: frozenset[str]
    given_readings: frozenset[str]
    surname_letters: frozenset[str]
    given_letters: frozenset[str]
    places: frozenset[str]
    words: frozenset[str]

    def full_name(self, text: str) -> int:
        """How many characters of a name without a gap are the surname; 0 if it is not surname and given name.

        >>> gazetteer().full_name("佐藤花子"), gazetteer().full_name("糖尿病")
        (2, 0)
        """
        for place in range(min(len(text) - 1, 4), 0, -1):
            if text[:place] in self.surnames and text[place:] in self.given:
                return place
        return 0


@cache
def gazetteer() -> Gazetteer:
    """The lists of the installed IPA dictionary.

    Raises:
        InputError: the dictionary is not there or damaged.
    """
    features = _features()
    surnames: dict[str, set[str]] = {"姓": set(), "名": set()}
    readings: dict[str, set[str]] = {"姓": set(), "名": set()}
    for kind, name, reading in _NAMES.findall(features):
        surnames[kind].add(name)
        if _KANJI.search(name) or name == reading:
            readings[kind].add(reading)
    return Gazetteer(
        frozenset(surnames["姓"]),
        frozenset(surnames["名"]),
        frozenset(readings["姓"]),
        frozenset(readings["名"]),
        frozenset(map(romanised, readings["姓"])) - _ENGLISH_WORDS,
        frozenset(map(romanised, readings["名"])) - _ENGLISH_WORDS,
        frozenset(_PLACES.findall(features)),
        frozenset(word for word in _WORDS.findall(features) if _KANJI.fullmatch(word)),
    )


_ENGLISH_WORDS = frozenset(
    words("an are ate do go he hi in i me mi no note on one same so to toe ran rate sake sore tai tan ten ton")
)


def _features() -> str:
    import ipadic

    path = Path(ipadic.DICDIR) / "sys.dic"
    try:
        data = path.read_bytes()
        sizes = struct.unpack_from("<10I", data)
        start = _HEADER + sizes[6] + sizes[7]
        return data[start : start + sizes[8]].decode("utf-8")
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise InputError("the IPA dictionary cannot be read", where=str(path), hint="install ipadic again") from error


_ROMAN = dict(
    zip(
        "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポヴ",
        [
            "a",
            "i",
            "u",
            "e",
            "o",
            "ka",
            "ki",
            "ku",
            "ke",
            "ko",
            "sa",
            "shi",
            "su",
            "se",
            "so",
            "ta",
            "chi",
            "tsu",
            "te",
            "to",
            "na",
            "ni",
            "nu",
            "ne",
            "no",
            "ha",
            "hi",
            "fu",
            "he",
            "ho",
            "ma",
            "mi",
            "mu",
            "me",
            "mo",
            "ya",
            "yu",
            "yo",
            "ra",
            "ri",
            "ru",
            "re",
            "ro",
            "wa",
            "o",
            "n",
            "ga",
            "gi",
            "gu",
            "ge",
            "go",
            "za",
            "ji",
            "zu",
            "ze",
            "zo",
            "da",
            "ji",
            "zu",
            "de",
            "do",
            "ba",
            "bi",
            "bu",
            "be",
            "bo",
            "pa",
            "pi",
            "pu",
            "pe",
            "po",
            "vu",
        ],
        strict=True,
    )
)
_SMALL = {"ャ": "ya", "ュ": "yu", "ョ": "yo"}


def romanised(reading: str) -> str:
    """Katakana in Hepburn letters without long vowels, as on a passport.

    >>> romanised("サトウ"), romanised("リョウコ"), romanised("ハットリ"), romanised("ジュンイチ")
    ('sato', 'ryoko', 'hattori', 'junichi')
    """
    letters = ""
    for place, kana in enumerate(reading):
        if kana in _SMALL and letters.endswith("i"):
            glide = _SMALL[kana]
            letters = letters[:-1] + (glide[1:] if letters.endswith(("shi", "chi", "ji")) else glide)
        elif kana == "ッ":
            following = _ROMAN.get(reading[place + 1 : place + 2], "")
            letters += "t" if following.startswith("ch") else following[:1]
        else:
            letters += _ROMAN.get(kana, "")
    return re.sub("uu", "u", re.sub("o[ou]", "o", letters))

"""Names of persons and places, taken at run time from the IPA dictionary that the tokenizer needs anyway.

Does: read surnames, given names with their readings, and place names from the compiled dictionary, and names that it
lacks from the package japanese-personal-name-dataset (MIT); all of it in half a second, once a process.
Does not: say whether a word is a name in its context.
The layout of `sys.dic` is that of MeCab 0.996 (dictionary.cpp): ten 32-bit words, the charset, then the double array,
the tokens, and the features as strings that end with a zero byte.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

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
    """Surnames and given names in kanji, in katakana and in Latin letters (small, Hepburn), places, common nouns, and
    the 2,000 most frequent surnames.
    """

    surnames: frozenset[str]
    given: frozenset[str]
    surname_readings: frozenset[str]
    given_readings: frozenset[str]
    surname_letters: frozenset[str]
    given_letters: frozenset[str]
    places: frozenset[str]
    words: frozenset[str]
    frequent: frozenset[str]

    def full_name(self, text: str) -> int:
        """How many characters of a name without a gap are the surname; 0 if it is not surname and given name.

        >>> gazetteer().full_name("佐藤花子"), gazetteer().full_name("糖尿病")
        (2, 0)
        """
        for place in range(min(len(text) - 1, 4), 0, -1):
            rest = text[place:]
            if (
                text[:place] in self.surnames
                and self.is_given(rest)
                and (place > 1 or len(rest) > 2 or rest in self.given)
            ):
                return place
        return 0

    def is_given(self, text: str) -> bool:
        """Whether a text is a given name in kanji or, of two letters and more, in kana."""
        if text in self.given:
            return True
        return len(text) > 1 and katakana(text) in self.given_readings


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
    more = _package_names()
    for kind, reading in (("姓", more.surname_readings), ("名", more.given_readings)):
        readings[kind] |= reading
    return Gazetteer(
        frozenset(surnames["姓"]) | _MORE_SURNAMES | more.surnames,
        frozenset(surnames["名"]) | _MODERN_GIVEN | more.given,
        frozenset(readings["姓"]),
        frozenset(readings["名"]),
        frozenset(map(romanised, readings["姓"])) - _ENGLISH_WORDS,
        frozenset(map(romanised, readings["名"])) - _ENGLISH_WORDS,
        frozenset(_PLACES.findall(features)),
        frozenset(word for word in _WORDS.findall(features) if _KANJI.fullmatch(word)),
        more.surnames,
    )


class _PackageNames(NamedTuple):
    surnames: frozenset[str]
    given: frozenset[str]
    surname_readings: frozenset[str]
    given_readings: frozenset[str]


def _package_names() -> _PackageNames:
    """The lists of the package: `name,number of people,reading,letters`, and `reading,letters,name,name,…`."""
    folder = files("japanese_personal_name_dataset") / "dataset"
    surnames = [line.split(",") for line in (folder / "last_name_org.csv").read_text("utf-8").splitlines() if line]
    given: set[str] = set()
    readings: set[str] = set()
    for sex in ("man", "woman"):
        for line in (folder / f"first_name_{sex}_org.csv").read_text("utf-8").splitlines():
            reading, _, *names = line.split(",")
            readings.add(katakana(reading))
            given.update(name for name in names if 1 < len(name) <= 3)
    return _PackageNames(
        frozenset(row[0] for row in surnames),
        frozenset(given),
        frozenset(katakana(row[2]) for row in surnames if len(row) > 2),
        frozenset(reading for reading in readings if len(reading) > 1),
    )


def katakana(text: str) -> str:
    """Hiragana as katakana.

    >>> katakana("やまだ")
    'ヤマダ'
    """
    return "".join(chr(ord(one) + 0x60) if "ぁ" <= one <= "ゖ" else one for one in text)


_MORE_SURNAMES = frozenset(
    words(
        "与那嶺 与那覇 喜屋武 仲宗根 具志堅 知念 玉城 比嘉 金城 宮城 大城 新垣 上原 島袋 平良 山城 仲村 照屋 伊波 "
        "国吉 城間 我那覇 "
        "東江 渡嘉敷 屋良 安里 瑞慶覧 勢理客 鴨志田 勅使河原 小比類巻 四十物 月見里 小鳥遊 薬袋 一尺八寸 百々 "
        "御手洗 五百旗頭 "
        "百合園 胡桃沢 大日方 降旗 上條 中條 下條 北條 東條 百瀬 丸茂 唐木 小鹿野 神津 依田 柳澤 滝澤 長澤 宮澤 "
        "深澤 黒澤 小澤 "
        "大澤 中澤 金澤 相澤 藤澤 米澤 瀧澤 瀧本 龍田 廣瀬 廣田 廣井 國分 國井 櫻井 櫻田 眞鍋 眞田 壽 槇 榊 蓑輪 "
        "蔀 鷲尾 鵜飼 "
        "鶴岡 鷹野 鴻池 鳰原 朴 李 金 崔 鄭 姜 趙 尹 張 王 劉 陳 楊 黄 呉 徐 孫 朱 馬 郭 何 高 羅 梁 謝 宋 唐 許 "
        "韓 馮 鄧 曹 彭 曽 曾 "
        "肖 田 董 潘 袁 蔡 蒋 余 于 杜 葉 程 魏 蘇 呂 丁 任 盧 姚 沈 鍾 崔 譚 陸 范 汪 廖 石 戴 賈 夏 韋 付 方 白 "
        "鄒 孟 熊 秦 邱 江 尹 "
        "薛 閻 段 雷 侯 龍 史 陶 黎 賀 顧 毛 郝 龔 邵 万 銭 厳 覃 武 孔 向 湯"
    )
)
"""Surnames of Okinawa, with old forms of kanji, rare ones, and of China and Korea that the dictionary lacks."""
_MODERN_GIVEN = frozenset(
    words(
        "蓮 湊 蒼 樹 凪 陽翔 悠真 湊斗 朝陽 陽向 蒼空 律 暖 碧 伊織 颯 颯太 颯真 大翔 陽太 悠人 結翔 奏太 奏 蒼真 "
        "琉生 "
        "瑛太 遥斗 海斗 晴 晴翔 悠斗 颯斗 一颯 絢斗 仁 慧 岳 煌 旭 新 丈 匠 翼 駿 陸 陸斗 隼 隼人 翔 翔太 琉 怜 玲 "
        "陽菜 結衣 葵 芽依 紬 結菜 凛 澪 莉子 咲良 陽葵 紗菜 心春 心結 莉愛 美桜 杏 楓 詩 結月 柚希 琴音 美結 愛莉 "
        "彩葉 "
        "芽生 花 花音 彩花 萌 凜 栞 雫 茜 心愛 愛菜 優奈 優花 優月 ひより 瑠奈 梨央 七海 美羽 美月 美空 沙羅 沙耶 "
        "紗良 "
        "彩乃 彩音 菜々子 菜月 真央 真帆 麻央 麻衣 舞 舞香 千尋 千夏 夏希 夏帆 春香 春菜 秋穂 冬馬 拓海 拓真 拓斗 "
        "直輝 直樹 "
        "和輝 大輝 大和 大地 優斗 優真 勇斗 勇輝 健斗 健人 健太 亮介 亮太 亮 潤 諒 涼 涼介 涼太 龍之介 龍一 竜也 "
        "達也 哲也"
    )
)
"""Given names of the last decades that the dictionary of 2007 lacks."""
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

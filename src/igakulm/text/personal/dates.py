"""Dates of birth, ages above 89, other dates; and a date moved by a number of days in the form it was written in.

Does: find dates in the Western calendar and in Japanese eras, with digits or Chinese numerals; shift them.
Does not: take a biopsy (「2024-01-05生検」) for a birth.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator

from igakulm.text.personal.spans import Piece

ERAS = {
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "M": 1867,
    "T": 1911,
    "S": 1925,
    "H": 1988,
    "R": 2018,
}
"""The year before the first of each era."""
_ERA = "明治|大正|昭和|平成|令和|(?<![A-Za-z])[MTSHRmtshr]"
_NUMERAL = "[〇零一二三四五六七八九十元]"
_D = r"[0-9]{1,2}"
_SLASH = r" ?[/.\-・] ?"
DATE = (
    rf"(?:(?:(?:{_ERA})\.? ?(?:{_D}|元)|(?:1[89]|20)[0-9]{{2}}) ?年 ?(?:\((?:{_ERA})\.? ?(?:{_D}|"
    rf"元)年?\))? ?{_D} ?月 ?{_D} ?日"
    rf"|(?:1[89]|20)[0-9]{{2}}\((?:{_ERA})\.?(?:{_D}|元)年?\)年?{_D}月{_D}日"
    rf"|(?:{_ERA})\.? ?(?:{_D}|元){_SLASH}{_D}{_SLASH}{_D}(?![0-9])"
    rf"|(?<![0-9])(?:1[89]|20)[0-9]{{2}}{_SLASH}{_D}{_SLASH}{_D}(?![0-9])"
    rf"|(?<![0-9]){_D}{_SLASH}{_D}{_SLASH}(?:1[89]|20)[0-9]{{2}}(?![0-9])"
    rf"|(?:明治|大正|昭和|平成|令和|"
    rf"[一二][〇零一二三四五六七八九]{{3}}){_NUMERAL}{{0,3}}年{_NUMERAL}{{1,3}}月{_NUMERAL}{{1,3}}日)"
)
"""A full date with its year."""
_YEAR = rf"(?:(?:{_ERA})\.? ?(?:{_D}|元)|(?<![0-9])(?:1[89]|20)[0-9]{{2}}) ?年(?: ?{_D} ?月)?"
_SOLID = r"(?:1[89]|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
_ERA_SOLID = rf"(?:{_ERA})[0-9]{{6}}(?![0-9])"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_ENGLISH = (
    rf"(?:[0-9]{{1,2}}(?:st|nd|rd|th)? {_MONTH},? (?:1[89]|20)[0-9]{{2}}"
    rf"|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? (?:1[89]|20)[0-9]{{2}})"
)
_SHORT = rf"(?<![0-9/.-])[0-9]{{2}}[/.-]{_D}[/.-]{_D}(?![0-9/.-])"

_BIRTH_MARKS = ("生年月日", "出生日", "誕生日", "DOB", "D.O.B", "irth", "生年")
_BIRTH_LABELLED = re.compile(
    r"(?:生年月日|出生年月日|出生日|誕生日|生年|DOB|D\.O\.B\.?|Date of Birth|Date of birth|date of birth|"
    r"Birth ?[Dd]ate|birth ?date|Birthday|birthday)"
    r"(?:\([^)\n]{1,8}\))?[ ]?[:;=はが|、,(【「>】]{0,2}\n?[ ]{0,2}"
    rf"(?P<date>{DATE}|{_SOLID}|{_ERA_SOLID}|{_ENGLISH}|{_SHORT}|{_YEAR}|{_D}月{_D}日)"
)
_BORN = re.compile(r"生(?:まれ|(?=[、。,)\s(（・\]】/]|$))|出生|うまれ|誕生")
_BEFORE_BORN = re.compile(
    rf"(?P<date>{DATE}|{_SOLID}|{_ERA_SOLID}|{_ENGLISH}|{_YEAR})[ ]?(?:\([^)\n]{{1,6}}\))? ?(?:に|、)?$"
)
_LONGEST_DATE = 40
_BORN_ENGLISH = re.compile(rf"(?:born|Born)(?: on)? (?P<date>{_ENGLISH}|{DATE})")
_DATES = re.compile(rf"{DATE}|{_ENGLISH}|(?<![0-9A-Za-z]){_SOLID}")
_MONTH_DAY = re.compile(r"(?<![0-9年])(?:1[0-2]|0?[1-9]) ?月 ?(?:3[01]|[12][0-9]|0?[1-9]) ?日")
_UNIT = r" ?(?:歳|才|y\.?[ /]?o\.?(?![A-Za-z])|years? old|yo(?![A-Za-z]))(?!以上|未満|以下|前後|代|台|[〜~-][0-9])"
_AGES = tuple(
    re.compile(rf"{first}(?<![0-9.±〜]{first})[0-9]{more}{_UNIT}") for first, more in (("9", ""), ("1", "{2}"))
)
_AGE_LABELLED = re.compile(
    r"(?:享年|年齢|年令|満)[:は| (]{0,2}(?P<age>9[0-9]|1[0-2][0-9])(?![0-9.]|[%％]|日|か月|ヶ月|[ ]?[歳才])"
)
_KANJI_AGE = re.compile(r"(?:九十[一二三四五六七八九]?|百十?[一二三四五六七八九]?)(?= ?[歳才](?!以上|未満|以下|代))")
_NUMBER_OF = {"元": 1, "〇": 0, "零": 0, **{numeral: place for place, numeral in enumerate("一二三四五六七八九", 1)}}


def find_birth_dates(seen: str) -> Iterator[Piece]:
    """Dates after 生年月日 and its like, and before 生まれ."""
    if any(mark in seen for mark in _BIRTH_MARKS):
        yield from (Piece(*found.span("date"), 0.98) for found in _BIRTH_LABELLED.finditer(seen))
    for born in _BORN.finditer(seen):
        found = _BEFORE_BORN.search(seen, max(0, born.start() - _LONGEST_DATE), born.start())
        if found:
            yield Piece(*found.span("date"), 0.96)
    if "orn" in seen:
        yield from (Piece(*found.span("date"), 0.96) for found in _BORN_ENGLISH.finditer(seen))


_BESIDE = re.compile(
    rf"[ ]?(?:様|殿|さん|氏)?[ 　,、/・|(（]{{0,3}}(?:[男女]性?|[MF])?[ 　,、/・|(（]{{0,2}}(?P<date>{DATE}|"
    rf"{_ERA_SOLID})"
)
_WITH_AGE = re.compile(rf"(?P<date>{DATE}|{_ERA_SOLID})[ ]?[(（][ ]?(?:満)?[0-9]{{1,3}} ?[歳才]")
_NEWBORN = 18
"""A date of the Western calendar or Heisei beside a name is one of birth if it is so many years before the others."""


def find_birth_dates_beside(seen: str, ends: Iterable[int]) -> Iterator[Piece]:
    """Dates of birth without a label: with an age in brackets, or after a name where the date is old enough.

    Args:
        seen: text as `reading.read` gives it.
        ends: where the names of the document end.
    """
    if "歳" in seen or "才" in seen:
        yield from (Piece(*found.span("date"), 0.95) for found in _WITH_AGE.finditer(seen))
    for end in ends:
        found = _BESIDE.match(seen, end)
        if found and _is_old(found["date"], seen):
            yield Piece(*found.span("date"), 0.85)


def _is_old(date: str, seen: str) -> bool:
    if re.match("明治|大正|昭和|[MTSmts][0-9.]", date):
        return True
    year = year_of(date)
    years = [int(number) for number in re.findall(r"(?<![0-9])20[0-9]{2}(?=[年/.-])", seen)] or [2020]
    return year is not None and year <= max(years) - _NEWBORN


def find_ages(seen: str) -> Iterator[Piece]:
    """Ages of 90 and above; the unit stays."""
    for pattern in _AGES:
        for found in pattern.finditer(seen):
            digits = re.match("[0-9]+", found[0])
            if digits and 90 <= int(digits[0]) < 130:
                yield Piece(found.start(), found.start() + digits.end())
    yield from (Piece(*found.span("age")) for found in _AGE_LABELLED.finditer(seen))
    for found in _KANJI_AGE.finditer(seen) if "歳" in seen or "才" in seen else ():
        if not re.match("[一-鿿]", seen[found.start() - 1 : found.start()]):
            yield Piece(*found.span())


def find_dates(seen: str) -> Iterator[Piece]:
    """All full dates, and month and day."""
    yield from (Piece(*found.span(), 0.8) for found in _DATES.finditer(seen))
    if "月" in seen:
        yield from (Piece(*found.span(), 0.7) for found in _MONTH_DAY.finditer(seen))


_PARTS = re.compile(
    r"(?P<era>明治|大正|昭和|平成|令和|[MTSHRmtshr](?=\.? ?[0-9元]))?\.? ?(?P<year>[0-9]{1,4}|元)(?P<a> ?年 ?|"
    r" ?[/.\-・] ?)"
    r"(?P<month>[0-9]{1,2})(?P<b> ?月 ?| ?[/.\-・] ?)(?P<day>[0-9]{1,2})(?P<c> ?日)?"
)
_SOLID_PARTS = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_MONTH_DAY_PARTS = re.compile(r"(?P<month>[0-9]{1,2})(?P<b> ?月 ?)(?P<day>[0-9]{1,2})(?P<c> ?日)")


def shifted(date: str, days: int, year: int | None = None) -> str | None:
    """The date `days` later in the form it has; None if it cannot be read.

    Args:
        date: as `reading.read` gives it.
        days: may be negative.
        year: of a date that has month and day only.

    >>> shifted("令和6年3月5日", -10), shifted("2024-02-28", 2), shifted("H31.4.30", 1)
    ('令和6年2月24日', '2024-03-01', 'R1.5.1')
    >>> shifted("12月31日", 1, 2023), shifted("20240105", 30)
    ('1月1日', '20240204')
    """
    solid = _SOLID_PARTS.fullmatch(date)
    found = solid or _PARTS.fullmatch(date)
    try:
        if found is None:
            short = _MONTH_DAY_PARTS.fullmatch(date)
            if short is None or year is None:
                return None
            moved = datetime.date(year, int(short["month"]), int(short["day"])) + datetime.timedelta(days)
            return f"{_as(moved.month, _padded(short))}{short['b']}{_as(moved.day, _padded(short))}{short['c']}"
        if solid:
            old = datetime.date(int(solid["year"]), int(solid["month"]), int(solid["day"]))
            return (old + datetime.timedelta(days)).strftime("%Y%m%d")
        return _shifted_parts(found, days)
    except (ValueError, OverflowError):
        return None


def year_of(date: str) -> int | None:
    """The Western year of a full date that `shifted` can read.

    >>> year_of("令和6年3月5日"), year_of("3月5日")
    (2024, None)
    """
    found = _SOLID_PARTS.fullmatch(date) or _PARTS.fullmatch(date)
    if found is None:
        return None
    era = found.groupdict().get("era")
    number = _NUMBER_OF.get(found["year"]) or int(found["year"])
    return ERAS[era.upper() if era.isascii() else era] + number if era else number if number > 999 else None


def _shifted_parts(found: re.Match[str], days: int) -> str | None:
    year = year_of(found[0])
    if year is None:
        return None
    moved = datetime.date(year, int(found["month"]), int(found["day"])) + datetime.timedelta(days)
    head = str(moved.year) if not found["era"] else _in_era(moved, found["era"])
    tail = found["c"] or ""
    return f"{head}{found['a']}{_as(moved.month, _padded(found))}{found['b']}{_as(moved.day, _padded(found))}{tail}"


def _in_era(date: datetime.date, era: str) -> str:
    starts = (("令和", "R", datetime.date(2019, 5, 1)), ("平成", "H", datetime.date(1989, 1, 8)),
              ("昭和", "S", datetime.date(1926, 12, 25)), ("大正", "T", datetime.date(1912, 7, 30)),
              ("明治", "M", datetime.date(1868, 1, 25)))  # fmt: skip
    long, short, _ = next((row for row in starts if date >= row[2]), starts[-1])
    name = short if era.isascii() else long
    return f"{name.lower() if era.islower() else name}{date.year - ERAS[long]}"


def _as(number: int, padded: bool) -> str:
    return f"{number:02d}" if padded else str(number)


def _padded(found: re.Match[str]) -> bool:
    """Whether month and day of the old date have leading zeros, as far as two digits each can tell."""
    month, day = found["month"], found["day"]
    both = len(month) == len(day) == 2
    return "0" in (month[0], day[0]) or (both and "月" not in found[0])

"""Numbers as the report writes them, in Japanese and English notation.

Does: write a number, share, size or time; a dash for what is not known. Does not: know what a number means.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from typing import Literal

from igakulm.stored import finite

Language = Literal["ja", "en"]
MISSING = "–"
UNITS: dict[Language, tuple[tuple[float, str], ...]] = {
    "ja": ((1e12, "兆"), (1e8, "億"), (1e4, "万")),
    "en": ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1e4, " thousand")),
}
TIMES: dict[Language, tuple[str, str, str]] = {"ja": ("時間", "分", "秒"), "en": ("h", "min", "s")}


def count(value: object) -> str:
    """A whole number with separators.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    number = finite(value)
    return MISSING if number is None else f"{round(number):,}"


def large(value: object, language: Language = "ja") -> str:
    """A number of two or three digits in 万 and 億, or in thousands and millions.

    >>> large(3_104_256), large(1_191_282_688), large(123_456_789), large(950)
    ('310万', '11.9億', '1.23億', '950')
    >>> large(3_104_256, "en")
    '3.10 million'
    """
    number = finite(value)
    if number is None:
        return MISSING
    for unit, name in UNITS[language]:
        if abs(number) >= unit:
            scaled = number / unit
            if language == "en" and unit == 1e4:
                scaled *= 10
            return f"{scaled:,.{max(0, 2 - int(math.log10(abs(scaled))))}f}{name}"
    return f"{number:,.0f}"


def decimal(value: object, digits: int = 3) -> str:
    """A number with fixed digits; a real minus sign, and none before a zero.

    >>> decimal(0.51234), decimal(-0.02, 2), decimal(-0.0001), decimal(None)
    ('0.512', '−0.02', '0.000', '–')
    """
    number = finite(value)
    return MISSING if number is None else f"{number:z,.{digits}f}".replace("-", "−")


def figure(value: object) -> str:
    """A score: three digits up to 1, one digit beyond (per cent and points)."""
    number = finite(value)
    return decimal(number, 3 if number is None or abs(number) <= 2 else 1)


def signed(value: object) -> str:
    """A difference of scores with its sign."""
    number = finite(value)
    return ("+" if number is not None and number > 0 else "") + figure(number)


def interval(low: object, high: object) -> str:
    """An interval in brackets; empty when it is not known.

    >>> interval(-0.1, 0.25), interval(None, 0.5)
    ('[−0.100, 0.250]', '')
    """
    return "" if finite(low) is None or finite(high) is None else f"[{figure(low)}, {figure(high)}]"


def percent(share: object, digits: int = 1) -> str:
    """A share of 0 to 1 as per cent.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '–')
    """
    number = finite(share)
    return MISSING if number is None else f"{decimal(100 * number, digits)} %"


def points(value: object) -> str:
    """Points of an examination, whole or not.

    >>> points(161.0), points(0.5), points(None)
    ('161', '0.5', '–')
    """
    number = finite(value)
    return MISSING if number is None else f"{number:,g}"


def tiny(value: object) -> str:
    """A figure that may be tiny: two significant digits."""
    number = finite(value)
    return MISSING if number is None else f"{number:.2g}"


def probability(p: object, digits: int = 3) -> str:
    """A p value.

    >>> probability(0.00004), probability(0.25)
    ('< 0.001', '0.250')
    """
    number, least = finite(p), 10**-digits
    return f"< {least:g}" if number is not None and number < least else decimal(number, digits)


def duration(seconds: object, language: Language = "ja") -> str:
    """Seconds in words.

    >>> duration(0.42), duration(75), duration(7325), duration(75, "en")
    ('0.4 秒', '1 分 15 秒', '2 時間 02 分', '1 min 15 s')
    """
    number = finite(seconds)
    if number is None:
        return MISSING
    hours, minutes, unit = TIMES[language]
    if number < 10:
        return f"{number:.1f} {unit}"
    whole = round(number)
    if whole < 60:
        return f"{whole} {unit}"
    if whole < 3600:
        return f"{whole // 60} {minutes} {whole % 60:02d} {unit}"
    return f"{whole // 3600} {hours} {whole % 3600 // 60:02d} {minutes}"


def size(number_of_bytes: object) -> str:
    """Bytes in binary units.

    >>> size(900), size(1536), size(13_000_000)
    ('900 B', '1.5 KiB', '12.4 MiB')
    """
    number = finite(number_of_bytes)
    if number is None:
        return MISSING
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"


def moment(moments: Iterable[str]) -> str:
    """The latest of these moments to the minute; empty when none can be read.

    >>> moment(["2026-01-02T10:09:30+09:00", "", "2026-01-02T10:08:00+09:00"])
    '2026-01-02 10:09'
    """
    known = []
    for text in moments:
        try:
            known.append(datetime.datetime.fromisoformat(text))
        except ValueError:
            continue
    latest = max(known, key=lambda time: time.timestamp(), default=None)
    return f"{latest:%Y-%m-%d %H:%M}" if latest else ""


def shortened(text: str, limit: int = 64) -> str:
    """A text of at most `limit` characters: a model, task or answer may be called anything.

    >>> shortened("発熱と咳嗽", 3)
    '発熱と…'
    """
    return text if len(text) <= limit else text[:limit] + "…"

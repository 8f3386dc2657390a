"""What a cell says: labels, strings of the text, dates.

Does: divide cells, bring labels to one form, place strings in the text, read Japanese and Excel's dates.
Does not: know files or columns.
"""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Sequence

SEPARATORS = ("、", "，", "；", ";", "|", "\n", "/", ",")
_SERIAL = range(20_000, 80_000)
"""Days since 1899-12-30 as Excel counts them: from 1954 to 2119."""
_EXCEL_EPOCH = datetime.date(1899, 12, 30)
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")
_ERA = re.compile(r"(令和|平成|昭和|[RHS])\s*(\d{1,2}|元)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")
_ERA_BEGINS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}


def label_form(text: str) -> str:
    """One form of a label: NFKC, no white space at the ends, single spaces inside.

    >>> label_form(" ｱﾘ\u3000"), label_form("Ｇｒａｄｅ　２")
    ('アリ', 'Grade 2')
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def divided(cell: str, separator: str | None) -> list[str]:
    """The values of a cell: of a JSON list its strings, else the parts between separators; each once, in order.

    A list of objects with "text", or of marks `{"start", "end"}`, is not divided here (see `marks_of`).

    >>> divided("発熱、 咳、発熱", "、"), divided('["発熱", "咳"]', None), divided("肺炎", None)
    (['発熱', '咳'], ['発熱', '咳'], ['肺炎'])
    """
    cell = cell.strip()
    if cell.startswith("["):
        try:
            value = json.loads(cell)
        except ValueError:
            value = None
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return list(dict.fromkeys(entry.strip() for entry in value if entry.strip()))
    parts = cell.split(separator) if separator else [cell]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def marks_of(cell: str, text: str) -> list[tuple[str, str]] | None:
    """(string of the text, kind) of a cell that holds offsets, None when it holds none.

    Forms: `[{"start": 0, "end": 2, "label": "d"}, …]`, `[[0, 2, "d"], …]` (doccano), offsets in code points.

    Raises:
        ValueError: an offset outside of the text.

    >>> marks_of('[[0, 2, "d"]]', "発熱あり")
    [('発熱', 'd')]
    """
    try:
        value = json.loads(cell)
    except ValueError:
        return None
    if not isinstance(value, list) or not value:
        return None
    found = []
    for entry in value:
        if isinstance(entry, dict) and {"start", "end"} <= entry.keys():
            start, end, kind = entry["start"], entry["end"], entry.get("label", entry.get("kind", ""))
        elif isinstance(entry, list) and len(entry) == 3:
            start, end, kind = entry
        else:
            return None
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
            raise ValueError(f"the offsets {start} to {end} lie outside of the text")
        found.append((text[start:end], str(kind)))
    return found


def separator_of(cells: Sequence[str]) -> str | None:
    """The sign that divides the values of a column's cells: the one that occurs in most of them; None without one.

    >>> separator_of(["発熱、咳", "頭痛", "咳、痰"]), separator_of(["肺炎", "喘息"])
    ('、', None)
    """
    counts = {sign: sum(sign in cell.strip() for cell in cells) for sign in SEPARATORS}
    best = max(SEPARATORS, key=lambda sign: counts[sign])
    return best if counts[best] else None


def read_date(cell: str) -> datetime.date | None:
    """A date as Japanese records write it, or as a number of Excel; None for anything else.

    >>> read_date("2024/4/1"), read_date("令和6年4月1日") == read_date("45383"), read_date("来週")
    (datetime.date(2024, 4, 1), True, None)
    """
    text = unicodedata.normalize("NFKC", cell).strip()
    if text.isdecimal() and int(text[:9]) in _SERIAL:
        return _EXCEL_EPOCH + datetime.timedelta(days=int(text))
    if text.isdecimal() and len(text) == 8:
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    era, western = _ERA.match(text), _DATE.match(text)
    if era:
        year = _ERA_BEGINS[era[1]] + (1 if era[2] == "元" else int(era[2]))
        numbers = (year, int(era[3]), int(era[4]))
    elif western:
        numbers = (int(western[1]), int(western[2]), int(western[3]))
    else:
        return None
    try:
        return datetime.date(*numbers)
    except ValueError:
        return None

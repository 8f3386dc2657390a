"""Where the names of columns stand: below a title, in one row or in two.

Does: find the rows of a table's header, join two rows of names into one. Does not: know files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_LOOKED_AT = 20
LONGEST_NAME = 40
_NUMBER = re.compile(r"[-+]?\d[\d.,/:年月日\- ]*")


def find_header(rows: Sequence[Sequence[str]], wanted: int = 0) -> tuple[int, int]:
    """First row of the header, and the row after its last one (0-based).

    The header is the first row with at least two different texts (of a table of one column: the first text); a title
    in merged cells is one text. A second row belongs to it when the first has gaps or repeats a name where it has other
    ones, and it holds short words only.

    Args:
        rows: cells of all rows.
        wanted: how many rows the header has; 0 = looked for.

    >>> find_header([["外来記録 2024", ""], ["本文", "診断"], ["咳が出る", "肺炎"]])
    (1, 2)
    >>> find_header([["患者", "", "所見"], ["ID", "年齢", "本文"], ["1", "60", "咳が出る"]])
    (0, 2)
    """
    looked = rows[:MOST_LOOKED_AT]
    texts = [len({cell.strip() for cell in cells} - {""}) for cells in looked]
    needed = 2 if max(texts, default=0) > 1 else 1
    start = next((number for number, count in enumerate(texts) if count >= needed), 0)
    if wanted:
        return start, min(start + wanted, len(rows))
    second = start + 1
    if second + 1 < len(looked) and _continues(looked[start], looked[second]):
        return start, second + 1
    return start, min(start + 1, len(rows))


def _continues(first: Sequence[str], second: Sequence[str]) -> bool:
    width = max(len(first), len(second))
    above = [cell.strip() for cell in first] + [""] * (width - len(first))
    below = [cell.strip() for cell in second] + [""] * (width - len(second))
    gaps = [place for place, name in enumerate(above) if not name or (place and name == above[place - 1])]
    words = [cell for cell in below if cell]
    short = all(len(cell) <= LONGEST_NAME and not _NUMBER.fullmatch(cell) for cell in words)
    return bool(gaps) and all(below[place] for place in gaps) and short and len(set(words)) == len(words)


def joined_header(rows: Sequence[Sequence[str]]) -> list[str]:
    """One name a column; of two rows, the upper name (carried to the right over gaps) and the lower, with a slash.

    >>> joined_header([["患者", "", "所見"], ["ID", "年齢", ""]])
    ['患者/ID', '患者/年齢', '所見']
    """
    if not rows:
        return []
    width = max(len(row) for row in rows)
    names = [""] * width
    for level, row in enumerate(rows):
        carried = ""
        for place in range(width):
            cell = row[place].strip() if place < len(row) else ""
            if level < len(rows) - 1:
                carried = cell or carried
                cell = carried
            if cell and cell != names[place]:
                names[place] = f"{names[place]}/{cell}" if names[place] else cell
    return names

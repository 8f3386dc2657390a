"""Texts to measure tokenizers on: files of the user's, and a few sentences written for this project.

Does: read text and JSON Lines, compressed or not, and keep a fixed sample of the wanted size. Does not: clean it.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterator
from pathlib import Path

from igakulm.corpus.streams import lines
from igakulm.errors import InputError

FIELD = "text"
SENTENCES = (
    "急性心筋梗塞の患者に、アスピリンとヘパリンナトリウムの投与を開始した。",
    "血清Na 128 mEq/L、CRP 12.4 mg/dL、体温38.5℃で、誤嚥性肺炎を疑う。",
    "2型糖尿病に対しメトホルミン塩酸塩500mgを1日2回、朝夕食後に内服している。",
    "頸部リンパ節腫脹と、嚢胞性病変を認める。",
    "駅前の図書館は朝9時に開き、雨の日には学生が多い。",
    "この薬を飲み忘れた場合でも、二回分を一度に飲まないようにしてください。",
)
"""What samples of token borders show: clinical notes, laboratory values, doses, variant kanji, plain prose."""
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


def read_sample(path: Path, max_bytes: int) -> list[str]:
    """Documents of a file in its order: all, or an even random sample of at most `max_bytes` of UTF-8.

    The sample depends on the file only: which documents are kept is decided by a hash of their numbers.

    Args:
        path: UTF-8 text (a line is a document) or JSON Lines with the field `text`; may end in .zst or .gz.
        max_bytes: a single document that is longer is cut.

    Raises:
        InputError: no such file, not UTF-8, a line without `text`, or no text at all.
    """
    kept: list[tuple[int, int, int, str]] = []
    total = 0
    for number, text in _documents(path):
        data = text.encode()[:max_bytes]
        draw = int.from_bytes(hashlib.blake2b(str(number).encode(), digest_size=8).digest())
        heapq.heappush(kept, (-draw, number, len(data), data.decode("utf-8", "ignore")))
        total += len(data)
        while total > max_bytes:
            total -= heapq.heappop(kept)[2]
    if not kept:
        raise InputError("there is no text in this file", where=str(path), hint="give UTF-8 text or JSON Lines")
    return [text for _, _, _, text in sorted(kept, key=lambda entry: entry[1])]


def _documents(path: Path) -> Iterator[tuple[int, str]]:
    is_json = path.name.removesuffix(".zst").removesuffix(".gz").endswith(_JSON_SUFFIXES)
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            text = _field(json.loads(line), where) if is_json else line.decode().rstrip("\r")
        except UnicodeDecodeError as error:
            hint = "save it as UTF-8; the endings .zst and .gz mean a compressed file"
            raise InputError("this line is not UTF-8", where=where, hint=hint) from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"this line is not JSON: {error}", where=where, hint="one object a line") from error
        if text.strip():
            yield number, text


def _field(row: object, where: str) -> str:
    text = row.get(FIELD) if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise InputError(f"this line has no text in the field {FIELD!r}", where=where, hint="rename the field")
    return text.encode("utf-8", "replace").decode()

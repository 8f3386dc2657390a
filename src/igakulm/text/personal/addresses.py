"""Addresses: from prefecture or municipality on, by chōme and number, and after their labels.

Does: find them, foreign ones after a label only. Does not: take a prefecture alone, or a region, for an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from igakulm.text.personal.identifiers import PREFECTURES
from igakulm.text.personal.spans import Piece

if TYPE_CHECKING:
    from igakulm.text.personal.gazetteer import Gazetteer

_N = "[0-9一二三四五六七八九十]"
_STREET = (
    rf"(?:[ぁ-ん]{{2,7}})?(?:(?:[一-鿿々ァ-ヺーヶ]|[のがつ](?=[一-鿿])|[上下]る|"
    rf"入る){{1,20}}?)?(?:{_N}{{1,4}} ?(?:丁目|丁|番町|"
    rf"番地|番|号|条|線|"
    rf"地割)?(?:[ ]?[-の西東南北] ?{_N}{{1,5}} ?(?:丁目|番地|番|号|条)?"
    rf"|{_N}{{1,5}} ?(?:番地|番|号)?)*)"
)
_BUILDING = (
    r"(?:[ ]?(?:[一-鿿々ァ-ヺーぁ-んA-Za-z・]{0,20}?)(?:マンション|ハイツ|コーポ|アパート|荘|ビル|ハイム|メゾン|"
    r"レジデンス|団地|寮|タワー|ハウス|コート|パレス|グリーン|ヒルズ|プラザ|"
    r"テラス|ガーデン|ホームズ|シティ|ヴィラ|"
    r"[ァ-ヺー]{2,10})[一-鿿ァ-ヺーぁ-んA-Z]{0,10} ?(?:[0-9A-Z]{1,2}棟)?(?:[ -]?[A-Z]?-?[0-9]{1,5}(?:号室?|号)?)?|"
    r"[ -]?[0-9]{2,4}号室?)?"
)
_TOWN = r"(?:[一-鿿々ぁ-んァ-ヺーヶ]{1,7}?(?:市|区|町|村|郡)){1,3}"
_PREFECTURE = re.compile(r"[都道府県](?=[一-鿿ぁ-んァ-ヺ])")
_AFTER_PREFECTURE = re.compile(rf"(?P<town>{_TOWN})(?:{_STREET}{_BUILDING})?")
_UNIT = re.compile(
    r"[市区町村](?![町村分域間画別ら])(?=[一-鿿々ぁ-んァ-ヺーヶ ]{0,12}[0-9一二三四五六七八九十]|在|出身|に居|に住|"
    r"の自宅|居住|から転|"
    r"へ転|より転|に転|に引|[一-鿿々ヶ]{1,6}(?:在住|出身|に居|に住|町))"
)
_AFTER_UNIT = re.compile(rf"(?:[一-鿿々ヶ]{{1,4}}区)?{_STREET}{_BUILDING}")
_NUMBERED = re.compile(
    rf"[一-鿿々ぁ-んァ-ヺーヶ]{{1,8}}[0-9]{{1,5}}(?:番地|番|丁目|-[0-9]{{1,4}}){_STREET}?{_BUILDING}"
)
"""A municipality that the dictionary does not know is taken for one where a house number follows."""
_LIVES = re.compile(
    r"(?P<town>[一-鿿々ヶァ-ヺー]{0,8}?)(?=在住|出身|に居住|に在住|に住|の自宅|居住|在勤|に転居|から転居|へ転居|"
    r"より転居|に引)"
)
_BEFORE_UNIT = re.compile(r"[一-鿿々ヶァ-ヺー市区町村郡]{1,14}$")
_LABELS = ("住所", "居所", "居住地", "所在地", "住居", "帰省先", "本籍", "ddress", "ADDRESS")
_LABEL = re.compile(
    r"(?:住所|居所|居住地|所在地|住居|帰省先|本籍地|本籍|Address(?= ?[:=])|address(?= ?[:=])|ADDRESS(?= ?[:=]))"
    r"(?:\([^)\n]{1,6}\))?[ ]?(?:[:;=|>】]|は、?|[【「]|(?<![A-Za-z]) ) ?\n?(?P<value>[^\n|\t、。;】」]{3,60})"
)
_NOT_ADDRESS = re.compile(r"不定|不明|変更|同上|同じ|なし|未|確認|地図|録|記載|非公開|特定|個人情報|左記|上記|別紙")
_VALUE_END = re.compile(
    r" {2,}| ?(?:電話|TEL|Tel|tel|℡|携帯|連絡先|氏名|生年月日|職業|性別|保険|FAX|在住|に居住|に在住|です|である|"
    r"となって|\(|（|〒)"
)
_CHOME = re.compile(rf"(?P<town>[一-鿿々ヶノァ-ヺ]{{1,8}}) ?{_N}{{1,2}}$")
_AFTER_CHOME = re.compile(rf"丁目(?:{_N}{{1,4}}番地?)?(?:{_N}{{1,4}}号)?(?:[-の]?{_N}{{1,4}})*{_BUILDING}")
_PREFECTURE_NAMES = frozenset(PREFECTURES.split("|"))


def find_addresses(seen: str, lists: Gazetteer) -> Iterator[Piece]:
    """Addresses in a text as `reading.read` gives it."""
    if any(label in seen for label in _LABELS):
        yield from _labelled(seen)
    for found in _PREFECTURE.finditer(seen):
        start = _prefecture_start(seen, found.end())
        rest = _AFTER_PREFECTURE.match(seen, found.end()) if start is not None else None
        if start is not None and rest and not _is_house(seen, rest.end("town")):
            yield Piece(start, rest.end(), 0.95)
    for found in _UNIT.finditer(seen):
        piece = _municipality(seen, found, lists)
        if piece:
            yield piece
    if "丁目" in seen:
        for found in _AFTER_CHOME.finditer(seen):
            town = _CHOME.search(seen, max(0, found.start() - 12), found.start())
            if town:
                yield Piece(town.start(), found.end(), 0.9)


def _labelled(seen: str) -> Iterator[Piece]:
    for found in _LABEL.finditer(seen):
        end = _VALUE_END.search(found["value"])
        value = found["value"][: end.start()] if end else found["value"]
        if len(value) > 2 and not _NOT_ADDRESS.search(value):
            yield Piece(found.start("value"), found.start("value") + len(value.rstrip(" ,/")), 0.93)


def _prefecture_start(seen: str, end: int) -> int | None:
    return next((end - size for size in (3, 4) if seen[max(0, end - size) : end] in _PREFECTURE_NAMES), None)


def _municipality(seen: str, unit: re.Match[str], lists: Gazetteer) -> Piece | None:
    """From a known municipality to the number of the house, or to where the text says that somebody lives there."""
    before = _BEFORE_UNIT.search(seen, max(0, unit.start() - 14), unit.start())
    if not before:
        return None
    names = before[0] + unit[0]
    first = re.match(r".*?[市区町村郡](?![市区町村郡])", names)
    head = first[0] if first else names
    start = _known_place(head, lists)
    if start is None and (told := _NUMBERED.match(seen, unit.end())):
        return Piece(before.start(), told.end(), 0.8)
    if start is None:
        return None
    rest = next(filter(None, (after.match(seen, unit.end()) for after in (_LIVES, _AFTER_UNIT, _NUMBERED))), None)
    return Piece(before.start() + start, rest.end(), 0.9) if rest else None


def _is_house(seen: str, end: int) -> bool:
    """Whether a municipality is the beginning of an institution's name (「横浜市立病院」)."""
    return seen.startswith(("立", "医師会", "民病院", "役所", "保健所", "消防"), end)


def _known_place(head: str, lists: Gazetteer) -> int | None:
    """Where in `head` the name of a known place begins: words that stand before it are cut off."""
    for start in range(len(head) - 1):
        if head[start:] in ("町村", "市町", "市町村", "市区", "区市"):
            return None
        if head[start:] in lists.places or (len(head) - start > 2 and head[start:-1] in lists.places):
            return start
    return None

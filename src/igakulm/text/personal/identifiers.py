"""Numbers that name a person: of the patient, of insurance, My Number, licences, plates, implanted devices.

Does: find them after their labels, and My Numbers and number plates by their own form.
Does not: take numbers of products, documents, facilities and trials, or laboratory values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.spans import Piece, Span, spans_of

_SEP = r"(?:[ 　]?[:：;=はが、,(（【「｜|>＞】] ?[(（【「]?| )?"
_NUMBER = (
    r"(?P<number>(?:[A-Z]{1,4}|(?!番号|記号)[一-鿿]{1,2}(?=[0-9]))?-?[0-9](?:[- ]?[0-9A-Z]){2,17})"
    r"(?![0-9]|[年月日歳回人mgLk%名床件円例]| ?[〜~])"
)
_ANY = r"(?:番号|ID|Id|No\.?|NO\.?|コード|#)"
_LABELS: tuple[tuple[Kind, str, str], ...] = (
    (
        "patient_number",
        "患者番号",
        rf"(?:患者|受診者|受診|診察|個人|入院|外来|入所者|利用者|カルテ|診療録|登録患者|登録(?=番号))(?:さん|様)?の?{_ANY}",
    ),
    ("patient_number", "診察券", rf"診察券[^\n]{{0,24}}番号|(?:診察券|診察カード|カルテ|診療録)(?:の?{_ANY})?"),
    (
        "patient_number",
        "検体",
        r"(?:病理|標本|検体|組織|細胞診|剖検|検査受付|検査|受付|予約|オーダー|照射録|手術|献体|照合)(?:番号|ID|"
        r"No\.?)",
    ),
    ("patient_number", "MRN", r"(?<![A-Za-z])(?:MRN|Pt\.? ?(?:ID|No\.?)|[Pp]atient ?(?:ID|No\.?|number)|Chart ?No\.?)"),
    ("patient_number", "ID", r"(?<![A-Za-z一-鿿ァ-ヺーA-Z-])(?:ID|Id)(?:番号|No\.?)?"),
    ("my_number", "マイナンバー", r"(?:マイナンバー(?:カード)?|個人番号)(?:の?番号)?"),
    ("insurance_number", "記号番号", r"(?:記号[・/]?番号)"),
    (
        "insurance_number",
        "保険",
        r"(?:保険者|(?:後期高齢者医療|介護保険|国民健康保険|国保|健康保険)?(?:被保険者|受給者|負担者)証?|"
        r"(?:健康)?保険証|保険|介護保険証?|公費負担者|公費受給者|受給者証?|"
        r"負担者|身体障害者手帳|障害者手帳|療育手帳|母子(?:健康)?手帳|特定疾患|指定難病)の?(?:記号)?(?:番号|No\.?|"
        r"ID)",
    ),
    (
        "patient_number",
        "証明書",
        r"(?:(?:運転)?免許証?|医籍登録|保険医(?:登録)?|麻薬施用者(?:免許)?|看護師免許|住民票|在留カード|パスポート|"
        r"旅券|Passport ?|年金|基礎年金|"
        r"口座|クレジットカード)の?(?:番号|コード|No\.?)",
    ),
)
_NUMBERED = re.compile(
    r"(?:番号|ID|Id|No|NO|コード|診察券|診察カード|カルテ|診療録|マイナンバーカード|マイナンバー|MRN|number|"
    r"Passport)\.?" + _SEP + _NUMBER
)
_PATTERNS = tuple((kind, rule, re.compile(f"(?:{label})$")) for kind, rule, label in _LABELS)
_LONGEST_LABEL = 24
_SYMBOL = re.compile(
    r"(?:証|保険|"
    r"被保険者)[^\n]{0,40}?記号[:： ]?(?P<symbol>[0-9A-Za-z一-鿿ぁ-ん-]{1,12}?)"
    r"[ ・、,　]?番号[:： ]?(?P<number>[0-9]{1,10})"
    r"(?:[ (（・]{0,2}枝番[)） :：]?(?P<branch>[0-9]{1,2}))?"
)
_MY_NUMBER = re.compile(r"[0-9](?<![0-9A-Za-z.-][0-9])[0-9]{3}([- ]?)[0-9]{4}\1[0-9]{4}(?![0-9.-]|[A-Za-z])")
_PRODUCT = re.compile(
    r"(?:コード|JAN|GTIN|ロット|Lot|LOT|S/?N|シリアル|型番|カタログ|伝票|注文|法人番号|レセプト|管理|医療機関番号|"
    r"事業所番号|承認|登録|文書|特許|ISBN|PMID)"
    r"(?:番号|No\.?)?[:： #=.]*$"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")

_PLATE = re.compile(
    r"[0-9](?<![0-9][0-9])[0-9A-Z]{1,2} ?[あ-ん] ?(?:[0-9]{1,2}-[0-9]{2}|[・.]{1,3} ?[0-9]{1,3}|[0-9]{1,4})(?![0-9])"
)
_PLATE_PLACE = re.compile(r"(?P<before>[^\n]{0,8})(?<![一-鿿ァ-ヺ])(?P<place>[一-鿿ァ-ヺ]{2,4}) ?$")
_PLATE_LABEL = re.compile(
    r"(?:車両|自動車|車)(?:登録|ナンバー)?(?:番号|ナンバー)" + _SEP + r"(?P<plate>[^\s、。,)）]{4,20})"
)
_CHASSIS = re.compile(r"(?:車台番号|VIN)" + _SEP + r"(?P<plate>[A-Z0-9-]{6,20})")
_IMPLANT = re.compile(
    r"(?:ペースメーカ|PM|ICD|CRT|ILR|植込|植え込|埋込|埋め込|インプラント|人工関節|人工股関節|人工膝関節|人工内耳|"
    r"人工弁|ステント|補聴器|CPAP|酸素濃縮|"
    r"インスリンポンプ|LVAD|補助人工心臓|ジェネレータ|ポート|眼内レンズ|リード|pacemaker|Pacemaker)[^\n]{0,60}?"
    r"(?:シリアル(?:番号|ナンバー|No\.?)?|製造番号|機器番号|S/?N|機番|UDI)"
    + _SEP
    + r"(?P<number>[A-Z0-9][A-Z0-9-]{3,19})"
)
_IMPLANT_MARKS = ("シリアル", "製造番号", "機器番号", "S/N", "SN", "機番", "UDI")

PREFECTURES = (
    "北海道|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|東京都|神奈川県|新潟県|"
    "富山県|石川県|福井県|山梨県|長野県|岐阜県|静岡県|"
    "愛知県|三重県|滋賀県|京都府|大阪府|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|"
    "愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|大分県|"
    "宮崎県|鹿児島県|沖縄県"
)
_POSTAL_SIGNED = re.compile(r"〒 ?[0-9]{3} ?-? ?[0-9]{4}(?![0-9])")
_POSTAL_LABELLED = re.compile(r"郵便番号[:： は]{0,2}(?P<code>[0-9]{3} ?-? ?[0-9]{4})(?![0-9])")
_POSTAL_BARE = re.compile(
    rf"-(?<=[0-9]{{3}}-)[0-9]{{4}}(?= ?(?:{PREFECTURES}|[一-鿿]{{1,6}}(?:[市区郡]|[町村][一-鿿0-9])))"
)


def find_numbers(seen: str) -> Iterator[Span]:
    """Labelled numbers of persons, My Numbers and implanted devices."""
    yield from _labelled(seen)
    if "記号" in seen:
        for found in _SYMBOL.finditer(seen):
            groups = (found.span(name) for name in ("symbol", "number", "branch") if found[name])
            yield from spans_of((Piece(*place) for place in groups), "insurance_number", "記号番号")
    yield from spans_of(_my_numbers(seen), "my_number", "check digit")
    if any(mark in seen for mark in _IMPLANT_MARKS):
        pieces = (Piece(*found.span("number")) for found in _IMPLANT.finditer(seen))
        yield from spans_of(pieces, "device_number", "植込み機器")


def _labelled(seen: str) -> Iterator[Span]:
    for found in _NUMBERED.finditer(seen):
        number, (start, end) = found["number"], found.span("number")
        ending = re.match(r"[^:：;=はが、,(（【「｜| ]+", found[0])
        label_end = found.start() + (ending.end() if ending else 0)
        for kind, rule, pattern in _PATTERNS:
            if pattern.search(seen, max(0, found.start() - _LONGEST_LABEL), min(label_end, start)):
                if _long_enough(number, rule):
                    end -= len(number) - len(number.rstrip(" -"))
                    yield Span(start, end, kind, f"label {rule}", 0.97)
                break


def _long_enough(number: str, rule: str) -> bool:
    if rule == "診察券" and (_DATE.fullmatch(number) or re.match(r"(?:19|20)[0-9]{2}-[01]?[0-9]-[0-3]?[0-9]$", number)):
        return False
    return sum(map(str.isdigit, number)) >= (5 if rule in ("ID", "診察券") else 3)


def find_vehicles(seen: str) -> Iterator[Piece]:
    """Number plates and chassis numbers."""
    for found in _PLATE.finditer(seen):
        place = _PLATE_PLACE.search(seen, max(0, found.start() - 14), found.start())
        if place and (re.search(r"[0-9]-[0-9]|[・.]", found[0]) or re.search("ナンバー|車", place["before"])):
            yield Piece(place.start("place"), found.end(), 0.9)
    for mark, pattern in (("ナンバー", _PLATE_LABEL), ("車両", _PLATE_LABEL), ("車台", _CHASSIS), ("VIN", _CHASSIS)):
        if mark in seen:
            yield from (
                Piece(*found.span("plate")) for found in pattern.finditer(seen) if re.search("[0-9]", found["plate"])
            )


def find_postal_codes(seen: str) -> Iterator[Piece]:
    """Postal codes after 〒 or 郵便番号, or before a prefecture or municipality; the sign goes with the code."""
    if "〒" in seen:
        yield from (Piece(*found.span(), 0.98) for found in _POSTAL_SIGNED.finditer(seen))
    if "郵便番号" in seen:
        yield from (Piece(*found.span("code"), 0.98) for found in _POSTAL_LABELLED.finditer(seen))
    for found in _POSTAL_BARE.finditer(seen) if "-" in seen else ():
        if not re.match("[0-9-]", seen[found.start() - 4 : found.start() - 3] if found.start() > 3 else ""):
            yield Piece(found.start() - 3, found.end(), 0.96)


def _my_numbers(seen: str) -> Iterator[Piece]:
    """Twelve digits with the right check digit that are no three round values of a laboratory."""
    for found in _MY_NUMBER.finditer(seen):
        groups = re.findall("[0-9]{4}", found[0])
        before = seen[max(0, found.start() - 16) : found.start()]
        labelled = re.search(r"マイナンバー|個人番号", before)
        round_values = sum(group.endswith("00") for group in groups) >= 2
        plain = found[1] == " " and re.search(r"[A-Za-z一-鿿ァ-ヺ)] ?$", before)
        if not is_my_number(found[0]) or _PRODUCT.search(before):
            continue
        if labelled or not (round_values or plain):
            yield Piece(*found.span(), 0.9)


def is_my_number(text: str) -> bool:
    """Whether the last of twelve digits is the check digit of the eleven before (ministerial ordinance 85 of 2014).

    >>> is_my_number("1234 5678 9018"), is_my_number("1200-1400-1600")
    (True, False)
    """
    digits = [int(character) for character in text if character.isdigit()]
    total = sum(digit * (place % 6 + 2) for place, digit in enumerate(reversed(digits[:-1])))
    return digits[-1] == (11 - total % 11 if total % 11 > 1 else 0)

"""Names of patients, family and staff: after labels, before honorifics, as full names, in kana and Latin letters.

Does: look for the places where a name may stand. Does not: judge what stands there (name_shapes.py), or find a name
again elsewhere (consistency.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.text.personal.exceptions import ENGLISH_GIVEN, EPONYM_PAIR, NO_NAME
from igakulm.text.personal.gazetteer import Gazetteer
from igakulm.text.personal.name_shapes import Name, begins_at, ends_at, is_eponym, katakana, latin_name
from igakulm.text.personal.reading import HAN, composed
from igakulm.text.personal.spans import Span

_AFTER = (
    r"(?:[ ]?(?:\([^)\n]{1,12}\)|（[^）\n]{1,12}）)?[ ]?(?:[:;=|]|は、?|[「【『])"
    r"[ ]?(?:Dr\.? ?|[Nn]s\.? ?|NS ?)?\n?[ ]?|[ ]{1,3}|\n)"
)
_PERSON = (
    r"(?:氏名|名前|姓名|患者名|利用者名|入所者名|患児名|患者様名|医師名|担当医名|担当者名|主治医名|看護師名|"
    r"薬剤師名|署名|フリガナ|ふりがな|よみがな|ヨミガナ|カナ氏名|氏名カナ|カナ|旧姓|"
    r"ローマ字|Patient name|Patient Name|Patient|Name|NAME|Physician|Doctor|Surgeon)"
)
_STAFF = (
    r"(?:主治医|担当医|担当医師|受持医|受け持ち医|指導医|執刀医|執刀者|執刀|術者|第[一二三1-3]助手|助手|麻酔科?医|"
    r"麻酔担当|麻酔|紹介医|紹介元医師|依頼医|処方医|読影医|読影者|診断医|"
    r"病理医|病理診断医|病理診断|検査医|検査者|撮影者|施行医|施行者|報告医|報告者|確認者|承認者|作成者|作成|記録者|"
    r"記録|記載者|記載|記入者|入力者|担当看護師|受持看護師|受け持ち看護師|プライマリー?(?:看護師|Ns)?|"
    r"看護師|担当薬剤師|薬剤師|担当者|担当|療法士|理学療法士|作業療法士|言語聴覚士|管理栄養士|栄養士|検査技師|"
    r"放射線技師|技師|ソーシャルワーカー|MSW|ケアマネジャー|ケアマネージャー|"
    r"ケアマネ|介護支援専門員|相談員|訪問看護師|保健師|助産師|当直医|回診医|立会者|立会|同席者|同席|説明者|説明医|"
    r"医師|医員|教授|部長|医長|院長|病院長|施設長|管理者|"
    r"文責|責任者|発信者|差出人|宛先|宛名|宛|責任医師|分担医師|PT|OT|ST|Ns|NS|Dr|DR|reported by|Reported by|"
    r"signed by|Signed by)"
)
_KIN = (
    r"(?:キーパーソン|KP|主介護者|介護者|保護者|連絡先|緊急連絡先|同居者|付添者?|同伴者|身元引受人|身元保証人|"
    r"後見人|成年後見人|代諾者|配偶者|妻|夫|母親?|父親?|長男|次男|二男|三男|四男|長女|次女|二女|三女|"
    r"四女|息子|娘|孫娘?|兄|弟|姉|妹|嫁|婿|祖父|祖母|義父|義母|義兄|義姉|義弟|義妹|叔父|叔母|伯父|伯母|甥|姪|"
    r"内縁の?[夫妻]|友人|知人|婚約者|養父|養母|養子|"
    r"続柄)"
)
_LABELLED = tuple(
    (rule, sure, re.compile(label + after))
    for rule, sure, label, after in (
        ("label of a person", True, _PERSON, _AFTER),
        ("label of staff", False, _STAFF, _AFTER),
        ("label of family", False, _KIN, rf"(?:\([^)\n]{{1,6}}\))?(?:{_AFTER}|[(・、](?=[^0-9]))"),
    )
)
_LOOSE = re.compile(r"は、?[ ]?$|[A-Za-z][ ]+$")
_INSIDE = re.compile("[一-鿿A-Za-z]")
_LONE = re.compile(rf"(?P<name>[{HAN}]{{1,3}})(?=[ ]?(?:$|[\n、。)）,|(（/・]|医師|先生|Dr|様|さん))")
_MORE = re.compile(r"[ ]?(?:[、,/・&]|および|及び|と|ならびに)[ ]?")
_ATTACHED_KIN = re.compile(
    r"(?<![一-鿿])(?:患者|妻|夫|長男|次男|三男|長女|次女|三女|息子|娘|孫|友人|知人|叔父|叔母|旧姓|故)(?:の|は|"
    r"、)?(?=[一-鿿]{2,6})"
)
_SURE = re.compile(
    r"さん(?!ざん)(?!回目)|様(?![子式態相々変体])|さま(?!ざ|で|す|し|に)|殿(?![部筋堂管])|氏(?![名法])|"
    r"くん(?![だでじすの])|君(?![津主])|"
    r"ちゃん(?!と)|先生|せんせい|医師(?!会|国|法|免|の指示|不足)|ドクター|Dr\.?(?![A-Za-z])|Ns\.?(?![A-Za-z])|"
    r"ns\.?(?![A-Za-z])|NS(?![A-Za-z])|ナース|看護師|看護婦|師長|主任|教授|准教授|薬剤師|保健師|助産師|療法士|"
    r"ケアマネ|"
    r"相談員|PT(?![A-Za-z])|OT(?![A-Za-z])|ST(?![A-Za-z])|MSW(?![A-Za-z])|CM(?![A-Za-z])|RN(?![A-Za-z])|"
    r"MD(?![A-Za-z])|ヘルパー|副院長|院長|部長|医長|講師|助教|技師|栄養士|研修医|医員"
)
"""Branches that begin with a literal each: then the search skips over everything else."""
_READING_BEFORE = re.compile(r"[(（《〈][ぁ-んァ-ヺー゛゜・ A-Za-z]{1,20}[)）》〉]$")
_UNLIKE = re.compile(r"様(?=[一-鿿ァ-ヺのにでなA-Za-z(])(?!ご|御|方|宅|宛|本人|より)|(?:先生|せんせい)(?=に)")
_WORDS_WITH = {"殿": tuple("沈宮神御"), "様": tuple("仕模同多異一有王神何"), "氏": tuple("摂華")}
"""沈殿, 仕様, 摂氏."""
_ANYBODY = re.compile(r"さん|様|さま|殿|氏|くん|君|ちゃん|先生|せんせい")
_TITLE = re.compile(r"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Dr|DR|Prof|Ns|NS)(?:\. ?| )(?=[A-Zァ-ヺ一-鿿])")
_TO_PERSON = re.compile(r"(?P<end>)(?:[ ]?(?:御侍史|御机下|侍史|机下|先生御))")
_HAN_RUN = re.compile(rf"[{HAN}]+")
_HAN_PAIR = re.compile(
    rf"(?<![{HAN}])(?P<first>[{HAN}]{{1,4}})[ ](?P<second>[{HAN}]{{1,4}}|[ぁ-ん]{{2,4}}|"
    rf"[ァ-ヺー]{{2,5}})(?![{HAN}ァ-ヺー])"
)
_KANA_PAIR = re.compile(
    r"(?<![ァ-ヺー゛゜])(?P<first>[ァ-ヺー゛゜]{2,8})[ ・](?P<second>[ァ-ヺー゛゜]{2,8})(?![ァ-ヺー゛゜])"
)
_HIRAGANA_PAIR = re.compile(r"(?<![ぁ-ん])(?P<first>[ぁ-ん]{2,6}) (?P<second>[ぁ-ん]{2,6})(?![ぁ-ん])")
_LATIN_PAIR = re.compile(
    r"(?<![A-Za-z'-])(?P<first>[A-Z][A-Za-z'-]+)(?:, | )(?P<second>[A-Z][A-Za-z'-]+)(?![A-Za-z'-])"
)
_MIXED = re.compile(r"(?<![一-鿿々ヶ])(?P<first>[一-鿿々ヶ]{1,4})(?P<second>[ァ-ヺー]{2,4})(?![ァ-ヺー一-鿿])")
_CALLS = re.compile(
    r"(?P<end>)(?:より|から|に|へ|と|が|は)(?=[^。\n]{0,12}(?:電話|連絡|報告|相談|申し送|コール|説明|依頼|来院|"
    r"面会|面談|付き添|同席|了承|同意|確認|とのこと|話))"
)


def find_labelled_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Names after labels; several after one label count, and a reading in brackets goes with its name."""
    for rule, certain, pattern in _LABELLED:
        for found in pattern.finditer(seen):
            start, sure = found.end(), certain and not _LOOSE.search(found[0])
            if not certain and _INSIDE.match(seen[found.start() - 1 : found.start()]):
                continue
            while name := begins_at(seen, start, lists, sure) or _lone_surname(seen, found, start, lists):
                if (
                    name.end - name.start == 1
                    and not sure
                    and not re.match(r"[ ]?(?:$|[\n、。)）,|(（]|医師|先生|Dr|様|さん)", seen[name.end :])
                ):
                    break
                yield _span(name, rule)
                more = _MORE.match(seen, name.end)
                if not more:
                    break
                start, sure = more.end(), False
    yield from _related_names(seen, lists)


def _lone_surname(seen: str, label: re.Match[str], start: int, lists: Gazetteer) -> Name | None:
    """One of the surnames that are words (林, 森) where nothing else follows the label and its colon."""
    alone = _LONE.match(seen, start) if label[0].rstrip()[-1:] in ":;|=「【" else None
    if alone and alone["name"] in lists.surnames and alone["name"] not in NO_NAME:
        return Name(start, alone.end("name"), alone.end("name") - start, 0.85)
    return None


def _related_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """A name that stands at once after a relation (「長男太郎」)."""
    for found in _ATTACHED_KIN.finditer(seen):
        name = begins_at(seen, found.end(), lists, sure=False)
        told = name and (name.confidence >= 0.95 or seen[name.start : name.end] not in lists.words)
        if name and told and name.end - name.start > 1 and not _followed(seen, name.end):
            yield _span(name, "after a relation")


def _followed(seen: str, end: int) -> bool:
    return re.match(r"[一-鿿々]", seen[end : end + 1]) is not None and not _SURE.match(seen, end)


def find_titled_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Names before さん, 様, 先生, 医師 and their like, and after Dr. and Mr."""
    for found in _SURE.finditer(seen):
        end = found.start()
        end -= seen[end - 1 : end] in (" ", "(", "（") and end > 1
        bracket = _READING_BEFORE.search(seen, max(0, end - 24), end)
        end = bracket.start() if bracket else end
        if seen[end - 1 : end] in _WORDS_WITH.get(found[0], ()):
            continue
        name = ends_at(seen, end, lists, _ANYBODY.match(found[0]) is not None)
        if name and name.confidence < 0.9 and _UNLIKE.match(seen, found.start()):
            continue  # 「痙攣様の」「毛様体」「スリガラス様陰影」
        if name and not _is_role(seen, name, found[0]):
            yield _span(name, f"before {found[0].rstrip('.')}")
    for found in _TITLE.finditer(seen):
        name = begins_at(seen, found.end(), lists, found[0][:1] not in "nN")
        if name:
            yield _span(name, f"after {found[0].strip(' .')}")
    for found in _TO_PERSON.finditer(seen):
        name = ends_at(seen, found.start(), lists, sure=False)
        if name:
            yield _span(name, "addressee")


def _is_role(seen: str, name: Name, title: str) -> bool:
    """Whether what stands before a title is a role (「看護師さん」), not a name."""
    return seen[name.start : name.end].strip() in NO_NAME


def find_full_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Surname and given name together, wherever they stand."""
    for found in _HAN_RUN.finditer(seen):
        if not 3 <= len(found[0]) <= 7:
            continue
        surname = lists.full_name(found[0])
        if (
            surname
            and found[0] not in lists.words
            and not is_eponym(seen, found.end())
            and _telling(found[0], surname, lists)
        ):
            yield Span(*found.span(), "name", "surname and given name", 0.8)
    for found in _HAN_PAIR.finditer(seen):
        known = found["first"] in lists.surnames and found["first"] not in NO_NAME
        second = found["second"]
        given = second in lists.given if re.match("[一-鿿]", second) else katakana(second) in lists.given_readings
        if known and given and _unlikely_words(found["first"], second, lists) and not is_eponym(seen, found.end()):
            yield Span(*found.span(), "name", "surname and given name", 0.85)
    for found in _MIXED.finditer(seen):
        if found["first"] in lists.surnames and found["second"] in lists.given_readings and len(found["first"]) > 1:
            yield Span(*found.span(), "name", "surname and given name in kana", 0.75)


def _telling(run: str, surname: int, lists: Gazetteer) -> bool:
    """A run of kanji is a name unless it reads as two common words (「右下腹部」)."""
    return _unlikely_words(run[:surname], run[surname:], lists) and (len(run) > 2)


def _unlikely_words(first: str, second: str, lists: Gazetteer) -> bool:
    if second in NO_NAME or first in NO_NAME:
        return False
    common = (first in lists.words) + (second in lists.words)
    return common == 0 or (common == 1 and len(first) + len(second) >= 3 and len(second) >= 2)


def find_kana_and_latin_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Names in katakana, hiragana or Latin letters that the gazetteer knows by their readings."""
    for found in _KANA_PAIR.finditer(seen):
        first, second = composed(found["first"]), composed(found["second"])
        if (
            first in lists.surname_readings
            and second in lists.given_readings
            and not EPONYM_PAIR.match(seen, found.start())
        ):
            yield Span(*found.span(), "name", "kana name", 0.85)
    for found in _HIRAGANA_PAIR.finditer(seen):
        first, second = katakana(found["first"]), katakana(found["second"])
        if len(first) > 2 and first in lists.surname_readings and second in lists.given_readings:
            yield Span(*found.span(), "name", "kana name", 0.75)
    for found in _LATIN_PAIR.finditer(seen):
        english = found["first"] in ENGLISH_GIVEN and len(found["second"]) > 2 and not found["second"].isupper()
        if latin_name(found[0], lists) or (
            english and not re.match(r"[' ]?(?:s |virus|disease|syndrome|test|sign)", seen[found.end() :])
        ):
            yield Span(*found.span(), "name", "name in Latin letters", 0.8)


def find_calling_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """A surname that calls, reports or is told something (「田中より電話あり」)."""
    for found in _CALLS.finditer(seen):
        run = re.search(r"(?<![一-鿿々ヶ])[一-鿿々ヶ]{2,5}$", seen[max(0, found.start() - 8) : found.start()])
        if (
            run
            and run[0] in lists.surnames
            and run[0] not in lists.words
            and run[0] not in NO_NAME
            and run[0] not in lists.places
        ):
            yield Span(found.start() - len(run[0]), found.start(), "name", "surname that speaks", 0.7)


def _span(name: Name, rule: str) -> Span:
    return Span(name.start, name.end, "name", rule, name.confidence)

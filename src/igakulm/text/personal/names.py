"""Names of patients, family and staff: after labels, before honorifics, as full names, in kana and Latin letters.

Does: look for the places where a name may stand. Does not: judge what stands there (name_shapes.py), or find a name
again elsewhere (consistency.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.text.personal.exceptions import ENGLISH_GIVEN, EPONYM_PAIR, NO_NAME, NO_NAME_END, words
from igakulm.text.personal.gazetteer import Gazetteer, katakana
from igakulm.text.personal.name_shapes import PARTICLES, Name, after_colon, begins_at, ends_at, is_eponym, latin_name
from igakulm.text.personal.reading import HAN, composed
from igakulm.text.personal.spans import Span

_AFTER = (
    r"(?:[ ]?(?:\([^)\n]{1,12}\)|（[^）\n]{1,12}）)?[ ]?(?:[:;=|]|は、?|[「【『>】\]])"
    r"[ ]?(?:Dr\.? ?|[Nn]s\.? ?|NS ?)?\n?[ ]?|[ ]{1,3}|\n)"
)
_PERSON = (
    r"(?:氏名|名前|姓名|患者名|利用者名|入所者名|患児名|患者様名|医師名|担当医名|担当者名|主治医名|看護師名|"
    r"薬剤師名|署名|フリガナ|ふりがな|よみがな|ヨミガナ|カナ氏名|氏名カナ|カナ|旧姓|"
    r"ローマ字|Patient name|Patient Name|Patient|Name|NAME|Physician|Doctor|Surgeon)"
)
_STAFF = (
    r"(?:主治医|当直|日直|夜勤|日勤|確認|依頼|通訳|連絡先?|申し送り|報告|担当医|担当医師|受持医|受け持ち医|指導医|"
    r"執刀医|執刀者|執刀|術者|第[一二三1-3]助手|助手|麻酔科?医|"
    r"麻酔担当|麻酔|紹介医|紹介元医師|依頼医|処方医|患者|被検者|提出医|依頼元医師|細胞検査士|検査士|読影医|読影者|"
    r"読影|診断医|診断者|判定者|評価者|検者|説明者|"
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
_ROLE = (
    r"(?:医師|医|者|師|員|長|士|係|人|担当|持ち|持|リーダー|サブ|チーフ|監査|鑑査|交付|調剤|提出|読影|発行|承認|"
    r"指導|教育|"
    r"執刀|補助|主任|夜勤|日勤|CRC|CDE|WOC|ICT|NST|RN|MT|RT|CE|ME)"
)
"""How labels of staff end, whatever stands before (「救急隊長」「二次読影」「保険会社担当」)."""
_LABELLED = tuple(
    (rule, sure, re.compile(label + after))
    for rule, sure, label, after in (
        ("label of a person", True, _PERSON, _AFTER),
        ("label of staff", False, _STAFF, _AFTER),
        ("label of a role", False, _ROLE, _AFTER),
        ("label of family", False, _KIN, rf"(?:\([0-9][^)\n]{{0,5}}\))?(?:{_AFTER}|[(・、](?=[^0-9]))"),
    )
)
_DOINGS = re.compile("確認|連絡|報告|依頼|記録|記載|作成|申し送り|担当(?!者|医|[A-Za-z])|診断(?!者|医)|麻酔|説明")
_LOOSE = re.compile(r"は、?[ ]?$|[A-Za-z][ ]+$")
_RELATION = re.compile(
    r"(?:妻|夫|長男|次男|三男|長女|次女|三女|息子|娘|孫|父|母|兄|弟|姉|妹|本人)[ の・:(（]{0,2}(?=[一-鿿])(?!親)"
)
_LONE = re.compile(rf"(?P<name>[{HAN}]{{1,3}})(?=[ ]?(?:$|[\n、。)）,|(（/・0-9]|医師|先生|Dr|様|さん)|[ ])")
_MORE = re.compile(r"[ ]?(?:[、,/・&]|および|及び|と|ならびに)[ ]?")
_ATTACHED_KIN = re.compile(
    r"(?<![一-鿿])(?:(?:兄|弟|姉|妹|父|母|祖父|祖母)の|患者|妻|夫|長男|次男|三男|長女|次女|三女|息子|娘|孫|友人|"
    r"知人|叔父|叔母|旧姓|故)(?:の|は|"
    r"、)?(?=[一-鿿]{2,6})"
)
_SURE = re.compile(
    r"さん(?!ざん)(?!回目)(?<!たくさん)|様(?![子式態相々変体])|さま(?!ざ|で|す|し|に)|殿(?![部筋堂管])|"
    r"氏(?![名法病])|"
    r"くん(?![だでじすの])|君(?![津主])|"
    r"ちゃん(?!と)|先生|せんせい|医師(?!会|国|法|免|の指示|不足)|両(?=看護師|医師|先生|名|氏)|ドクター|"
    r"Dr\.?(?![A-Za-z])|Ns\.?(?![A-Za-z])|"
    r"ns\.?(?![A-Za-z])|NS(?![A-Za-zコ])|ナース(?!コ|ス)|看護師|看護婦|師長|主任|教授|准教授|薬剤師|保健師|助産師|療法士|"
    r"ケアマネ|"
    r"相談員|PT(?![A-Za-z])|OT(?![A-Za-z])|ST(?![A-Za-z])|MSW(?![A-Za-z])|CM(?![A-Za-z])|RN(?![A-Za-z])|"
    r"MD(?![A-Za-z])|ヘルパー|副院長|院長|部長|医長|宅(?![配急地老])|邸|講師|助教|技師|栄養士|研修医|医員|巡査|"
    r"警部|校長|園長|教諭|"
    r"社長|救命士|介護士"
)
"""Branches that begin with a literal each: then the search skips over everything else."""
_READING_BEFORE = re.compile(r"[(（《〈][ぁ-んァ-ヺー゛゜・ A-Za-z]{1,20}[)）》〉]$")
_UNLIKE = re.compile(r"様(?=[一-鿿ァ-ヺのにでなA-Za-z])(?!ご|御|方|宅|宛|本人|より)")
_LARGE_PLACES = frozenset(
    words(
        "千葉 福島 山口 石川 宮崎 長野 山形 秋田 富山 福井 岡山 広島 奈良 大阪 福岡 佐賀 長崎 熊本 大分 宮城 香川 "
        "愛媛 高知 徳島 青森 "
        "静岡 三重 滋賀 岐阜 群馬 栃木 茨城 埼玉 東京 京都 兵庫 鳥取 島根 沖縄 川崎 横浜 名古屋 神戸 仙台 札幌 "
        "金沢 松本 高崎 前橋 "
        "宇都宮 水戸 甲府 津 大津 和歌山 松江 高松 松山 鹿児島 那覇 盛岡 姫路 倉敷 浜松 豊田 岡崎 柏 市川 船橋 "
        "松戸 所沢 越谷 町田 立川 "
        "日本 中国 韓国 大和"
    )
)
"""Surnames that are large places as well: without a label or title they are taken for the place."""
_WORDS_WITH = {"殿": tuple("沈宮神御"), "様": tuple("仕模同何"), "氏": tuple("摂華"), "宅": tuple("自在")}
"""沈殿, 仕様, 摂氏."""
_LONE_WORD = re.compile(rf"(?<![{HAN}])[多異一有王神]様")
_ANYBODY = re.compile(r"さん|様|さま|殿|氏|くん|君|ちゃん|先生|せんせい")
_TITLE = re.compile(r"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Dr|DR|Prof|Ns|NS)(?:\. ?| )(?=[A-Zァ-ヺ一-鿿])")
_TO_PERSON = re.compile(r"(?P<end>)(?:[ ]?(?:御侍史|御机下|侍史|机下|先生御))")
_HAN_RUN = re.compile(rf"[{HAN}]+")
_WORD = re.compile(rf"[{HAN}]+|[ぁ-ん]+|[ァ-ヺー]+")
_DEPARTMENT_NAME = re.compile(
    rf"(?:[科部室局課]|病棟|センター|外来|クリニック|医院|病院|薬局)(?P<gap>[ ]+|(?=[{HAN}]{{2,4}}(?:[\n。、]|$)))"
    rf"(?P<name>[{HAN}]{{1,4}}(?:[ ][{HAN}]{{1,3}})?)(?=[ ]?(?:$|[\n、。,)）/]|先生|医師|Dr|拝))"
)
_DEPARTMENT_GAP = re.compile(
    r"(?:[科部室局課院校園ム]|病棟|センター|外来|クリニック|薬局|大学|診療所|ステーション|院長|医師)"
    r"[ ]{1,2}(?=[一-鿿])"
)
_SIGNED = re.compile(
    rf"(?:^|[。\n]|(?<=記)[:：）)])[ ]?(?:[(（/]|文責[:： ]|"
    rf"記載[:： ])?[ ]?(?P<name>[{HAN}]{{1,4}}(?:[ ][{HAN}]{{1,3}})?)[ ]?[)）]?[ ]?(?=\n|$)",
    re.MULTILINE,
)
_WITH_READING = re.compile(
    rf"(?P<name>[{HAN}]{{1,4}}[ ]?[{HAN}]{{1,4}})[ ]?[(（]"
    r"(?P<reading>[ァ-ヺー゛゜]{2,6}[ ・][ァ-ヺー゛゜]{2,6}|[ぁ-ん]{2,6}[ ・][ぁ-ん]{2,6})[)）]"
)
_KANA_LINE = re.compile(r"^[ ]?(?P<first>[ァ-ヺー゛゜]{2,6})[ ](?P<second>[ァ-ヺー゛゜]{2,6})[ ]?$", re.MULTILINE)
_AGED = re.compile(r"[ ]?[(（ ,、][ ]?(?:満)?(?=[0-9]{1,3} ?(?:歳|才|[MF](?![A-Za-z])))")
_SAYS = re.compile(
    rf"「(?P<name>[{HAN}]{{2,4}})(?:です|と申します|ですが|でございます)|(?P<named>[{HAN}]{{2,4}})と名乗"
)
_COLLEAGUE = re.compile(
    rf"(?:同僚|上司|部下|先輩|後輩|同期|隣人|大家|民生委員|受持ち|担当)の(?P<name>[{HAN}]{{1,4}})(?=が|は|より|"
    rf"から|に|へ|と|も|、|。|（|\()"
)
_JOINED = re.compile(rf"(?<![{HAN}])(?P<name>[{HAN}]{{1,4}})[・、,/]$")
_ALONE = re.compile(rf"(?<![{HAN}ぁ-んァ-ヺーA-Za-z0-9])(?P<name>[{HAN}]{{2,4}})(?=[ ]?(?:$|[\n、。・/)）(（|」，,]))")
_NEXT = re.compile(rf"[、・,/](?P<name>[{HAN}]{{1,4}})(?=[ ]?(?:$|[\n、。・/)）(（|」，,]))")
_BOUND = re.compile(r"$|[ \n、。,)）(（・/]|へ|より|から|に(?!く)|と(?!し)|が|も|は")
_NAME_DEPARTMENT = re.compile(
    rf"(?P<name>[{HAN}]{{1,3}})[(（][^)）\n]{{0,8}}(?:科|医師?|看護師|薬剤師|部|病棟|PT|OT|ST|Ns|Dr)[)）]"
)
_STAFF_BEFORE = re.compile(
    r"(?:ケアマネージャー|ケアマネジャー|SW|MSW|PSW|PT|OT|ST|CM|Ns|NS|Dr|DR|CW|相談員|看護師|薬剤師|保健師|助産師|"
    r"栄養士|技師|師長|主任|ケアマネ|"
    r"ヘルパー|介護士|医師|担当|主治医|"
    r"研修医|当直医|執刀医|麻酔科医)[.]?[ ]?(?=[一-鿿])"
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
            if not certain and rule != "label of a role" and _inside(seen, found):
                continue
            relation = _RELATION.match(seen, start)
            start = relation.end() if relation else start
            while name := _after_label(seen, found, start, lists, sure):
                if (
                    name.end - name.start == 1
                    and not sure
                    and not re.match(r"[ ]?(?:$|[\n、。)）,|(（/]|医師|先生|Dr|様|さん)|[ ]", seen[name.end :])
                ):
                    break
                yield _span(name, rule)
                more = _MORE.match(seen, name.end)
                if not more:
                    break
                start, sure = more.end(), False
    yield from _related_names(seen, lists)


def _inside(seen: str, label: re.Match[str]) -> bool:
    """Whether a label is the end of a longer word (「産婦人科担当」 is none, 「担当PT」 is a label)."""
    before = seen[max(0, label.start() - 2) : label.start()]
    if before in ("担当", "主任", "病棟", "外来", "訪問", "紹介", "受持", "依頼", "責任", "指導", "夜勤", "日勤"):
        return False
    return bool(re.search(r"[A-Za-z]\Z" if label[0][0].isascii() else r"[一-鿿A-Za-z]\Z", before))


def _after_label(seen: str, label: re.Match[str], start: int, lists: Gazetteer, sure: bool) -> Name | None:
    """The name after a label; right after a colon or a space also a rarer one, or one that is a word (林, 森)."""
    at_once = start <= label.end() + 4 and re.search(r"[:;|=「【(（ \n]\Z", label[0])
    if at_once and not _DOINGS.match(label[0]) and (name := after_colon(seen, start, lists)):
        return name
    name = begins_at(seen, start, lists, sure)
    if name or not at_once:
        return name
    alone = _LONE.match(seen, start)
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
        if seen[end - 1 : end] in _WORDS_WITH.get(found[0], ()) or _LONE_WORD.search(seen, max(0, end - 2), end + 1):
            continue
        name = ends_at(seen, end, lists, _ANYBODY.match(found[0]) is not None)
        if name and name.confidence < 0.9 and _UNLIKE.match(seen, found.start()):
            continue  # 「痙攣様の」「毛様体」「スリガラス様陰影」
        if name and not _is_role(seen, name, found[0]):
            yield _span(name, f"before {found[0].rstrip('.')}")
            yield from _joined_before(seen, name.start, lists)
    for found in _TITLE.finditer(seen):
        name = begins_at(seen, found.end(), lists, found[0][:1] not in "nN")
        if name:
            yield _span(name, f"after {found[0].strip(' .')}")
    for found in _TO_PERSON.finditer(seen):
        name = ends_at(seen, found.start(), lists, sure=False)
        if name and not seen.endswith(("先生", "医師"), name.start, name.end):
            yield _span(name, "addressee")


def _joined_before(seen: str, start: int, lists: Gazetteer) -> Iterator[Span]:
    """Surnames that share a title with the one after them (「小坂・西岡両看護師」)."""
    while joined := _JOINED.search(seen, max(0, start - 6), start):
        if joined["name"] not in lists.surnames or joined["name"] in NO_NAME:
            return
        start = joined.start("name")
        yield Span(start, joined.end("name"), "name", "shares a title", 0.75)


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
    yield from _parted_names(seen, lists)
    for found in _MIXED.finditer(seen):
        if found["first"] in lists.surnames and found["second"] in lists.given_readings and len(found["first"]) > 1:
            yield Span(*found.span(), "name", "surname and given name in kana", 0.75)


def find_lone_surnames(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Frequent surnames that stand alone between marks, as in signatures and lists of staff."""
    for found in _ALONE.finditer(seen):
        name = found["name"]
        told = name in lists.frequent and name not in lists.words and name not in NO_NAME and name not in _LARGE_PLACES
        if told and not _first_of_eponym(seen, found.end(), lists):
            yield Span(*found.span("name"), "name", "surname alone", 0.6)
            yield from _joined_before(seen, found.start("name"), lists)
            yield from _joined_after(seen, found.end("name"), lists)


def _first_of_eponym(seen: str, end: int, lists: Gazetteer) -> bool:
    """Whether 「・」 and something else than another person follow (「石坂・Johansson病」「大原・本間病」)."""
    if not seen.startswith("・", end):
        return False
    joined = _NEXT.match(seen, end)
    return joined is None or joined["name"] not in lists.surnames


def _joined_after(seen: str, end: int, lists: Gazetteer) -> Iterator[Span]:
    """Surnames in a list that a name begins (「久世、向井」)."""
    while joined := _NEXT.match(seen, end):
        if joined["name"] not in lists.surnames or joined["name"] in NO_NAME:
            return
        end = joined.end("name")
        yield Span(joined.start("name"), end, "name", "in a list of names", 0.6)


def _parted_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Surname, space, given name: every two neighbouring words are looked at."""
    last: re.Match[str] | None = None
    for word in _WORD.finditer(seen):
        first, last = last, word
        if first is None or word.start() - first.end() != 1 or seen[first.end()] != " ":
            continue
        surname, given = first[0], word[0]
        if len(surname) > 4 or surname not in lists.surnames or len(given) > 5:
            continue
        known = (
            given in lists.given
            if re.match("[一-鿿]", given)
            else len(given) > 1 and katakana(given) in lists.given_readings and given not in PARTICLES
        )
        if known and _unlikely_words(surname, given, lists) and not is_eponym(seen, word.end()):
            yield Span(first.start(), word.end(), "name", "surname and given name", 0.85)


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


def find_staff_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """A surname after a department at the end of a clause, before a department in brackets, or after a title."""
    for found in _DEPARTMENT_NAME.finditer(seen):
        name = found["name"].split(" ")[0]
        if name in lists.surnames and name not in NO_NAME and (found["gap"] or name not in lists.words):
            yield Span(*found.span("name"), "name", "after a department", 0.85)
    for found in _DEPARTMENT_GAP.finditer(seen):
        name = begins_at(seen, found.end(), lists, sure=True)
        known = name and seen[name.start : name.start + name.surname] in lists.surnames
        if name and known and name.end - name.start > name.surname:
            yield _span(name, "after a department")
    for found in _NAME_DEPARTMENT.finditer(seen):
        alone = not re.match(rf"[{HAN}]", seen[found.start() - 1 : found.start()])
        if alone and found["name"] in lists.surnames and found["name"] not in NO_NAME:
            yield Span(*found.span("name"), "name", "before a department", 0.8)
    for rule, pattern in (("signature", _SIGNED), ("says the name", _SAYS), ("after a relation", _COLLEAGUE)):
        for found in pattern.finditer(seen):
            group = "name" if found["name"] else "named"
            surname, _, given = found[group].partition(" ")
            frequent = rule == "says the name" and surname in lists.frequent
            plain = given not in lists.words if given else frequent or _plain_surname(surname, rule, lists)
            if surname in lists.surnames and surname not in NO_NAME and plain:
                yield Span(*found.span(group), "name", rule, 0.75)
    for found in _STAFF_BEFORE.finditer(seen):
        name = re.match(rf"[{HAN}]{{1,4}}", seen[found.end() : found.end() + 5])
        told = name and name[0] in lists.surnames and name[0] not in NO_NAME
        if name and told and _BOUND.match(seen, found.end() + len(name[0])):
            yield Span(found.end(), found.end() + len(name[0]), "name", f"after {found[0].strip(' .')}", 0.8)


def _plain_surname(name: str, rule: str, lists: Gazetteer) -> bool:
    return (
        rule == "after a relation"
        or (name not in lists.words and name not in lists.places)
        or (name in lists.frequent and name not in lists.words and name not in _LARGE_PLACES)
    )


def find_described_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Names that what follows gives away: a reading in brackets, an age; a line of kana that is a name."""
    for found in _WITH_READING.finditer(seen):
        start = (
            found.start("name") + len(found["name"]) - len(re.sub(".*(?:氏名|名前|患者|様名)[ ]?", "", found["name"]))
        )
        if start < found.end("name"):
            yield Span(start, found.end("name"), "name", "before its reading", 0.85)
        yield Span(*found.span("reading"), "name", "reading of a name", 0.85)
    for found in _KANA_LINE.finditer(seen):
        if composed(found["first"]) in lists.surname_readings:
            yield Span(found.start("first"), found.end("second"), "name", "kana name", 0.8)
    for found in _AGED.finditer(seen):
        run = re.search(
            rf"(?<![{HAN}])(?:[{HAN}]{{1,4}}[ ])?[{HAN}]{{1,6}}$", seen[max(0, found.start() - 12) : found.start()]
        )
        bare = re.sub("(?:様|さん|氏|殿|君|くん|ちゃん)$", "", run[0]) if run else ""
        name = _whole_name(bare, lists)
        if run and name:
            end = found.start() - len(run[0]) + len(bare)
            yield Span(end - name, end, "name", "before an age", 0.8)


def _whole_name(run: str, lists: Gazetteer) -> int:
    """How many characters at the end of a run are surname and a rest that is no word; 0 = none."""
    first, _, second = run.rpartition(" ")
    if first and first in lists.surnames and second not in lists.words and second not in NO_NAME and len(second) <= 4:
        return len(run)
    word = second
    for size in range(min(3, len(word) - 1), 0, -1):
        rest = word[size:]
        unlikely = rest not in lists.words and word not in lists.words and not word.endswith(NO_NAME_END)
        if word[:size] in lists.surnames and ((len(rest) <= 2 and unlikely) or lists.is_given(rest)) and len(word) > 2:
            return len(word)
    return 0


def find_calling_names(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """A surname that calls, reports or is told something (「田中より電話あり」)."""
    for found in _CALLS.finditer(seen):
        run = re.search(r"(?<![一-鿿々ヶ])[一-鿿々ヶ]{2,5}$", seen[max(0, found.start() - 8) : found.start()])
        if run and run[0] in lists.surnames and run[0] not in NO_NAME and _plain_surname(run[0], "", lists):
            yield Span(found.start() - len(run[0]), found.start(), "name", "surname that speaks", 0.7)


def _span(name: Name, rule: str) -> Span:
    return Span(name.start, name.end, "name", rule, name.confidence)

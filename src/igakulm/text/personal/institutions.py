"""Institutions: hospitals, practices, pharmacies, care homes and schools, by how their names end.

Does: find the name before the ending, in quotes and after labels, with a department that follows at once.
Does not: take generic words (「他院」「総合病院」「A病院」「近くのクリニック」) for a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.text.personal.exceptions import GENERIC_HOUSE, words
from igakulm.text.personal.gazetteer import Gazetteer
from igakulm.text.personal.spans import Piece

_STRONG = words(
    "病院 クリニック 醫院 医院 診療所 医療センター メディカルセンター がんセンター 循環器センター 医科大学 大学 "
    "赤十字 ホスピス 療養所 療養園 助産院 薬局 ファーマシー 訪問看護ステーション 看護ステーション ケアプランセンター "
    "介護支援事業所 デイサービスセンター デイサービス デイケア 老人ホーム グループホーム 老健 老人保健施設 "
    "介護医療院 "
    "地域包括支援センター リハビリテーションセンター 療育センター 福祉センター ケアセンター 保健センター 整骨院 "
    "接骨院 鍼灸院 小学校 中学校 高校 高等学校 幼稚園 保育園 "
    "保育所 こども園 支援学校 特養 苑 株式会社 有限会社 警察署 消防署 消防本部 市役所 区役所 町役場"
)
_WEAK = (
    "内科",
    "小児科",
    "眼科",
    "皮膚科",
    "耳鼻科",
    "耳鼻咽喉科",
    "整形外科",
    "脳神経外科",
    "外科",
    "産婦人科",
    "泌尿器科",
    "歯科",
    "こどもクリニック",
)
"""After a surname or a place only: 「佐藤内科」 is a practice, 「循環器内科」 a department."""
_SUFFIX = re.compile("|".join(sorted((*_STRONG, *_WEAK), key=len, reverse=True)))
_NAME_CHARACTER = re.compile(r"[一-鿿々ヶ〇○◯ァ-ヺー・&0-9A-Za-z]")
_HIRAGANA = re.compile(r"[ぁ-ん]+$")
_NO_HIRAGANA = re.compile(
    r"(?:.*[のなたるいすうをにはがでへともやかてずけ]|.*(?:から|まで|より|ので|けど|ため|とき|など|また|まず|すぐ|"
    r"です|ます|ほか|よそ|ここ|そこ|どこ|および|ならび|ただ))$"
)
_HIRAGANA_NAME = re.compile(
    r"(?:[ぁ-ん]*[^ぁ-ん])?(?:さくら|ひまわり|あおぞら|みどり|ひかり|のぞみ|すみれ|たんぽぽ|つばさ|こころ|はな|"
    r"やまびこ|けやき|いずみ|あさひ|つくし|もみじ|かえで|すずらん|"
    r"みらい|ゆうあい|めぐみ|なごみ|やすらぎ|すこやか|いこい|ふれあい|まごころ|ほほえみ|きぼう|しらかば|あゆみ|"
    r"わかば|あおば|みなと|うみ|そら|にじ|ほし|つき|ゆめ|いちご|こすもす|"
    r"なのはな|ふたば|まつば|わかくさ|しあわせ|ほっと|えがお|にこにこ|すまいる|やさしい|あおい|さつき|しおさい|"
    r"せせらぎ|こもれび|ひだまり|はるかぜ|そよかぜ|みのり|かがやき|きずな|つながり)$"
)
_OF = re.compile(r"(?P<front>(?:[一-鿿ァ-ヺー]{1,4}|[ぁ-ん]{2,4}))[のがつ]$")
_OF_END = frozenset("橋森丘里風木杜街家泉花海空星郷樹庭葉鳥雲虹光樹国都駅")
_LEAD = re.compile(
    r"^(?:来週|今週|次週|次回|毎週|昨日|本日|同日|翌日|当日|先日|先月|先週|現在|以前|今回|前回|紹介元|紹介先|前医|"
    r"近医|転院先|転院元|搬送先|"
    r"搬送元|入院先|退院後|入院後|術後|当時|他に|他|同じく|主に|"
    r"主治医|担当医|父|母|夫|妻|長男|長女|次男|次女|発症後|その後|検査後|受診後|治療後|手術後|"
    r"[0-9]{1,4}[年月日時分歳]|[0-9/.-]+|平成|令和|昭和|年|月|日(?!本)|頃|より|から|にて|及び|"
    r"かかりつけ|医療法人(?:社団|財団)?|社会福祉法人|学校法人|独立行政法人|一般財団法人|公益財団法人|[・])+"
)
_KEEP_LEAD = re.compile(r"医療法人|社会福祉法人|学校法人|独立行政法人|財団法人")
_DEPARTMENT = re.compile(
    r"[ ・の]?(?:第?[一二三1-3]?(?:[一-鿿・]{1,7}?(?:内科|外科|小児科|眼科|皮膚科|耳鼻咽喉科|泌尿器科|婦人科|産科|"
    r"麻酔科|精神科|神経科|診療科|総合診療部|放射線科|病理診断科|病理部|"
    r"救命救急センター|医局|講座|教室|学部|内視鏡センター|透析センター|地域連携室|医療連携室)|"
    r"[0-9一-鿿]{1,3}階?[東西南北]?病棟)){1,2}"
)
_BRANCH = re.compile(r"[ ]?[一-鿿々ヶァ-ヺーぁ-ん0-9]{1,8}?(?:支)?店")
_HOSPITAL_OF = re.compile(r"(?:医学部)?(?:附属|付属)[一-鿿]{0,8}(?:病院|医療センター)|(?:医学部|病院|医療センター)")
_CORPORATION = re.compile(
    r"(?:医療法人(?:社団|財団)?|社会医療法人|社会福祉法人|独立行政法人|国立病院機構|学校法人|一般財団法人|"
    r"公益財団法人|株式会社|有限会社|JA|JCHO)"
    r"[ ]?(?:[一-鿿ぁ-んァ-ヺー]{1,10}[ ])?$"
)
_HOUSE_FIRST = re.compile(
    r"(?:訪問看護ステーション|看護ステーション|特別養護老人ホーム|養護老人ホーム|有料老人ホーム|老人ホーム|"
    r"グループホーム|老人保健施設|介護老人保健施設|"
    r"介護医療院|デイサービスセンター|デイサービス|デイケア|居宅介護支援事業所|介護支援事業所|ケアプランセンター|"
    r"ヘルパーステーション|小規模多機能ホーム|"
    r"認定こども園|ショートステイ|ケアハウス|老健|特養|サ高住|保育園|幼稚園|こども園|株式会社|有限会社|合同会社)[ ]?"
    r"(?P<name>[一-鿿ァ-ヺーA-Za-z]{2,12}|[ぁ-ん]{2,8}(?:[一-鿿の]{1,6})?)(?P<rest>[ぁ-ん]?)"
)
_NO_HOUSE_NAME = re.compile(
    r"(?:入所|利用|通所|希望|申込|申請|待機|退所|退院|職員|相談員|担当|送迎|見学|体験|契約|調整|検討|予定|紹介|へ|"
    r"に|で|は|が|を|と|の|も|から|より|など|まで|です|への|での|との|では|には)"
)
_QUOTED = re.compile(
    r"(?:病院|クリニック|医院|診療所|ホーム|施設|センター|デイサービス|デイケア|ステーション|薬局|老健|特養|事業所|"
    r"学校|保育園|幼稚園)[ ]?[「『](?P<name>[^」』\n]{1,20})[」』]"
)
_LABEL = re.compile(
    r"(?:紹介元|紹介先|紹介医療機関|医療機関名?|施設名|病院名|かかりつけ医?|転院先|搬送元|搬送先|勤務先|職場|"
    r"学校名?|入所先|通所先|事業所名?|調剤薬局|前医)[ ]?[:=|] ?"
    r"(?P<value>[^\n|、。,()（）「」 ]{2,30})"
)
_PLAIN_VALUE = re.compile(
    r"(?:.*(?:なし|不明|あり|未定|特に|該当|同上|自宅|当院|希望|検討|調整|無|有)|[0-9/.:-]+.*|A|.*(?:先生|医師|様)$)"
)
_WORD_GOES_ON = re.compile(
    "方(?![がへに])|長|側|内|外|間|食|職員|実習|実日数|給食|生$|機能|数|名|等$|健診|検診|訪問|受診|医|衛生|保健|用"
)
_BOUNDARY = frozenset(("", "\n", *":：(（「、。/ 　・|="))
_NO_START = frozenset(
    words(
        "うちの わたしの いつもの ほかの よその どこかの ここの そこの あそこの かかりつけの むかしの もとの "
        "この その あの どの ある まず また なお"
    )
)
_BOUND_WORDS = frozenset(
    words(
        "ならびに および または もしくは ただし すなわち いわゆる あらゆる いかなる かかる しかし そして どんな "
        "こんな あんな そんな"
    )
)
_LONGEST = 24


def find_institutions(seen: str, lists: Gazetteer) -> Iterator[Piece]:
    """Institutions in a text as `reading.read` gives it."""
    done = 0
    for found in _SUFFIX.finditer(seen):
        if found.start() < done or _WORD_GOES_ON.match(seen, found.end()):
            continue
        start = _name_start(seen, found.start(), found[0] in _WEAK, lists)
        if start is None:
            continue
        done = _with_department(seen, found)
        corporation = _CORPORATION.search(seen, max(0, start - 24), start)
        yield Piece(corporation.start() if corporation else start, done, 0.9)
    for found in _HOUSE_FIRST.finditer(seen):
        if not _NO_HOUSE_NAME.match(found["name"]) and not _generic(found["name"]):
            yield Piece(found.start(), _house_end(found, lists), 0.85)
    for found in _QUOTED.finditer(seen):
        if not re.fullmatch(GENERIC_HOUSE, found["name"]):
            yield Piece(*found.span("name"), 0.85)
    for found in _LABEL.finditer(seen):
        value = found["value"]
        if not _PLAIN_VALUE.match(value) and not _generic(value):
            yield Piece(*found.span("value"), 0.8)


def _house_end(found: re.Match[str], lists: Gazetteer) -> int:
    """Where the name after the ending stops: a person's name or particles that follow are no part of it."""
    name = found["name"]
    for particle in ("へ", "に", "で", "は", "が", "を", "と", "の", "より", "から"):
        if re.match("[ぁ-ん]", name) and len(name) > 3 and name.endswith(particle):
            return found.end("name") - len(particle)
    return found.end("name")


def _with_department(seen: str, found: re.Match[str]) -> int:
    end = found.end()
    if found[0] in ("大学", "医科大学", "赤十字"):
        rest = _HOSPITAL_OF.match(seen, end)
        end = rest.end() if rest else end
    if found[0] in ("薬局", "ファーマシー", "クリニック", "歯科"):
        branch = _BRANCH.match(seen, end)
        end = branch.end() if branch else end
    department = _DEPARTMENT.match(seen, end)
    return department.end() if department else end


def _name_start(seen: str, end: int, weak: bool, lists: Gazetteer) -> int | None:
    """Where the name before the ending begins; None if what stands there names no house."""
    start = _run_start(seen, end)
    name = seen[start:end]
    lead = _LEAD.match(name)
    if lead and not _KEEP_LEAD.search(lead[0]):
        start += lead.end()
        name = seen[start:end]
    if weak:
        bare = re.sub(r"(?:こども|ファミリー|ペイン|総合|整形外科|内科|外科|・)+$", "", name)
        known = bare in lists.surnames or bare in lists.places
        return start if known and bare not in lists.words else None
    if name and _has_branch(seen, end):
        return start
    if not name or _generic(name) or (name in lists.words and name not in lists.surnames):
        return None
    return start


def _has_branch(seen: str, end: int) -> bool:
    """Whether a branch follows the ending, which names even a generic house (「日本調剤薬局桜通店」)."""
    ending = _SUFFIX.match(seen, end)
    return (
        ending is not None and ending[0] in ("薬局", "ファーマシー") and _BRANCH.match(seen, ending.end()) is not None
    )


def _run_start(seen: str, end: int) -> int:
    """Back over the letters of a name: kanji, katakana, Latin letters, and hiragana that are no particles."""
    start = end
    while start > max(0, end - _LONGEST):
        if _NAME_CHARACTER.match(seen, start - 1):
            start -= 1
            continue
        run = _HIRAGANA.search(seen, max(0, start - 8), start)
        named = _HIRAGANA_NAME.search(run[0]) if run else None
        if run and len(run[0]) > 1 and (named or _own_word(seen, run)):
            start = run.start() if named is None else run.start() + _name_in_run(run[0])
            continue
        front = _OF.search(seen, max(0, start - 6), start)
        if front and seen[start:end][:1] in _OF_END:
            start = front.start("front")
        break
    return start


def _own_word(seen: str, run: re.Match[str]) -> bool:
    """Whether hiragana before the ending stands alone and does not look like the end of a clause."""
    before = seen[run.start() - 1 : run.start()]
    if before in _BOUNDARY and run[0] not in _NO_START:
        return True
    if _LEAD.search(seen[max(0, run.start() - 2) : run.start()]):
        return run[0] not in _NO_START
    if len(run[0]) > 6 or re.search("から|ので|けど|って|たら|ない|そろ|まま", run[0]):
        return False
    plain = len(run[0]) > 2 and run[0][-1] in "たるいすうと" and run[0] not in _BOUND_WORDS
    return (plain or not _NO_HIRAGANA.match(run[0])) and not re.match("[一-鿿々ァ-ヺーA-Za-z0-9]", before)


def _name_in_run(run: str) -> int:
    """Where in a run of hiragana that ends with a known name it begins (「はさくら」: after the particle)."""
    for start in range(len(run)):
        if _HIRAGANA_NAME.fullmatch(run[start:]) and not (start == 0 and run[0] in "のはがをにでへとも"):
            return start
    return 0


def _generic(name: str) -> bool:
    return GENERIC_HOUSE.fullmatch(name) is not None

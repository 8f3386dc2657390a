"""Labelled clinical notes to measure with: by hand (clinical_notes/*.txt) and from templates; all invented, CC0.

Does: read the ⟦kind:text⟧ form, fill templates, and keep six sets apart, none of which shares a template with another.
"a" was looked at while the rules were written, "b" to "e" after each had been measured once; the tagger learnt from
variations of these five. "f" is held out: it was written before the last rules, the layer of sentences and the tagger,
was measured once, after all of them, and not looked at. Its author is the author of the rules, who knew them.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from igakulm.evaluation.personal_spans import Measured, measure
from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.finder import Finder

Half = Literal["a", "b", "c", "d", "e", "f"]
HALVES: tuple[Half, ...] = get_args(Half)
FOLDER = Path(__file__).with_name("clinical_notes")
_SPAN = re.compile(r"⟦([a-z_]+):([^⟧]*)⟧")


@dataclass(frozen=True)
class Note:
    """A note, its kind of document, and where what stands in it."""

    name: str
    text: str
    spans: tuple[tuple[int, int, Kind], ...]


def parse(name: str, marked: str) -> Note:
    text, spans, done = "", [], 0
    for found in _SPAN.finditer(marked):
        text += marked[done : found.start()]
        kind = next(kind for kind in get_args(Kind) if kind == found[1])
        spans.append((len(text), len(text) + len(found[2]), kind))
        text, done = text + found[2], found.end()
    text += marked[done:]
    assert "⟦" not in text and "⟧" not in text, (name, text)
    return Note(name, text, tuple(spans))


def hand_written(half: Half) -> list[Note]:
    parts = re.split(r"^## ", (FOLDER / f"hand-{half}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [parse(part.split("\n", 1)[0], part.split("\n", 1)[1].rstrip("\n")) for part in parts]


HELD_OUT: Half = "f"
_FROM_TEMPLATES = 80
_OF_THE_HELD_OUT = 140


def from_templates(half: Half) -> list[Note]:
    count = _OF_THE_HELD_OUT if half == HELD_OUT else _FROM_TEMPLATES
    templates = [
        (part.split("\n", 1)[0], part.split("\n", 1)[1].rstrip("\n"))
        for part in re.split(
            r"^## ", (FOLDER / f"templates-{half}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE
        )[1:]
    ]
    notes = []
    for number in range(count):
        name, template = templates[number % len(templates)]
        notes.append(parse(f"{name} {number}", Filling(half, number).fill(template)))
    return notes


def hard_negatives(half: Half) -> list[str]:
    if half not in ("a", "b"):
        return (FOLDER / f"hard-negatives-{half}.txt").read_text(encoding="utf-8").splitlines()
    lines = (FOLDER / "hard-negatives.txt").read_text(encoding="utf-8").splitlines()
    return lines[0 if half == "a" else 1 :: 2]


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(word, reading) for word, _, reading in (pair.partition("/") for pair in text.split())]


_SURNAMES: dict[Half, list[tuple[str, str]]] = {
    "a": _pairs(
        "佐藤/サトウ 田村/タムラ 小笠原/オガサワラ 林/ハヤシ 東海林/ショウジ 長谷川/ハセガワ 川端/カワバタ 西/ニシ "
        "工藤/クドウ 勅使河原/テシガワラ 渡邊/ワタナベ 石井/イシイ 平/タイラ 安部/アベ 日下部/クサカベ 宮本/ミヤモト"
    ),
    "b": _pairs(
        "鈴木/スズキ 大久保/オオクボ 森/モリ 五十嵐/イガラシ 鬼頭/キトウ 髙田/タカダ 神崎/カンザキ 谷/タニ "
        "山﨑/ヤマザキ 城/ジョウ 御厨/ミクリヤ 松下/マツシタ 桂/カツラ 斎藤/サイトウ 与那嶺/ヨナミネ 野口/ノグチ"
    ),
    "c": _pairs(
        "高橋/タカハシ 加納/カノウ 笹本/ササモト 原/ハラ 生田目/ナマタメ 長南/チョウナン 遠山/トオヤマ 土方/ヒジカタ "
        "柴﨑/シバサキ 関/セキ 阿久津/アクツ 黒岩/クロイワ 汐見/シオミ 伊集院/イジュウイン 稲福/イナフク 須藤/スドウ"
    ),
    "e": _pairs(
        "中村/ナカムラ 明神/ミョウジン 窪田/クボタ 南/ミナミ 浜口/ハマグチ 弘田/ヒロタ 光/ヒカリ 依光/ヨリミツ "
        "西森/ニシモリ 片岡/カタオカ 尾﨑/オザキ 久保田/クボタ 和食/ワジキ 池/イケ 上杉/ウエスギ 徳弘/トクヒロ"
    ),
    "f": _pairs(
        "加藤/カトウ 鴨下/カモシタ 萩/ハギ 大和田/オオワダ 沖/オキ 五味/ゴミ 塩路/シオジ 鍬形/クワガタ 柊/ヒイラギ "
        "渋谷/シブヤ 蛯原/エビハラ 常磐/トキワ 目加田/メカタ 宇治/ウジ 上/カミ 富樫/トガシ 粟飯原/アイハラ 内海/ウツミ "
        "滑川/ナメカワ 今/コン 薄井/ウスイ 小林/コバヤシ 百鬼/ナキリ 髙見澤/タカミザワ"
    ),
    "d": _pairs(
        "伊藤/イトウ 栗林/クリバヤシ 水沼/ミズヌマ 東/アズマ 羽賀/ハガ 武者/ムシャ 星/ホシ 国枝/クニエダ "
        "齊藤/サイトウ 向井/ムカイ 小比賀/オビカ 鎌田/カマタ 瀬戸/セト 久世/クゼ 糸数/イトカズ 大森/オオモリ"
    ),
}
_GIVEN: dict[Half, list[tuple[str, str]]] = {
    "a": _pairs(
        "健太/ケンタ 美咲/ミサキ 清/キヨシ トメ/トメ 由紀子/ユキコ 大輔/ダイスケ 薫/カオル 陽菜/ヒナ 正一/ショウイチ "
        "さくら/サクラ 蓮/レン 富美子/フミコ 義夫/ヨシオ 真由/マユ"
    ),
    "b": _pairs(
        "翔太/ショウタ 恵子/ケイコ 忍/シノブ ハナ/ハナ 千代子/チヨコ 拓也/タクヤ 泉/イズミ 結衣/ユイ 久雄/ヒサオ "
        "ひなた/ヒナタ 湊/ミナト 登美江/トミエ 庄司/ショウジ 麻里/マリ"
    ),
    "c": _pairs(
        "誠一郎/セイイチロウ 絵美/エミ 渚/ナギサ ツル/ツル 幸恵/ユキエ 隆史/タカシ 望/ノゾミ 琴葉/コトハ 敏夫/トシオ "
        "あかり/アカリ 慶/ケイ 佐和子/サワコ 瑛斗/エイト 寿美/スミ"
    ),
    "e": _pairs(
        "賢治/ケンジ 由美/ユミ 直/ナオ キミ/キミ 美千代/ミチヨ 裕太/ユウタ 葉月/ハヅキ 楓花/フウカ 昭夫/アキオ "
        "ちひろ/チヒロ 巧/タクミ 節子/セツコ 大雅/タイガ 公子/キミコ"
    ),
    "f": _pairs(
        "宗一/ソウイチ 香/カオリ 文/フミ スエ/スエ 奈緒美/ナオミ 徹也/テツヤ 希/ノゾミ 心晴/コハル 孝太郎/コウタロウ "
        "つばさ/ツバサ 櫂/カイ 久仁子/クニコ 十三/ジュウゾウ 瑠璃/ルリ 茂樹/シゲキ 萌々香/モモカ "
        "善吉/ゼンキチ 環/タマキ"
    ),
    "d": _pairs(
        "信夫/ノブオ 美穂/ミホ 司/ツカサ ウメ/ウメ 千春/チハル 康平/コウヘイ 遥/ハルカ 紗英/サエ 勝利/カツトシ "
        "みゆき/ミユキ 岳/ガク 喜代子/キヨコ 蒼介/ソウスケ 典子/ノリコ"
    ),
}
_PLACES: dict[Half, list[str]] = {
    "a": [
        "東京都世田谷区桜丘2-14-7",
        "大阪府堺市北区百舌鳥梅町3丁39番地",
        "千葉市中央区亥鼻1丁目8-1 コーポ青葉203",
        "北海道札幌市中央区南1条西16丁目291番地",
        "名古屋市昭和区鶴舞町65",
        "石川県金沢市宝町13番1号",
    ],
    "b": [
        "埼玉県川越市鴨田1981番地",
        "福岡市東区馬出3-1-1 メゾン箱崎402号室",
        "京都府京都市上京区河原町通広小路上る梶井町465",
        "岩手県盛岡市内丸19-1",
        "神戸市中央区楠町7丁目5-2",
        "沖縄県中頭郡西原町字上原207番地",
    ],
    "c": [
        "愛知県豊明市沓掛町田楽ケ窪1番地98",
        "新潟市中央区旭町通1-757",
        "東京都八王子市館町1163 コーポはなみずき102号",
        "仙台市青葉区星陵町1番1号",
        "奈良県橿原市四条町840",
        "大分県由布市挾間町医大ヶ丘1丁目1番地",
    ],
    "e": [
        "茨城県つくば市天王台1-1-1",
        "大阪市阿倍野区旭町1丁目4-3 ロイヤルハイツ707",
        "三重県津市江戸橋2丁目174番地",
        "佐賀市鍋島5-1-1",
    ],
    "f": [
        "山梨県甲府市飯田3丁目8-21",
        "横浜市金沢区福浦3-9 シーサイドコート1105号",
        "京都市左京区聖護院川原町54",
        "長崎県五島市吉久木町205番地",
        "鹿児島市桜ヶ丘8丁目35番1号",
        "栃木県下都賀郡壬生町大字北小林880",
        "札幌市豊平区月寒東2条18丁目6-40",
        "香川県木田郡三木町池戸1750-1",
    ],
    "d": [
        "青森県弘前市在府町5",
        "東京都台東区谷中6丁目4-9 メゾン谷中305",
        "静岡市葵区追手町10番93号",
        "広島県呉市青山町3-1",
        "福井県吉田郡永平寺町松岡下合月23-3",
        "熊本市中央区本荘1-1-1",
    ],
}
_HOUSES: dict[Half, list[str]] = {
    "a": [
        "桜丘記念病院",
        "みなと内科クリニック",
        "市立青葉総合病院",
        "山本医院",
        "済生会東部病院",
        "訪問看護ステーションひまわり",
        "こだま調剤薬局",
        "慈恵台医療センター",
    ],
    "b": [
        "聖クララ病院",
        "せせらぎクリニック",
        "県立北陵中央病院",
        "大森整形外科",
        "老人保健施設けやきの里",
        "あけぼの薬局駅前店",
        "国立病院機構 南浜病院",
        "東都大学医学部附属病院",
    ],
    "c": [
        "光ヶ丘総合病院",
        "なぎさ皮膚科クリニック",
        "町立海陽診療所",
        "島田内科小児科医院",
        "聖隷浜岡病院",
        "訪問看護ステーションそら",
        "日本調剤薬局桜通店",
        "北陸大学病院",
    ],
    "e": [
        "朝倉記念病院",
        "もみの木クリニック",
        "県立幡多南病院",
        "渡辺小児科医院",
        "すこやか薬局",
        "土佐中央病院",
    ],
    "f": [
        "富士見台共立病院",
        "あさひ町ペインクリニック",
        "市立南アルプス医療センター",
        "古屋内科",
        "聖ヨハネ会 桜台病院",
        "どんぐり薬局",
        "介護老人保健施設ぬくもりの丘",
        "甲斐駒整形外科リウマチ科",
        "武蔵野医科大学総合医療センター",
        "ことぶき訪問看護ステーション",
    ],
    "d": [
        "みその台記念病院",
        "はるかぜ耳鼻咽喉科医院",
        "市立北山病院",
        "丸山クリニック",
        "済生会西部病院",
        "JA羽前厚生病院",
        "コスモス薬局",
        "南海医科大学附属病院",
    ],
}


class Filling:
    """Values for the slots of one note; the same slot with the same number is the same person."""

    def __init__(self, half: Half, number: int) -> None:
        self.half: Half = half
        self.draw = random.Random(f"{half}{number}")
        surnames = self.draw.sample(_SURNAMES[half], 6)
        self.people = [(surname, self.draw.choice(_GIVEN[half])) for surname in surnames]

    def fill(self, template: str) -> str:
        return re.sub(r"\{([a-z_]+)([0-9]?)\}", lambda found: self.value(found[1], int(found[2] or 0)), template)

    def value(self, slot: str, number: int) -> str:
        (surname, surname_kana), (given, given_kana) = self.people[number]
        gap = self.draw.choice(["", " ", "　"])
        draw = self.draw
        year, month, day = draw.randint(1926, 2005), draw.randint(1, 12), draw.randint(1, 28)
        dates = (f"{year}年{month}月{day}日", f"{year}/{month:02d}/{day:02d}", f"昭和{year % 60 + 2}年{month}月{day}日",
                 f"S{year % 60 + 2}.{month}.{day}")  # fmt: skip
        telephones = (f"0{draw.randint(3, 9)}-5555-{self._digits(4)}", f"090-5555-{self._digits(4)}",
                      f"080{self._digits(8)}", f"0{draw.randint(42, 99)}(555){self._digits(4)}")  # fmt: skip
        ids = (str(draw.randint(100000, 99999999)), f"00{self._digits(6)}", f"{draw.randint(10, 99)}-{self._digits(5)}")
        forms = {
            "full": ("name", f"{surname}{gap}{given}"),
            "surname": ("name", surname),
            "given": ("name", given),
            "kana": ("name", f"{surname_kana}{draw.choice([' ', '　'])}{given_kana}"),
            "birth": ("birth_date", draw.choice(dates)),
            "old": ("age", str(draw.randint(90, 104))),
            "address": ("address", draw.choice(_PLACES[self.half])),
            "postal": ("postal_code", f"{self._digits(3)}-{self._digits(4)}"),
            "house": ("institution", draw.choice(_HOUSES[self.half])),
            "tel": ("telephone", draw.choice(telephones)),
            "inner": ("telephone", str(draw.randint(1000, 9999))),
            "mail": ("mail", f"user{self._digits(3)}@example.{draw.choice(['jp', 'com', 'ne.jp'])}"),
            "id": ("patient_number", draw.choice(ids)),
            "insurance": ("insurance_number", f"{draw.randint(1, 9)}{self._digits(7)}"),
        }
        kind, text = forms[slot]
        return f"⟦{kind}:{text}⟧"

    def _digits(self, size: int) -> str:
        return "".join(self.draw.choice("0123456789") for _ in range(size))


def measure_half(half: Half, finder: Finder) -> Measured:
    notes = [*hand_written(half), *from_templates(half)]
    name = f"IgakuLM notes {half} ({'held out' if half == HELD_OUT else 'seen; the tagger learnt from them'})"
    labelled = [(note.text, note.spans) for note in notes]
    return measure(name, labelled, hard_negatives(half), finder, held_out=half == HELD_OUT)

"""One worked example for each style and form of examination question, shown to the writer before its own task.

Does: hold the examples, and say whether an item repeats one of them. Does not: word the request (exams.py).
They are our own, short, on settled textbook knowledge, and share no text with the benchmarks (a test compares them).
A small model follows an example where it gives the placeholders of a pattern back; a weak one repeats the example.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from igakulm.synth.exam_item import ExamItem
from igakulm.tasks.items import normalised_document

COPIED_OPTIONS = 4
COPIED_LETTERS = 20


@dataclass(frozen=True, slots=True)
class Example:
    """An item about `term` (of a kind: disease, drug), on a topic of `exams.TOPICS`."""

    term: str
    kind: str
    topic: str
    item: ExamItem

    def answer(self) -> str:
        """The item as the JSON that a writer should give."""
        fields = {
            "question": self.item.question,
            "options": self.item.options,
            "explanation": self.item.explanation,
            "answer": [letter.lower() for letter in self.item.answer],
        }
        return json.dumps(fields, ensure_ascii=False)


PHYSICIAN: dict[str, Example] = {
    "knowledge": Example(
        "壊血病",
        "disease",
        "原因と危険因子",
        ExamItem(
            "欠乏によって壊血病をきたす栄養素はどれか。",
            ("ビタミンA", "ビタミンC", "ビタミンD", "亜鉛", "ヨウ素"),
            ("B",),
            "ビタミンCはコラーゲンの合成に必要で、欠乏すると血管や結合組織が弱くなり、歯肉や皮膚から出血する壊血病をきたす。"
            "ビタミンAの欠乏では夜盲、ビタミンDの欠乏ではくる病や骨軟化症、亜鉛の欠乏では味覚障害、"
            "ヨウ素の欠乏では甲状腺腫がみられる。",
        ),
    ),
    "wrong-one": Example(
        "破傷風",
        "disease",
        "疫学と予防",
        ExamItem(
            "破傷風について誤っているのはどれか。",
            (
                "ワクチンで予防できる。",
                "土壌中の芽胞が感染源になる。",
                "早期に開口障害がみられる。",
                "毒素が神経に作用する。",
                "患者の咳で周囲の人にうつる。",
            ),
            ("E",),
            "破傷風は、土壌中の芽胞が傷口から入って起こる感染症であり、患者の咳で周囲の人にうつることはない。"
            "菌の作る毒素が神経に作用して筋肉がこわばり、早期に開口障害がみられる。ワクチンで予防できる。",
        ),
    ),
    "two": Example(
        "甲状腺機能亢進症",
        "disease",
        "特徴的な症状と身体所見",
        ExamItem(
            "甲状腺機能亢進症の患者によくみられる所見はどれか。2つ選べ。",
            ("徐脈", "体重減少", "便秘", "手指の震え", "寒がり"),
            ("B", "D"),
            "甲状腺ホルモンの過剰によって代謝が高まるため、食欲があっても体重減少がみられ、"
            "交感神経の働きが強まるため手指の震えが現れる。徐脈、便秘、寒がりは甲状腺機能低下症でみられる所見である。",
        ),
    ),
    "case": Example(
        "尿管結石",
        "disease",
        "診断と鑑別",
        ExamItem(
            "38歳の男性。左の脇腹の痛みを主訴に来院した。今朝、急に痛み始め、強くなったり弱くなったりしながら"
            "下腹部へ広がっている。体温36.6℃、血圧142/88mmHg。左の肋骨脊柱角に叩打痛があり、腹部は平坦で軟らかい。"
            "尿潜血は陽性で、尿中の白血球は増えていない。最も考えられる疾患はどれか。",
            ("急性膵炎", "腎盂腎炎", "腸閉塞", "尿管結石", "急性虫垂炎"),
            ("D",),
            "波のある脇腹の痛みが下腹部へ広がり、肋骨脊柱角の叩打痛と尿潜血を認めることから尿管結石を考える。"
            "腎盂腎炎では発熱と膿尿、急性膵炎では上腹部から背中へ続く痛み、腸閉塞では腹部の張りと嘔吐、"
            "急性虫垂炎では右下腹部の圧痛がみられる。",
        ),
    ),
    "case-two": Example(
        "ワルファリン",
        "drug",
        "相互作用",
        ExamItem(
            "72歳の女性。心房細動に対してワルファリンを内服し、効果は安定していた。一週間前から健康によいと聞いた食品を"
            "毎日とり始め、本日の検査でPT-INRが1.1に低下していた。原因として考えられる食品はどれか。2つ選べ。",
            ("納豆", "りんご", "青汁", "牛乳", "食パン"),
            ("A", "C"),
            "ワルファリンはビタミンKの働きを妨げて血液を固まりにくくする。納豆と青汁は体内のビタミンKを増やすため、"
            "ワルファリンの効果を弱めてPT-INRを低下させる。りんご、牛乳、食パンに含まれるビタミンKは少ない。",
        ),
    ),
}

PHARMACIST: dict[str, Example] = {
    "knowledge": Example(
        "アロプリノール",
        "drug",
        "作用機序",
        ExamItem(
            "アロプリノールが血清尿酸値を下げる作用機序はどれか。",
            (
                "尿細管での尿酸再吸収の抑制",
                "好中球の遊走の抑制",
                "キサンチンオキシダーゼの阻害",
                "酵素による尿酸の分解",
                "シクロオキシゲナーゼの阻害",
            ),
            ("C",),
            "アロプリノールは、キサンチンオキシダーゼの阻害によって尿酸の生成を減らす。"
            "尿細管での尿酸再吸収の抑制はベンズブロマロン、好中球の遊走の抑制はコルヒチン、"
            "酵素による尿酸の分解はラスブリカーゼ、シクロオキシゲナーゼの阻害は非ステロイド性抗炎症薬の作用である。",
        ),
    ),
    "wrong-one": Example(
        "リファンピシン",
        "drug",
        "服薬指導と薬学的管理",
        ExamItem(
            "リファンピシンについて誤っているのはどれか。",
            (
                "結核には単独で長く用いる。",
                "尿や汗が赤みを帯びることがある。",
                "肝機能の検査を定期的に行う。",
                "薬物代謝酵素を誘導する。",
                "経口避妊薬の効果を弱める。",
            ),
            ("A",),
            "リファンピシンを単独で用いると耐性菌が生じやすいため、結核の治療ではほかの抗結核薬と併用する。"
            "薬物代謝酵素を誘導して経口避妊薬などの効果を弱める。尿や汗が赤みを帯びることを前もって説明し、"
            "肝障害に備えて肝機能の検査を定期的に行う。",
        ),
    ),
    "two": Example(
        "閉塞隅角緑内障",
        "disease",
        "服薬指導と薬学的管理",
        ExamItem(
            "閉塞隅角緑内障の治療を受けていない患者で、眼圧を上げるおそれがある薬はどれか。2つ選べ。",
            ("酸化マグネシウム", "アトロピン", "アセトアミノフェン", "セファレキシン", "ジフェンヒドラミン"),
            ("B", "E"),
            "アトロピンとジフェンヒドラミンは抗コリン作用によって瞳孔を広げ、隅角を狭めて眼圧を上げるおそれがある。"
            "酸化マグネシウム、アセトアミノフェン、セファレキシンには抗コリン作用がない。",
        ),
    ),
    "case": Example(
        "メトホルミン",
        "drug",
        "使用上の注意と禁忌",
        ExamItem(
            "64歳の男性。2型糖尿病のためメトホルミンを内服している。三日前から下痢と嘔吐が続き、食事も水分もほとんど"
            "とれずに来院した。血圧94/58mmHg、口の中は乾いている。eGFRは28mL/分/1.73m2に低下していた。"
            "メトホルミンについて適切な対応はどれか。",
            (
                "同じ量で続ける",
                "服用を中止する",
                "一回の量を増やす",
                "食前の服用に変える",
                "一日おきの服用に変える",
            ),
            ("B",),
            "脱水と腎機能の低下があるとメトホルミンの排泄が遅れ、乳酸アシドーシスを起こすおそれがあるため、服用を中止する。"
            "量や飲み方を変えて続けても、この危険は避けられない。",
        ),
    ),
    "case-two": Example(
        "帯状疱疹",
        "disease",
        "服薬指導と薬学的管理",
        ExamItem(
            "78歳の女性。帯状疱疹に対してバラシクロビルが処方された。以前から膝の痛みにロキソプロフェンを毎日内服して"
            "いる。血清クレアチニンは1.6mg/dLである。薬剤師の対応として適切なのはどれか。2つ選べ。",
            (
                "意識の変化があれば受診するよう伝える",
                "水分を控えるよう伝える",
                "皮疹が乾いてから飲むよう伝える",
                "腎機能に応じた減量を医師に提案する",
                "ロキソプロフェンの増量を医師に提案する",
            ),
            ("A", "D"),
            "バラシクロビルの成分は腎臓から排泄されるため、腎機能に応じた減量を医師に提案する。"
            "排泄が遅れると精神神経症状が現れるので、意識の変化があれば受診するよう伝える。"
            "水分を控えたりロキソプロフェンを増量したりすると腎機能がさらに低下し、皮疹が乾いてから飲み始めたのでは遅い。",
        ),
    ),
}

EXAMPLES: dict[str, dict[str, Example]] = {"physician": PHYSICIAN, "pharmacist": PHARMACIST}
"""By style and form."""


def repeats_example(item: ExamItem) -> bool:
    """Whether an item has (almost) the options of an example, or a passage of its explanation.

    >>> shown = PHYSICIAN["knowledge"].item
    >>> repeats_example(ExamItem("喘息の原因はどれか。", shown.options, ("A",), "わからない。"))
    True
    """
    options = {normalised_document(option) for option in item.options}
    if any(len(options & shown) >= COPIED_OPTIONS for shown in _options()):
        return True
    return not _passages().isdisjoint(_pieces(item.explanation))


@cache
def _options() -> tuple[frozenset[str], ...]:
    items = [example.item for forms in EXAMPLES.values() for example in forms.values()]
    return tuple(frozenset(map(normalised_document, item.options)) for item in items)


@cache
def _passages() -> frozenset[str]:
    items = [example.item for forms in EXAMPLES.values() for example in forms.values()]
    return frozenset(piece for item in items for piece in _pieces(item.explanation))


def _pieces(text: str) -> set[str]:
    letters = normalised_document(text)
    return {letters[start : start + COPIED_LETTERS] for start in range(len(letters) - COPIED_LETTERS + 1)}

"""Writes notes.xlsx: 300 invented nursing records of 75 invented patients, as a ward keeps them (CC0).

Nobody is described here. Run it again with another seed for other notes: python make_notes.py 1
"""

from __future__ import annotations

import datetime
import random
import sys
from pathlib import Path

import openpyxl

SURNAMES = [
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "山本",
    "中村",
    "小林",
    "加藤",
    "吉田",
    "山田",
    "松本",
    "井上",
    "木村",
]
GIVEN = [
    "花子",
    "一郎",
    "恵子",
    "健",
    "由美",
    "隆",
    "和子",
    "誠",
    "久美子",
    "茂",
    "節子",
    "修",
    "幸子",
    "進",
    "千代",
]
SYMPTOMS = [
    "頭痛",
    "嘔気",
    "腹痛",
    "発熱",
    "咳嗽",
    "息切れ",
    "めまい",
    "動悸",
    "右膝の痛み",
    "腰痛",
    "下肢の浮腫",
    "食欲不振",
    "倦怠感",
    "右手のしびれ",
    "胸部不快感",
    "背部の発赤",
    "不眠",
    "便秘",
    "下痢",
    "両下肢の脱力感",
]
FELL = (
    "{time}、物音がして訪室すると、{place}に座り込んでいるところを発見した。",
    "{time}、{place}で足がもつれて転倒したと本人より報告あり。",
    "{time}、ベッド柵を越えて{place}に落ちているのを同室者が発見した。",
    "{time}、車椅子から立ち上がろうとして{place}に尻もちをついた。",
    "{time}、トイレの帰りに{place}で滑り、左肩を打ったという。",
    "家人より、外泊中に{place}で転んだと連絡あり。",
    "{time}、歩行器を使わずに歩き、{place}で膝をついていた。",
)
STEADY = (
    "{time}の巡視時は入眠中であった。",
    "転倒の危険が高いため、{place}に離床センサーを置いた。",
    "入院前に自宅で転倒歴があるとのことで、履物を替えるよう説明した。",
    "{time}、{place}まで歩行器で歩き、ふらつきはなかった。",
    "転倒・転落アセスメントを行い、危険度Ⅱとした。",
    "{time}、ナースコールあり。{place}まで付き添い、事故なく戻った。",
    "理学療法士と{place}で立位訓練を行った。転倒はなかった。",
    "家人が来棟し、{place}で一緒に過ごされた。",
)
PLACES = ["ベッドサイド", "廊下", "洗面所", "トイレの前", "デイルーム", "浴室の入口", "病室の入口", "階段"]
SAID = ("{symptom}の訴えあり。", "{symptom}がみられる。", "「{symptom}がつらい」と話す。", "{symptom}が続いている。")
DENIED = ("{symptom}なし。", "{symptom}は認めない。", "{symptom}の訴えはない。", "{symptom}は軽快した。")
CLOSING = (
    "主治医の{doctor}先生に報告した。",
    "{doctor}医師に報告し、経過観察の指示あり。",
    "バイタルは BP {high}/{low}mmHg、P {pulse}、KT {heat}℃。",
    "夜勤者に申し送った。",
    "ご家族（{family}様）へ電話で説明した。",
    "Ｓ：特に変わりない。Ｏ：ＳｐＯ２　{spo}％（room air）。",
)


def note(dice: random.Random, fell: bool) -> tuple[str, list[str]]:
    """One record, and the symptoms that the patient has in it, in the order of the text."""
    time = f"{dice.randrange(24)}時{dice.choice((0, 10, 20, 30, 40, 50)):02d}分"
    event = dice.choice(FELL if fell else STEADY).format(time=time, place=dice.choice(PLACES))
    symptoms = dice.sample(SYMPTOMS, 4)
    had = symptoms[: dice.choice((0, 1, 1, 2, 2))]
    lines = [dice.choice(SAID).format(symptom=symptom) for symptom in had]
    lines += [dice.choice(DENIED).format(symptom=symptom) for symptom in symptoms[3 : 3 + dice.randrange(2)]]
    dice.shuffle(lines)
    closing = dice.choice(CLOSING).format(
        doctor=dice.choice(SURNAMES), family=dice.choice(SURNAMES) + dice.choice(GIVEN), high=dice.randrange(98, 168),
        low=dice.randrange(52, 96), pulse=dice.randrange(56, 112), heat=dice.randrange(358, 384) / 10,
        spo=dice.randrange(91, 100),
    )  # fmt: skip
    parts = [event, *lines, closing] if dice.random() < 0.6 else [*lines, event, closing]
    text = ("\n" if dice.random() < 0.3 else "").join(parts)
    return text, sorted(had, key=text.find)


def write(path: Path, seed: int) -> None:
    """The workbook: one row a record, four records a patient."""
    dice = random.Random(seed)
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "看護記録"
    sheet.append(["記録番号", "患者ID", "記録日", "記録", "転倒・転落", "症状"])
    day = datetime.date(2025, 4, 1)
    for number in range(300):
        fell = dice.random() < 0.38
        text, symptoms = note(dice, fell)
        label = "あり" if fell else "なし"
        sheet.append([f"N{number + 1:04d}", f"P{number // 4 + 1:03d}", day, text, label, "、".join(symptoms)])
        day += datetime.timedelta(days=dice.randrange(3))
    sheet.column_dimensions["D"].width = 80
    workbook.properties.creator = "IgakuLM"
    # A fixed time: the same seed gives the same cells and properties.
    workbook.properties.created = workbook.properties.modified = datetime.datetime(2025, 4, 1)
    workbook.save(path)


if __name__ == "__main__":
    write(Path(__file__).with_name("notes.xlsx"), int(sys.argv[1]) if len(sys.argv) > 1 else 0)

"""A workbook as a ward keeps it, with all that Excel does to one."""

import datetime
from pathlib import Path

import openpyxl

SYMPTOMS = ("発熱", "咳嗽", "頭痛", "嘔気", "腹痛")


def write_messy_workbook(path: Path, rows: int = 60) -> None:
    """A title in merged cells, two header rows, dates, an empty row in the middle, error values, a hidden sheet.

    Rows `rows` + 1 to + 6 after the header cannot be used, or not for every task.
    """
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "記録"
    sheet.append(["転倒インシデント報告 2024年度"])
    sheet.merge_cells("A1:G1")
    sheet.append(["患者", "", "日付", "本文", "転倒 ", "症状", "備考"])
    sheet.merge_cells("A2:B2")
    sheet.append(["ID", "年齢", "", "", "", "", ""])
    for number in range(rows):
        first, second = SYMPTOMS[number % 5], SYMPTOMS[(number + 1) % 5]
        day = datetime.datetime(2024, 4, 1) + datetime.timedelta(days=number)
        fallen = number % 3 == 0
        text = f"{number}回目の訪室。{first}と{second}の訴え。\n{'床に座り込んでいた。' if fallen else '夜間は良眠。'}"
        label = ("あり", "あり ", "ｱﾘ")[number % 2] if fallen else "なし"
        sheet.append([f"P{number // 3:03d}", 60 + number % 20, day, text, label, f"{first}、{second}", "#N/A"])
        if number == rows // 2:
            sheet.append([])
    for row in (
        ["P900", 70, 45400, '=CONCATENATE("a","b")', "なし", "", ""],
        ["P901", 70, 45401, "腹部に所見なし。", "なし", "頭痛", ""],
        ["", 70, 45402, "患者のない行。発熱。", "なし", "発熱", ""],
        ["P903", 70, 45403, "同じ文の行。", "なし", "", ""],
        ["P904", 70, 45404, "同じ文の行。", "あり", "", ""],
        ["P905", 70, 45405, "咳" * 10_000, "なし", "", ""],
    ):
        sheet.append(row)
    hidden = workbook.create_sheet("控え")
    hidden.append(["本文", "転倒"])
    hidden.append(["隠れた行", "なし"])
    hidden.sheet_state = "hidden"
    workbook.save(path)

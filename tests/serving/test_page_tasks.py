"""The task tab in a real browser: marks in the text, tables, copies, options with probabilities."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from igakulm.serving.findings import fhir_like, write_findings
from page_browser import answers, opened, until
from page_server import TASKS, PageEngine, served
from tiny_bundle import encoder

TINY = encoder()
CALL = """async ([name, ...values]) => (await import("/page/records.js"))[name](...values)"""
RECORD = "𠮷田さん。発熱あり。\n発熱と咳嗽に、アセトアミノフェン500mgを内服。"


def test_findings_in_a_record(browser: Any, tmp_path: Path) -> None:
    engine = PageEngine(TINY, answers())
    with served(engine, TINY) as address, opened(browser, address) as page:
        page.click("#tab-tasks")
        page.fill("#extract-text", RECORD)
        page.press("#extract-text", "Control+Enter")
        page.wait_for_selector("#extract .result:not(:has(.waiting)) table")
        assert page.text_content(".record") == RECORD
        marks = page.locator(".record mark").evaluate_all("all => all.map((one) => [one.className, one.textContent])")
        assert marks == [
            ["k-finding", "発熱"],
            ["k-finding", "発熱"],
            ["k-finding", "咳嗽"],
            ["k-medicine", "アセトアミノフェン"],
            ["k-dose", "500mg"],
        ]
        assert page.locator(".lost li").all_text_contents() == ["=胸痛（所見・症状）"]
        lines = page.locator(".record mark, .legend mark").evaluate_all(
            "all => [...new Set(all.map((one) => one.className + getComputedStyle(one).textDecorationStyle))]"
        )
        assert len({line.split("k-")[1] for line in lines}) == 3  # each kind has its own line, not its colour only
        page.click("#extract tbody tr:nth-child(2) button")
        assert page.locator(".record mark.here").count() == 1
        entry = _entry(page, address)
        page.click("text=FHIR風JSONをコピー")
        page.wait_for_selector("text=コピーしました")
        assert json.loads(page.evaluate("navigator.clipboard.readText()")) == _fhir(entry)
        page.click("text=CSVをコピー")
        until(page, "navigator.clipboard.readText().then((text) => text.startsWith('task,'))")
        assert _table(page.evaluate("navigator.clipboard.readText()")) == _batch_table(entry, tmp_path)


def test_copies_are_what_the_batch_command_writes(browser: Any, tmp_path: Path) -> None:
    item = {"text": '=1,"2', "start": 0, "end": 5, "kind": "dose"}
    none = {"items": [], "unplaced": [], "raw": "", "cut": False, "unreadable": 0}
    results = [
        {**none, "task": "a", "kind": "dose", "items": [item, {**item, "start": 7, "end": 12}]},
        {**none, "task": "b", "kind": "dose", "items": [item], "unplaced": ["\t発熱", "\r"], "cut": True},
        {**none, "task": "c", "kind": "finding", "unreadable": 2},
        {**none, "task": "d", "kind": ""},
    ]
    entry = {"number": 1, "id": "1", "problem": "", "results": results}
    with served(PageEngine(TINY, {}), TINY) as address, opened(browser, address) as page:
        assert page.evaluate(CALL, ["fhirLike", results]) == _fhir(entry)
        assert _table(page.evaluate(CALL, ["csv", results])) == _batch_table(entry, tmp_path)


def _fhir(entry: dict[str, Any]) -> dict[str, Any]:
    """As the batch command writes it, without the record's id."""
    return {key: value for key, value in fhir_like(entry).items() if key != "identifier"}


def _batch_table(entry: dict[str, Any], folder: Path) -> list[list[str]]:
    write_findings(folder / "out.csv", [entry], "csv")
    return [row[2:] for row in _table((folder / "out.csv").read_bytes().decode())]


def _table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def _entry(page: Any, address: str) -> dict[str, Any]:
    """What the batch command would journal for the same answers."""
    results = []
    for task in TASKS:
        if task.kind == "extract":
            answer = page.request.post(f"{address}/api/extract", data={"task": task.name, "text": RECORD}).json()
            results.append({"task": task.name, "kind": task.kind_of_item, **answer})
    return {"number": 1, "id": "1", "problem": "", "results": results}


def test_segments_and_lists(browser: Any) -> None:
    with served(PageEngine(TINY, {}), TINY) as address, opened(browser, address) as page:
        inner = {"text": "発熱", "start": 1, "end": 3, "kind": "finding"}
        outer = {"text": "𠮷発熱あり", "start": 0, "end": 4, "kind": "m"}
        crossing = {"text": "熱あ", "start": 2, "end": 4, "kind": "dose"}
        outside = {"text": "?", "start": 3, "end": 99, "kind": "dose"}
        parts = page.evaluate(CALL, ["segments", "𠮷発熱あり", [inner, outer, crossing, outside]])
        assert [part["text"] for part in parts] == ["𠮷", "発", "熱", "あ", "り"]
        assert [len(part["items"]) for part in parts] == [1, 2, 3, 2, 0]
        assert page.evaluate(CALL, ["segments", "", []]) == []
        for text, lines in (
            ("a. 甲\nb．乙\n", ["甲", "乙"]),
            ("１　甲\n２　乙", ["甲", "乙"]),
            ("ａ 甲\nｂ 乙", ["甲", "乙"]),
            ("A 型\nB 型", ["A 型", "B 型"]),
            ("(A) 甲\n③乙", ["甲", "乙"]),
            ("アスピリン\nb. 乙", ["アスピリン", "b. 乙"]),
            ("Aβ蛋白\nCRP", ["Aβ蛋白", "CRP"]),
            ("1.5 mg\n2.5 mg", ["1.5 mg", "2.5 mg"]),
        ):
            assert page.evaluate(CALL, ["optionLines", text]) == lines, text


def test_options_with_their_probabilities(browser: Any) -> None:
    engine = PageEngine(TINY, {})
    with served(engine, TINY) as address, opened(browser, address) as page:
        page.click("#tab-tasks")
        page.press("#tab-extract", "End")
        page.click("#exam >> text=例文を入れる")
        page.click("#exam button.primary")
        page.wait_for_selector("#exam .bars")
        shares = page.locator("#exam .bars .number").all_text_contents()
        assert len(shares) == 5 and abs(sum(float(share.split()[0]) for share in shares) - 100) < 0.3
        assert page.locator("#exam .chosen .label").all_text_contents() == ["インスリンモデルの答え"]
        assert "A. インスリン" in engine.prompts[-1] and "a. " not in engine.prompts[-1]
        widths = page.locator("#exam .track i").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().width)"
        )
        assert widths == sorted(widths, reverse=True) and widths[0] > 5 * widths[1]
        page.select_option("#exam [name=wanted]", "2")
        page.click("#exam button.primary")
        until(page, "document.querySelectorAll('#exam .chosen').length === 2")
        page.fill("#exam-choices", "甲")
        page.click("#exam button.primary")
        page.wait_for_selector("#exam .error")
        for kind, texts in (("compare", ["文1", "文2"]), ("classify", ["投稿"])):
            page.click(f"#tab-{kind}")
            page.click(f"#{kind} >> text=例文を入れる")
            page.click(f"#{kind} button.primary")
            page.wait_for_selector(f"#{kind} .bars .chosen")
            assert all(text in engine.prompts[-1] for text in texts)


def test_a_text_that_is_too_long_for_the_model(browser: Any) -> None:
    engine = PageEngine(TINY, answers(), context_length=128)
    with served(engine, TINY) as address, opened(browser, address, allow="400") as page:
        page.click("#tab-tasks")
        page.click("#tab-compare")
        page.fill("#compare-first", "糖尿病" * 200)
        page.fill("#compare-second", "咳")
        page.click("#compare button.primary")
        page.wait_for_selector("#compare .error:has-text('一度に読める長さ')")

"""What the page keeps in the browser, and what a clinician does with an answer: rewrite, ask again, export, print."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from docx import Document

from page_browser import ASKED, SAID, answered, answers, ask, opened, ready, until
from page_server import PageEngine, served
from tiny_bundle import encoder

TINY = encoder()
MORE = {"腎症はなぜ": "血糖が高いためです。"}


def test_reload_and_back_lose_nothing(browser: Any) -> None:
    with served(PageEngine(TINY, answers(MORE)), TINY) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        answered(page)
        page.fill("#question", "書きかけ")
        page.click("#tab-tasks")
        page.fill("#extract-text", "発熱の記録")
        page.click("#tab-model")
        page.go_back()
        page.wait_for_selector("#tasks:not([hidden])")
        page.reload()
        ready(page)
        assert page.is_visible("#tasks") and page.input_value("#extract-text") == "発熱の記録"
        page.click("#tab-chat")
        assert page.input_value("#question") == "書きかけ"
        assert page.text_content(".asked .text") == ASKED and page.text_content(".answer .text") == SAID
        ask(page, "腎症はなぜ起こりますか。")
        answered(page, 2)
        page.click("#fresh")
        assert page.locator(".answer").count() == 0
        page.click("#history summary")
        page.click("#talks .title")
        assert page.locator(".answer .text").all_text_contents() == [SAID, MORE["腎症はなぜ"]]


def test_where_conversations_are_kept_is_the_users_choice(browser: Any) -> None:
    stored = "[localStorage.getItem('igakulm') !== null, sessionStorage.getItem('igakulm') !== null]"
    with served(PageEngine(TINY, answers()), TINY) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        answered(page)
        assert page.evaluate(stored) == [False, True]
        page.click("#settings summary")
        page.select_option("#keep", "browser")
        assert page.evaluate(stored) == [True, False]
        page.select_option("#keep", "off")
        assert page.evaluate(stored) == [False, False] and page.text_content(".answer .text") == SAID
        page.reload()
        ready(page)
        assert page.locator(".answer").count() == 0 and page.input_value("#keep") == "off"
        page.click("#settings summary")
        page.select_option("#keep", "tab")
        ask(page)
        answered(page)
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("#history summary")
        page.click("#delete-all")
        assert page.evaluate(stored) == [False, False] and page.is_hidden("#history")
        assert page.locator(".answer").count() == 0


def test_a_question_is_rewritten_and_an_answer_asked_for_again(browser: Any) -> None:
    engine = PageEngine(TINY, answers(MORE))
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        page.click("#settings summary")
        page.fill("#system", "短く答える。")
        page.click("#settings summary")
        for number, question in enumerate((ASKED, "足は。", "目は。"), 1):
            ask(page, question)
            answered(page, number)
        assert all("短く答える。" in prompt for prompt in engine.prompts)
        assert "トークン、毎秒" in page.text_content(".answer .foot")
        page.locator(".edit").nth(1).click()
        assert page.input_value("#question") == "足は。" and page.is_visible("#editing")
        page.press("#question", "Escape")
        assert page.is_hidden("#editing") and page.locator(".answer").count() == 3
        page.locator(".edit").nth(1).click()
        ask(page, "腎症はなぜ起こりますか。")
        assert answered(page, 2).text_content() == MORE["腎症はなぜ"]
        assert page.locator(".asked .text").all_text_contents() == [ASKED, "腎症はなぜ起こりますか。"]
        assert "足は。" not in engine.prompts[-1] and ASKED in engine.prompts[-1]
        page.locator(".again").nth(1).click()
        until(page, "document.querySelectorAll('.again').length === 2")
        assert engine.prompts[-1].count("腎症はなぜ") == 1 and page.locator(".answer").count() == 2


def test_what_was_to_be_replaced_comes_back_when_the_answer_fails(browser: Any) -> None:
    engine = PageEngine(TINY, answers())
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        answered(page)
        engine.failures = 1
        page.click(".again")
        page.wait_for_selector("#trouble .error:has-text('起動し直しています')")
        assert page.locator(".answer .text").all_text_contents() == [SAID]
        boxes = [page.locator(name).bounding_box() for name in ("#trouble .error", "#question")]
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] and boxes[1]["y"] < 800
        engine.failures = 1
        page.click(".edit")
        ask(page, f"{ASKED}もっと")
        page.wait_for_selector("#trouble .error:has-text('起動し直しています')")
        assert page.input_value("#question") == f"{ASKED}もっと"
        assert page.locator(".asked .text").all_text_contents() == [ASKED]


def test_a_conversation_and_paper_say_which_model_and_when(browser: Any, tmp_path: Path) -> None:
    facts = {"digest": "0123456789abcdef" * 4}
    with served(PageEngine(TINY, answers()), TINY, description=facts) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        answered(page)
        page.click("#history summary")
        with page.expect_download() as download:
            page.click("#export")
        download.value.save_as(tmp_path / "talk.md")
        text = (tmp_path / "talk.md").read_text(encoding="utf-8")
        assert ASKED in text and SAID in text and "byoto-1b（ダイジェスト 0123456789ab）" in text and "誤ること" in text
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert "0123456789ab" in page.text_content("#printed") and page.is_visible("#printed")
        assert page.is_hidden("#composer") and page.is_visible(".answer .text")


def docx(*paragraphs: str) -> bytes:
    document, out = Document(), io.BytesIO()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.save(out)
    return out.getvalue()


def test_a_file_fills_the_task(browser: Any, tmp_path: Path) -> None:
    with served(PageEngine(TINY, answers()), TINY) as address, opened(browser, address) as page:
        page.click("#tab-tasks")
        files = {
            "a.txt": "発熱\r\nあり".encode(),
            "b.txt": "咳嗽あり".encode("cp932"),
            "c.docx": docx("一段落目　発熱", "二段落目\t咳嗽"),
        }
        for (name, content), wanted in zip(
            files.items(), ("発熱\nあり", "咳嗽あり", "一段落目　発熱\n二段落目\t咳嗽"), strict=True
        ):
            page.set_input_files("#extract [type=file]", {"name": name, "mimeType": "", "buffer": content})
            until(page, f"document.getElementById('extract-text').value === {json.dumps(wanted)}")
        table = '番号,本文\r\n1,"発熱、""38.5℃""\r\nあり"\r\n2,頭痛を訴える。\r\n'.encode("utf-8-sig")
        page.evaluate(
            """([bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "notes.csv"));
                const area = document.getElementById("extract-text");
                area.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            [list(table)],
        )
        until(page, """document.getElementById('extract-text').value === '発熱、"38.5℃"\\nあり'""")
        page.select_option("#extract .rows select", "1")
        assert page.input_value("#extract-text") == "頭痛を訴える。" and "「本文」の列" in page.text_content(
            "#extract .rows"
        )
        broken = io.BytesIO()
        with zipfile.ZipFile(broken, "w") as archive:
            archive.writestr("other.xml", "a")
        for name, content in {
            "x.docx": broken.getvalue(),
            "y.docx": b"PK",
            "z.pdf": b"%PDF",
            "e.csv": b"a,b\n",
        }.items():
            page.set_input_files("#extract [type=file]", {"name": name, "mimeType": "", "buffer": content})
            page.wait_for_selector("#extract .rows .error")
            assert page.input_value("#extract-text") == "頭痛を訴える。"

"""Conversations in a real browser against a real server: nothing leaves the machine, what a model says stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from igakulm.serving.dispatcher import Limits
from page_browser import ASKED, MARKUP, SAID, answered, answers, ask, opened, ready, until
from page_server import TASKS, PageEngine, served
from tiny_bundle import encoder

TINY = encoder()


def test_a_conversation(browser: Any) -> None:
    engine = PageEngine(TINY, answers({"腎症はなぜ": "血糖が高いためです。"}))
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        assert page.title() == "byoto-1b – IgakuLM"
        page.fill("#question", "糖尿病の")
        page.press("#question", "End")
        page.press("#question", "Shift+Enter")
        assert page.input_value("#question") == "糖尿病の\n" and engine.prompts == []
        ask(page)
        assert answered(page).text_content() == SAID
        assert page.input_value("#question") == ""
        page.click("text=コピー")
        page.wait_for_selector("text=コピーしました")
        assert page.evaluate("navigator.clipboard.readText()") == SAID
        ask(page, "腎症はなぜ起こりますか。")
        assert answered(page, 2).text_content() == "血糖が高いためです。"
        assert ASKED in engine.prompts[1] and SAID in engine.prompts[1]
        assert page.text_content("#status") == "血糖が高いためです。"  # for screen readers
        page.click("#fresh")
        assert page.locator(".answer").count() == 0 and page.is_visible("#welcome")
        ask(page, "腎症はなぜ起こりますか。")
        answered(page)
        assert ASKED not in engine.prompts[2]


def test_enter_that_ends_a_composition_sends_nothing(browser: Any) -> None:
    engine = PageEngine(TINY, answers())
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        page.focus("#question")
        page.evaluate("addEventListener('keydown', (e) => { window.seen = [e.key, e.isComposing, e.keyCode]; }, true)")
        keys = page.context.new_cdp_session(page)
        keys.send("Input.imeSetComposition", {"text": "とうにょう", "selectionStart": 5, "selectionEnd": 5})
        page.keyboard.press("Enter")
        assert page.evaluate("window.seen")[:2] == ["Enter", True]
        assert page.locator(".asked").count() == 0
        keys.send("Input.insertText", {"text": "糖尿病の合併症"})
        # Safari ends the composition before the key; only the key's code tells.
        page.evaluate("""document.getElementById("question").dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", keyCode: 229, bubbles: true, cancelable: true}))""")
        assert page.locator(".asked").count() == 0
        page.keyboard.press("Enter")
        answered(page)
        assert page.text_content(".asked .text").startswith("糖尿病の合併症")


@pytest.mark.parametrize("how", ["button", "escape"])
def test_an_answer_can_be_stopped(browser: Any, how: str) -> None:
    engine = PageEngine(TINY, answers())
    engine.gate.clear()
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        until(page, "document.querySelector('.answer .text').textContent.length > 0")
        assert page.is_hidden("#send")
        ask(page, "二つ目")  # one at a time: stays in the field
        assert page.locator(".asked").count() == 1 and page.input_value("#question") == "二つ目"
        if how == "button":
            page.click("#stop")
        else:
            page.press("#question", "Escape")
        page.wait_for_selector("text=停止しました。")
        said = answered(page).text_content()
        assert said and SAID.startswith(said) and said != SAID
        engine.gate.set()
        assert engine.closed.wait(60)
        assert page.is_visible("#send") and page.is_hidden("#stop")


def test_what_a_model_says_is_never_markup(browser: Any) -> None:
    hostile = {task.prefix[:16]: json.dumps([MARKUP, "発熱"], ensure_ascii=False) for task in TASKS}
    engine = PageEngine(TINY, {ASKED[:8]: MARKUP, **{key: text for key, text in hostile.items() if key}})
    facts = {"model": {"architecture": MARKUP}, "versions": {MARKUP: MARKUP}}
    with served(engine, TINY, description=facts) as address, opened(browser, address) as page:
        ready(page)
        ask(page, ASKED + MARKUP)
        assert answered(page).text_content() == MARKUP
        page.click("#tab-tasks")
        page.fill("#extract-text", f"発熱 {MARKUP}")
        page.click("#extract button.primary")
        page.wait_for_selector("#extract .result:not(:has(.waiting)) table")
        assert page.text_content(".record") == f"発熱 {MARKUP}"
        page.click("#tab-model")
        assert MARKUP in page.text_content("#model .facts")
        assert page.locator("main img, main script, main a").count() == 0


def test_refusals_in_words(browser: Any) -> None:
    engine = PageEngine(TINY, answers())
    limits = Limits(queue=0, body_bytes=4000)
    with served(engine, TINY, limits=limits) as address, opened(browser, address, allow="4(29|13)") as page:
        ready(page)
        engine.gate.clear()
        with opened(browser, address) as other:
            ready(other)
            ask(other)
            until(other, "document.querySelector('.answer .text').textContent.length > 0")
            ask(page)
            page.wait_for_selector(".error:has-text('順番待ちもいっぱい')")
            engine.gate.set()
            answered(other)
        page.click("text=もう一度送る")
        assert answered(page).text_content() == SAID
        assert page.locator(".error:visible").count() == 0 and page.locator(".asked").count() == 1
        ask(page, "長い" * 1000)
        page.wait_for_selector(".error:has-text('サーバーが受け取れません')")


def test_an_engine_that_fails_within_an_answer(browser: Any) -> None:
    engine = PageEngine(TINY, answers())
    engine.failures = 1
    with served(engine, TINY) as address, opened(browser, address) as page:
        ready(page)
        ask(page)
        page.wait_for_selector(".error:has-text('起動し直しています')")
        said = page.text_content(".answer .text")
        assert said and SAID.startswith(said)
        page.click("text=もう一度送る")
        assert answered(page).text_content() == SAID
        ask(page, "続けて。")
        answered(page, 2)
        assert engine.prompts[-1].count(ASKED) == 1


def test_a_server_that_has_gone(browser: Any) -> None:
    engine = PageEngine(TINY, answers())
    with served(engine, TINY) as address:
        context = opened(browser, address, allow="ERR_")
        page = context.__enter__()
        ready(page)
    ask(page)
    page.wait_for_selector(".error:has-text('サーバーにつながりません')")
    context.__exit__(None, None, None)


def test_old_turns_make_room(browser: Any) -> None:
    engine = PageEngine(TINY, answers({"短く": "はい。"}), context_length=200)
    with served(engine, TINY) as address, opened(browser, address, allow="400") as page:
        ready(page)
        for number in (1, 2, 3):
            ask(page, f"{ASKED * 2}{number}")
            answered(page, number)
        page.wait_for_selector("text=古いやり取りを除いて送りました")
        assert f"{ASKED}1" not in engine.prompts[-1] and f"{ASKED}3" in engine.prompts[-1]
        ask(page, "長" * 900)
        page.wait_for_selector(".error:has-text('一度に読める長さ')")


def test_a_key_is_asked_for_and_kept_in_memory_only(browser: Any) -> None:
    engine, key = PageEngine(TINY, answers()), "secret-key-of-the-ward"
    with served(engine, TINY, api_key=key) as address, opened(browser, address, allow="401") as page:
        page.wait_for_selector("#key-dialog[open]")
        assert page.evaluate("document.activeElement.id") == "key"
        page.fill("#key", "wrong-key-0123456")
        page.press("#key", "Enter")
        page.wait_for_selector("#key-wrong:visible")
        page.fill("#key", key)
        page.click("text=続ける")
        ready(page)
        assert page.is_hidden("#key-dialog") and page.input_value("#key") == ""
        ask(page)
        assert answered(page).text_content() == SAID
        page.reload()
        page.wait_for_selector("#key-dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("#offline:has-text('APIキーが必要です')")

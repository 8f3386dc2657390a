"""A page opened in a browser whose network is blocked but for the server, and what tests do with it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from page_server import TASKS

ASKED = "糖尿病の主な合併症を挙げてください。"
SAID = "網膜症、腎症、神経障害です。\n足の観察も大切です。"
MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>**太字** [a](javascript:hacked)'
LISTS = {"finding": '["発熱", "咳嗽", "=胸痛"]', "medicine": '["アセトアミノフェン"]', "dose": '["500mg"]'}


def answers(extra: dict[str, str] | None = None) -> dict[str, str]:
    lists = {task.prefix[:16]: LISTS[task.kind_of_item] for task in TASKS if task.kind == "extract"}
    return {**(extra or {}), **lists, ASKED[:8]: SAID}


@contextmanager
def opened(browser: Any, address: str, *, width: int = 1280, scheme: str = "light", allow: str = "") -> Iterator[Any]:
    """A page whose network is blocked but for the server. No foreign request, error or policy violation may occur."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale="ja-JP", reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    asked, complaints = [], []

    def route(handler: Any, request: Any) -> None:
        if request.url.startswith(f"{address}/"):
            handler.continue_()
        else:
            asked.append(request.url)
            handler.abort()

    context.route("**/*", route)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        page.goto(address)
        yield page
        assert asked == []
        assert [text for text in complaints if not (allow and re.search(allow, text))] == []
        assert page.evaluate("window.hacked") is None
        kept = "[localStorage.length, Object.keys(sessionStorage).filter((key) => key !== 'igakulm'), document.cookie]"
        assert page.evaluate(kept) == [0, [], ""]  # but for what the page keeps until the tab is closed
    finally:
        context.close()


def ask(page: Any, text: str = ASKED) -> None:
    page.fill("#question", text)
    page.press("#question", "Enter")


def ready(page: Any) -> None:
    page.wait_for_selector("#model-name:not(:empty)")


def until(page: Any, expression: str, seconds: float = 120) -> None:
    """Wait until a JavaScript expression holds; playwright's own way needs `eval`, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(25)


def answered(page: Any, number: int = 1) -> Any:
    until(page, f"document.querySelectorAll('.answer:not([aria-busy])').length >= {number}")
    return page.locator(".answer .text").last

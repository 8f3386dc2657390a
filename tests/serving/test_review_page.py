"""The review page in a real browser: keys only, mouse, and a server that is killed between decisions."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igakulm.serving.review_routes import review_app
from igakulm.tasks.own.decisions import decisions_of
from igakulm.tasks.own.rows import read_own_rows
from page_browser import opened, until
from page_server import running
from review_server import TEXTS, ward, ward_review

READY = "document.querySelector('#case') && !document.querySelector('#case').hidden"
IDLE = "!document.querySelector('#work').hasAttribute('aria-busy')"


def shown(page: Any) -> str:
    until(page, f"{READY} && {IDLE}")
    return str(page.text_content("#record"))


def moved(page: Any, text: str) -> None:
    """Wait until another row is shown, or that there is none, or why not."""
    other = f"document.querySelector('#record').textContent !== {json.dumps(text)}"
    told = "['#problem', '#empty'].some((name) => !document.querySelector(name).hidden)"
    until(page, f"{IDLE} && ({other} || {told})")


def to_text(page: Any, text: str) -> None:
    """Go to a row without the mouse."""
    for key in ("n", "p"):
        for _ in TEXTS:
            if shown(page) == text:
                return
            before = shown(page)
            page.keyboard.press(key)
            moved(page, before)


def by_row(task_file: Any, task: str) -> dict[int, tuple[str, ...]]:
    return {row.row: row.answers[task] for row in read_own_rows(task_file).rows if task in row.answers}


def test_keys_only(browser: Any, tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    with running(review_app(ward_review(task_file))) as address, opened(browser, address) as page:
        decided = {}
        for _ in TEXTS:
            text = shown(page)
            key, label = ("1", "あり") if "転倒" in text else ("2", "なし")
            page.keyboard.press(key)
            page.keyboard.press("Enter")
            decided[TEXTS.index(text) + 1] = (label,)
            moved(page, text)
        assert by_row(task_file, "fall") == decided and len(decided) == len(TEXTS)
        until(page, "!document.querySelector('#empty').hidden")
        page.keyboard.press("u")
        assert shown(page) == text
        assert "5 件のうち 4 件を決定" in page.text_content("#progress")
        page.keyboard.press("s")
        until(page, "document.querySelector('#progress').textContent.includes('保留 1')")
        assert [one.outcome for one in decisions_of(task_file).lines][-2:] == ["withdrawn", "skipped"]


def test_spans_by_keys_count_characters_and_not_code_units(browser: Any, tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    with running(review_app(ward_review(task_file))) as address, opened(browser, address) as page:
        shown(page)
        page.select_option("#task", "symptom")
        until(page, IDLE)
        page.focus("#record")
        to_text(page, TEXTS[0])
        page.focus("#record")
        page.keyboard.press(".")
        page.keyboard.press("Delete")
        assert page.locator("#record mark").count() == 0
        for key in ["ArrowRight"] * 7 + ["Shift+ArrowRight"] * 5 + ["Space"]:
            page.keyboard.press(key)
        assert page.locator("#record mark").all_text_contents() == [TEXTS[0][7:12]]
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#progress').textContent.includes('直した 1')")
    (line,) = decisions_of(task_file).lines
    assert line.answer is not None and [(one.start, one.end) for one in line.answer.spans] == [(7, 12)]
    assert by_row(task_file, "symptom")[1] == (TEXTS[0][7:12],)


def test_spans_by_mouse(browser: Any, tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    with running(review_app(ward_review(task_file))) as address, opened(browser, address) as page:
        shown(page)
        page.select_option("#task", "symptom")
        until(page, IDLE)
        page.focus("#record")
        to_text(page, TEXTS[4])
        page.locator("#record mark").click()
        assert page.locator("#record mark").count() == 0
        place = page.evaluate(
            """() => { const range = document.createRange(); const walk = document.createTreeWalker(
                document.querySelector('#record'), NodeFilter.SHOW_TEXT); let node, from;
                while ((node = walk.nextNode()) && (from = node.data.indexOf('咳嗽あり')) < 0);
                range.setStart(node, from); range.setEnd(node, from + 4);
                const box = range.getBoundingClientRect(); return [box.left, box.right, box.top + box.height / 2]; }"""
        )
        page.mouse.move(place[0] + 1, place[2])
        page.mouse.down()
        page.mouse.move(place[1] - 1, place[2], steps=5)
        page.mouse.up()
        assert page.locator("#record mark").all_text_contents() == ["咳嗽あり"]
        page.click("#accept")
        until(page, "document.querySelector('#progress').textContent.includes('直した 1')")
        page.screenshot(path=os.environ.get("REVIEW_SHOT", str(tmp_path / "shot.png")))
    assert by_row(task_file, "symptom")[5] == ("咳嗽あり",)


def test_a_server_that_is_killed_loses_no_decision(browser: Any, tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    with opened_with(browser, address, tmp_path / "task.yaml", port) as (page, server):
        for count in (1, 2):
            text = shown(page)
            page.keyboard.press("1")
            page.keyboard.press("Enter")
            until(page, f"document.querySelector('#progress').textContent.includes('{count} 件を決定')")
            until(page, f"{IDLE} && document.querySelector('#record').textContent !== {text!r}")
            assert len(decisions_of(task_file).lines) == count
            server.kill()
            server.wait()
            left = shown(page)
            page.keyboard.press("Enter")
            until(page, "!document.querySelector('#problem').hidden")
            assert "保存されていないことがあります" in page.text_content("#problem") and shown(page) == left
            assert len(decisions_of(task_file).lines) == count
            server = started(tmp_path / "task.yaml", port)
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#progress').textContent.includes('3 件を決定')")
        assert len(decisions_of(task_file).lines) == 3
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def started(task_file: Path, port: int) -> subprocess.Popen[bytes]:
    script = Path(__file__).parents[1] / "review_server.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    server = subprocess.Popen([sys.executable, str(script), str(task_file), str(port)], env=environment)
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
            return server
        except OSError:
            assert server.poll() is None and time.monotonic() < end
            time.sleep(0.1)


@contextmanager
def opened_with(browser: Any, address: str, task_file: Path, port: int) -> Iterator[Any]:
    server = started(task_file, port)
    try:
        with opened(browser, address, allow="ERR_CONNECTION_REFUSED") as page:
            yield page, server
    finally:
        server.kill()
        server.wait()

"""The pages in Chromium: no sideways scrolling on a phone, cells below the menu, few sheets, opened at once."""

from __future__ import annotations

import importlib.util
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igakulm.report.evaluation import build_evaluation_report
from igakulm.report.words import LANGUAGES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None, reason="no Chromium or no playwright here"
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from report_board import write_board

    found = tmp_path_factory.mktemp("board")
    write_board(found)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_needs_no_sideways_scrolling(browser: Any, folder: Path, language: Any) -> None:
    path = build_evaluation_report(folder, "八課題" * 9, language)
    page = browser.new_page(viewport=PHONE)
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.name = ''; one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()


def test_sticky_cells_pass_below_the_menu(browser: Any, folder: Path) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(build_evaluation_report(folder, "t").as_uri())
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    over_menu = """(row) => {
        window.scrollTo(0, row.getBoundingClientRect().top + window.scrollY - 8);
        const nav = document.querySelector('nav').getBoundingClientRect();
        const hit = document.elementFromPoint(30, nav.top + nav.height / 2);
        return hit.closest('nav') === null;
    }"""
    rows = page.query_selector_all("table.scores tbody th[scope=row]")[:12]
    assert rows and not any(page.evaluate(over_menu, row) for row in rows)
    page.close()


def test_what_is_closed_is_not_printed(browser: Any, folder: Path, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(build_evaluation_report(folder, "t").as_uri())
    page.emulate_media(media="print")
    hidden = page.evaluate(
        "[...document.querySelectorAll('details.bulk:not([open])')].every(one => one.getClientRects().length === 0)"
    )
    assert hidden and page.query_selector("details.bulk:not([open])") is not None
    page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 1 <= sheets <= 14  # eight tasks on three splits, four models asked in two ways
    page.close()


@pytest.mark.slow
def test_five_models_on_20_000_items_open_within_two_seconds(browser: Any, tmp_path: Path) -> None:
    from report_board import MODELS, write_board

    write_board(tmp_path, MODELS | {"fifth": 0.4}, n=20_000, choice={"quiz": 4}, entities=("disease",))
    path = build_evaluation_report(tmp_path, "t")
    page = browser.new_page()
    start = time.monotonic()
    page.goto(path.as_uri(), wait_until="load")
    assert time.monotonic() - start < 2
    page.close()

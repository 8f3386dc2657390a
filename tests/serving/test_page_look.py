"""How the page is used and seen: keyboard, names of controls, contrast, narrow windows, the model tab, its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from igakulm.serving.page_routes import page_files
from page_browser import answered, answers, ask, opened, ready
from page_server import PageEngine, served
from tiny_bundle import encoder

TINY = encoder()


def test_tabs_by_keyboard(browser: Any) -> None:
    with served(PageEngine(TINY, answers()), TINY) as address, opened(browser, address) as page:
        ready(page)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Tab")
        for key, panel in (("ArrowRight", "tasks"), ("End", "model"), ("ArrowRight", "chat"), ("ArrowLeft", "model")):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.getAttribute('aria-controls')") == panel
            visible = (
                "[...document.querySelectorAll('main > section')].filter((one) => !one.hidden).map((one) => one.id)"
            )
            assert page.evaluate(visible) == [panel]
            outline = "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{outline}.outlineWidth") == "solid3px"
        page.reload()
        assert page.is_visible("#model")
        page.keyboard.press("Home")


def test_every_control_has_a_name_and_every_stop_is_seen(browser: Any) -> None:
    with served(PageEngine(TINY, answers()), TINY) as address, opened(browser, address) as page:
        ready(page)
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
        assert len(ids) == len(set(ids))
        for tab in ("chat", "tasks", "model"):
            page.click(f"#tab-{tab}")
            controls = page.locator("button:visible, select:visible, textarea:visible, input:visible")
            names = controls.evaluate_all("""all => all.map((one) => one.getAttribute("aria-label")
                || [...(one.labels ?? [])].map((label) => label.textContent.trim()).join()
                || one.textContent.trim())""")
            assert names and all(names)
        page.click("#tab-chat")
        page.focus("#tab-chat")
        stops = []
        for _ in range(8):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert stops[:3] == page.locator("#starters button").all_text_contents()
        assert stops[3:5] == ["question", "send"] and {"設定", "fresh"} <= set(stops[5:])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_the_palette(browser: Any, scheme: str) -> None:
    text = [
        ("ink", "paper"),
        ("ink", "faint"),
        ("ink", "tint"),
        ("quiet", "paper"),
        ("quiet", "tint"),
        ("quiet", "faint"),
    ]
    text += [("accent", "paper"), ("accent", "tint"), ("accent", "faint"), ("on-accent", "accent"), ("second", "paper")]
    text += [("quiet", "faint"), ("on-notice", "notice"), ("bad", "bad-paper")]
    text += [("on-mark", kind) for kind in ("finding", "medicine", "dose", "other")]
    shapes = [("edge", "paper"), ("grey", "paper"), ("accent", "line"), ("mark-line", "finding"), ("grey", "line")]
    with served(PageEngine(TINY, {}), TINY) as address, opened(browser, address, scheme=scheme) as page:
        style = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()"

        def light(name: str) -> float:
            value = page.evaluate(style, name)
            digits = value[1:] if len(value) == 7 else "".join(2 * digit for digit in value[1:])
            parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
            linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        for pairs, least in ((text, 4.5), (shapes, 3.0)):
            for first, second in pairs:
                low, high = sorted((light(first), light(second)))
                assert (high + 0.05) / (low + 0.05) >= least, (scheme, first, second, (high + 0.05) / (low + 0.05))


def test_a_narrow_window(browser: Any) -> None:
    with served(PageEngine(TINY, answers()), TINY) as address, opened(browser, address, width=360) as page:
        ready(page)
        ask(page)
        answered(page)
        for tab in ("chat", "tasks", "model"):
            page.click(f"#tab-{tab}")
            assert page.evaluate("document.documentElement.scrollWidth") == 360
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            notice = page.locator(".notice").bounding_box()
            assert notice and notice["y"] >= 0 and notice["y"] + notice["height"] < 200
            for words in ("誤ることがあります", "診断や治療の判断には使えません", "医療機器ではありません"):
                assert words in page.text_content(".notice")
            page.evaluate("scrollTo(0, 0)")
        small = page.locator("button:visible").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().height < 24).map((one) => one.textContent)"
        )
        assert small == []


def test_the_page_is_small_and_names_no_other_host() -> None:
    files = {name: content.decode() for name, (content, _) in page_files().items()}
    assert sum(len(text.encode()) for name, text in files.items() if not name.endswith(".css")) < 90_000
    allowed = {"http://www.w3.org/2000/svg", "http://terminology.hl7.org/CodeSystem/condition-ver-status"}
    for name, text in files.items():
        assert set(re.findall(r"""https?://[^\s"'`)]+""", text)) <= allowed, name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (name, word)
        assert ("Storage" in text) == (name == "store.js"), name  # one file knows what stays in the browser
    index = files["index.html"]
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style", index)
    areas = re.findall(r"<textarea[^>]*>", index)
    # A browser may send what is typed to its maker for spelling or suggestions, or keep it for a restart.
    assert areas and all('spellcheck="false" autocomplete="off" writingsuggestions="false"' in area for area in areas)


def test_scores_as_plots_with_intervals(browser: Any, tmp_path: Path) -> None:
    row = {"task": "posts", "kind": "choice", "split": "published", "metric": "kappa", "n": 100}
    rows = [
        {**row, "model": "tuned", "role": "model", "value": 0.4, "low": 0.2, "high": 0.7},
        {**row, "model": "base", "role": "model", "value": -0.1, "low": -0.3, "high": 0.1},
        {**row, "model": "majority", "role": "baseline", "value": 0.0, "low": 0.0, "high": 0.0},
        {**row, "model": "tuned", "role": "model", "metric": "accuracy", "value": 0.8, "low": 0.7, "high": 0.9},
        {**row, "model": "tuned", "role": "model", "metric": "kappa_upstream", "value": 0.3, "low": 0.1, "high": 0.5},
    ]
    published = [{**row, "metric": "kappa_upstream", "model": f"<b>{value}", "value": value} for value in (0.1, 0.9)]
    (tmp_path / "evaluation").mkdir()
    board = json.dumps({"rows": rows, "published": published})
    (tmp_path / "evaluation" / "scoreboard.json").write_text(board, encoding="utf-8")
    with served(PageEngine(TINY, {}), TINY, tmp_path) as address, opened(browser, address) as page:
        ready(page)
        page.click("#tab-model")
        lines = page.locator(".plot tbody tr").evaluate_all("all => all.map((one) => [one.className, one.innerText])")
        # Published figures have a plot of their own, beside ours in the metric that their authors computed.
        assert [kind for kind, _ in lines] == ["ours", "untuned", "baseline", "ours", "published"]
        words = [re.sub(r"\s+", " ", text) for _, text in lines]
        assert words[0] == "調整後モデル 0.40 [0.20, 0.70]" and words[4] == "公表値（2モデル） 0.10–0.90"
        captions = page.locator(".plot caption small").all_inner_texts()
        assert len(captions) == 2 and "公表版のκ" in captions[1] and "公表版" not in captions[0]
        places = (
            page.locator(".plot")
            .first.locator(".ours .interval, .ours .grid")
            .evaluate_all("all => all.map((one) => [one.getAttribute('class'), parseFloat(one.getAttribute('x1'))])")
        )
        ticks = [place for kind, place in places if kind == "grid"]  # -0.4 to 1.0
        start = next(place for kind, place in places if kind == "interval")
        assert len(ticks) == 8 and abs(start - ticks[3]) < 0.1
        assert page.locator(".plot .published .mark").count() == 2
        page.click("text=すべての値")
        assert page.locator("details[open] table:not(.plot) tbody tr").count() == 7

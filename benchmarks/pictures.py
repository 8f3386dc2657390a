"""Pictures of README and docs, made from a quickstart's own bundle and report: `make pictures`.

Does: serve the bundle, ask it what `igakulm demo` asks, photograph page and report in Chromium at fixed sizes, and
write beside the pictures what they show (docs/pictures.json). Does not: train, or choose an answer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from served import served

from igakulm.manifest import read_manifest
from igakulm.serving.demo import QUESTION, RECORD

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
SIDECAR = "pictures.json"
WIDE, TALL, NARROW = (1200, 760), (1200, 1120), (390, 1120)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def sources_digest(project: Path = PROJECT) -> str:
    """Of what the quickstart is made from: its recipe and the samples."""
    rows = (path for path in (project / "samples").rglob("*") if path.suffix in (".jsonl", ".tsv"))
    paths = [project / "recipes" / "quickstart.yaml", *sorted(rows)]
    found = hashlib.sha256()
    for path in paths:
        found.update(path.relative_to(project).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def figures(run: Path) -> dict[str, Any]:
    """What the report of a run says of each task, and how many tasks are above a baseline."""
    manifest = read_manifest(run / "report")
    if manifest is None:
        raise SystemExit(f"{run}: no finished report; run `make quickstart` first")
    keys = ("tasks", "above_guessing", "above_best_baseline", "headline")
    return {key: manifest.summary[key] for key in keys}


def photograph(run: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Write the pictures; name -> what each shows."""
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    with served(run / "export") as (address, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        shown: dict[str, dict[str, Any]] = {}
        for name, size, take in (
            ("page-chat.png", WIDE, _chat),
            ("page-tasks.png", TALL, _tasks),
            ("page-model.png", WIDE, _model),
            ("page-narrow.png", NARROW, _tasks),
        ):
            page = _page(browser, size)
            page.goto(address)
            page.wait_for_selector("#model-name:not(:empty)")
            shown[name] = take(page)
            page.screenshot(path=out / name)
            page.close()
        page = _page(browser, WIDE)
        page.goto((run / "report" / "report.html").resolve().as_uri())
        page.screenshot(path=out / "report.png")
        shown["report.png"] = {"heading": page.text_content("h1")}
        browser.close()
    return shown


def _page(browser: Any, size: tuple[int, int]) -> Page:
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, locale="ja-JP", reduced_motion="reduce")
    page: Page = context.new_page()
    page.set_default_timeout(300_000)
    return page


def _chat(page: Page) -> dict[str, Any]:
    page.click("#tab-chat")
    page.fill("#question", QUESTION)
    page.press("#question", "Enter")
    page.wait_for_selector(".answer:not([aria-busy])")
    return {"question": QUESTION, "answer": page.text_content(".answer .text")}


def _tasks(page: Page) -> dict[str, Any]:
    page.click("#tab-tasks")
    page.click("#tab-extract")
    page.fill("#extract-text", RECORD)
    page.press("#extract-text", "Control+Enter")
    page.wait_for_selector("#extract .result:not(:has(.waiting)) .record")
    page.evaluate("scrollTo(0, 0)")
    return {"record": RECORD, "found": page.locator("#extract .record mark").all_text_contents()}


def _model(page: Page) -> dict[str, Any]:
    page.click("#tab-model")
    page.locator("#model .plots").first.scroll_into_view_if_needed()
    return {"captions": page.locator("#model .plot caption").all_text_contents()}


def main() -> None:
    """`python benchmarks/pictures.py [RUN]`: pictures and sidecar into docs/."""
    run = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "runs" / "quickstart" / "latest")
    shown = photograph(run, DOCS)
    sidecar = {
        "version": 1,
        "sources": sources_digest(),
        "finished": read_manifest(run / "report").finished,  # type: ignore[union-attr]  # figures() has read it
        "figures": figures(run),
        "pictures": {
            name: {"sha256": hashlib.sha256((DOCS / name).read_bytes()).hexdigest(), **entry}
            for name, entry in shown.items()
        },
    }
    (DOCS / SIDECAR).write_text(json.dumps(sidecar, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(shown)} pictures in {DOCS}, what they show in {SIDECAR}")


if __name__ == "__main__":
    main()

"""The page in front of a real bundle with a real engine: a random model, so only forms can be checked, not words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from igakulm.inference.open import open_model
from igakulm.serving.server import Options, app_of
from page_browser import answered, ask, opened, ready
from page_server import running
from tiny_bundle import write_bundle


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_bundle(tmp_path_factory.mktemp("page") / "bundle", max_position_embeddings=512)
    bundle = open_model(folder, "transformers")
    with running(app_of(bundle, Options())) as address:
        yield address
    bundle.close()


def test_conversation_and_tasks(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        ready(page)
        page.click("#settings summary")
        page.select_option("#length", "64")
        page.select_option("#temperature", "0.7")
        ask(page, "糖尿病とは何ですか。")
        answered(page)
        assert page.locator(".error:visible").count() == 0
        page.click("#tab-tasks")
        page.click("#extract >> text=例文を入れる")
        text = page.input_value("#extract-text")
        page.click("#extract button.primary")
        page.wait_for_selector("#extract .result:not(:has(.waiting)) .record")
        assert page.text_content("#extract .record") == text
        for kind in ("compare", "exam"):
            page.click(f"#tab-{kind}")
            page.click(f"#{kind} >> text=例文を入れる")
            page.click(f"#{kind} button.primary")
            page.wait_for_selector(f"#{kind} .bars .chosen")
            shares = [float(share.split()[0]) for share in page.locator(f"#{kind} .bars .number").all_text_contents()]
            assert abs(sum(shares) - 100) < 0.5


def test_card_and_files(browser: Any, address: str, tmp_path: Path) -> None:
    with opened(browser, address) as page:
        ready(page)
        assert page.text_content("#model-name") == "tiny"
        page.click("#tab-model")
        card = page.locator("#model .card").first
        assert "医療機器ではありません" in card.text_content() and card.locator("h3").count() >= 3
        assert "|" not in card.text_content() and "#" not in card.text_content()
        facts = page.request.get(f"{address}/api/model").json()
        names = page.locator("#model .files tbody td:first-child").all_text_contents()
        assert names == list(facts["files"]) and "huggingface/model.safetensors" in names
        assert facts["files"][names[0]]["sha256"] in page.text_content("#model .files")

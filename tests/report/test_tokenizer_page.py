"""The page of a comparison of tokenizers: every figure, nothing from outside, no markup out of text."""

import copy
import re
from pathlib import Path
from typing import Any

from igakulm.report.tokenizer import write_tokenizer_page

ATTACK = "<script>alert('x')</script>\x1b\u202e"
TEXT: dict[str, Any] = {"documents": 2, "characters": 1234, "tokens": 600, "characters_per_token": 2.057}
TEXT |= {
    "bytes_per_token": 6.17,
    "fallback_share": 0.0123,
    "worst_characters": [{"character": "鱻", "code_point": "U+9C7B", "count": 7}],
}
RESULT: dict[str, Any] = {
    "report": None,
    "samples": [ATTACK],
    "tokenizers": [
        {
            "name": ATTACK,
            "size": 32771,
            "runtime": "plain",
            "texts": {ATTACK: TEXT},
            "names": {"disease": {"names": 400, "one_token_share": 0.71, "tokens_per_name": 1.42}},
            "samples": [[("患者", 1), ("鱻", 3), (ATTACK, 1)]],
            "mecab_agreement": {ATTACK: {"same_share": 0.967}},
        },
        {"name": "other", "size": 98304, "texts": {ATTACK: TEXT}, "names": {}, "samples": [[(ATTACK, 1)]]},
    ],
}
RESULT["tokenizers"][1]["names"] = RESULT["tokenizers"][0]["names"]


def page(result: dict[str, Any], tmp_path: Path) -> str:
    write_tokenizer_page(result, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_figures_and_safety(tmp_path: Path) -> None:
    html = page(RESULT, tmp_path)
    for wanted in ("32,771", "98,304", "2.057", "1.230 %", "71.0 %", "1.42", "96.7 %", "U+9C7B", "病名"):
        assert wanted in html, wanted
    assert '<span class="tokens"><span>患者</span><span class="broken">鱻</span>' in html
    assert "<script" not in html and not re.search(r"[\x1b\u202e]|https?:|src=", html)
    assert "llama.cpp" not in html and "作成時の記録" not in html
    assert page(RESULT, tmp_path) == html


def test_llamacpp_and_stored_figures(tmp_path: Path) -> None:
    result = copy.deepcopy(RESULT)
    result["llamacpp"] = {"file": "m.gguf", "lines": 12_412, "equal_share": 0.9983, "with_unknown": 21, "refused": 0}
    result["llamacpp"] |= {"crashed": 3, "differences": [{"ours": ["<0xE9>"], "llamacpp": ["<unk>", ATTACK]}]}
    result["report"] = {
        "vocabulary": {"base_size": 8192},
        "user_dictionary": {"one_word_share": 0.9987, "moved_border_share": 0.0011},
        "samples": [[["肺炎", 1], ["囊", 3]]],
    }
    html = page(result, tmp_path)
    for wanted in ("m.gguf", "12,412", "99.83 %", "&lt;0xE9&gt;", "8,192", "99.87 %", "0.11 %", "肺炎", "囊"):
        assert wanted in html, wanted
    assert "<script" not in html


def test_without_texts_and_names(tmp_path: Path) -> None:
    result = copy.deepcopy(RESULT)
    for one in result["tokenizers"]:
        one["texts"], one["names"] = {}, {}
    html = page(result, tmp_path)
    assert 'id="texts"' not in html and 'id="names"' not in html and "32,771" in html

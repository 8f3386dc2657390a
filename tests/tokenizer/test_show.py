"""The comparison on a screen and as plain text: borders, whole lines, nothing that steers a terminal."""

import io
import re
from typing import Any

from rich.console import Console

from igakulm.tokenizer.show import show

ATTACK = "\x1b[31m赤[bold]\u202e|終わり"
FIGURES = {
    "documents": 1,
    "characters": 9,
    "bytes": 27,
    "tokens": 6,
    "characters_per_token": 1.5,
    "bytes_per_token": 4.5,
}
WORST = [{"character": "鱻", "code_point": "U+9C7B", "count": 7}]
AGREEMENT = {"sentences": 2000, "same_share": 0.5, "tokens_plain": 10, "tokens_mecab": 11}
NAMES = {"disease": {"names": 4, "one_token_share": 0.75, "tokens_per_name": 1.25}}


def result(**more: Any) -> dict[str, Any]:
    text = {**FIGURES, "fallback_share": 0.125, "worst_characters": WORST}
    ours = {
        "name": "ours",
        "size": 32771,
        "texts": {"notes": text},
        "names": NAMES,
        "samples": [[("患者", 1), ("鱻", 3), (ATTACK, 1)]],
        "runtime": "plain",
        "mecab_agreement": {"notes": AGREEMENT},
    }
    other = {key: ours[key] for key in ("size", "texts", "names", "samples")} | {"name": ATTACK}
    return {"report": None, "samples": [ATTACK], "tokenizers": [ours, other], **more}


def printed(value: dict[str, Any], **how: Any) -> str:
    file = io.StringIO()
    show(value, Console(file=file, **how))
    return file.getvalue()


def test_plain_text_has_marks_and_no_escapes() -> None:
    text = printed(result())
    assert "患者|‹鱻›|�[31m赤[bold]�\\|終わり" in text
    for wanted in ("32,771", "1.500", "4.50", "12.500 %", "鱻×7", "75.0 %", "1.25", "50.0 % of 2,000", "ours on notes"):
        assert wanted in text, wanted
    assert not re.search(r"[\x1b\u202e]", text)


def test_a_terminal_gets_colours_and_only_ours() -> None:
    text = printed(result(), force_terminal=True, color_system="standard", width=100)
    assert "‹" not in text.replace("‹ ›", "") and "\x1b[30;106m患者" in text and "\x1b[37;41m鱻" in text
    assert "\u202e" not in text and "[bold]" in text and "\x1b[31m" not in text


def test_long_samples_stay_on_one_line_of_a_file() -> None:
    long = result()
    long["tokenizers"] = long["tokenizers"][:1]
    long["tokenizers"][0]["samples"] = [[("患者", 1)] * 500]
    assert "|".join(["患者"] * 500) in printed(long)


def test_stored_figures_and_llamacpp() -> None:
    stored = {
        "compression": {"general": None, "medical": FIGURES},
        "byte_fallback": {"token_share": 0.001, "worst_characters": WORST},
        "names": {"disease": {**NAMES["disease"], "one_mecab_word_share": 1.0}, "drug": {"names": 0}},
        "mecab_agreement": AGREEMENT,
        "user_dictionary": {"one_word_share": 0.9987, "moved_border_share": 0.0011},
    }
    counts = {"lines": 50, "equal_share": 0.98, "with_unknown": 1, "refused": 0, "crashed": 0}
    difference = {"ours": ["<0xE9>", "a|"], "llamacpp": ["<unk>"]}
    text = printed(result(report=stored, llamacpp={"file": "m.gguf", **counts, "differences": [difference]}))
    for wanted in ("medical", "0.100 %", "99.87 %", "0.11 %", "98.00 % of 50 lines", "<0xE9>|a\\|", "<unk>"):
        assert wanted in text, wanted
    assert "general " not in text.split("names of")[0]


def test_a_report_of_an_older_version_is_shown_as_far_as_it_goes() -> None:
    assert "ours" in printed(result(report={"vocabulary": {}}))

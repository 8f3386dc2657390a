"""The one file of words: both languages whole, every key used, every key that is used is there."""

import re
import tomllib
from pathlib import Path
from string import Formatter

import pytest

from igakulm.evaluation.comparisons import GUESSES
from igakulm.report.words import LANGUAGES, style_key, words

REPORT = Path(__file__).parents[2] / "src" / "igakulm" / "report"
CODES = (
    "reason", "synth.reason", "step", "kind", "script", "personal", "metric", "mode", "style", "split", "model",
    "source", "term", "runtime", "unit", "stage", "mark", "verdict", "machine", "legend", "figure", "section",
    "training.row", "curve", "tokenizer.fact", "bundle.fact", "origin", "card.limits", "evaluation", "tokenizers",
    "field",
)  # fmt: skip
"""Groups whose keys are codes of other rooms, or are put together from parts."""


def pairs(table: dict[str, object], before: str = "") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= pairs(value, f"{before}{key}.")
        else:
            assert isinstance(value, list), before + key
            found[before + key] = value
    return found


TEXTS = pairs(tomllib.loads((REPORT / "words.toml").read_text(encoding="utf-8")))


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_entry_has_both_languages_with_the_same_values() -> None:
    for key, texts in TEXTS.items():
        assert len(texts) == len(LANGUAGES) and all(isinstance(text, str) for text in texts), key
        assert bool(texts[0]) == bool(texts[1]), key
        assert fields(texts[0]) == fields(texts[1]), key
        assert texts[0].count("|") == texts[1].count("|"), key


def test_english_is_english() -> None:
    allowed = {"style.base.meaning"}  # it quotes the prompt
    found = [key for key, (_, english) in TEXTS.items() if re.search(r"[\u3041-\u30ff\u4e00-\u9fff]", english)]
    assert set(found) <= allowed


def test_keys_that_are_used_exist_and_keys_that_exist_are_used() -> None:
    files = [*REPORT.parent.rglob("*.py"), *REPORT.rglob("*.j2")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    ours = "\n".join(path.read_text(encoding="utf-8") for path in files if REPORT in path.parents)
    used = set(re.findall(r"""\b(?:t|words\(\w+\)|self)\(\s*['"]([\w.-]+)['"]""", ours))
    assert {key for key in used - TEXTS.keys() if not key.endswith((".", "_"))} == set()
    named = [key for key in TEXTS if not key.startswith(tuple(f"{group}." for group in CODES))]
    built = set(re.findall(r"""['"]([\w.]+[._])(?:\{|['"] ~)""", code)) | {"paired.sign"}
    quoted = set(re.findall(r"""(?<=['"])[\w.-]+(?=['"])""", code))
    unused = [key for key in named if key not in quoted]
    assert [key for key in unused if not key.startswith(tuple(built))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_what_a_board_may_hold(language: str) -> None:
    t = next(words(one) for one in LANGUAGES if one == language)
    for model in (*GUESSES, "nearest", "ngram", "dictionary", "tagger", "base", "tuned"):
        assert t.known("model", model)
    for style in ("chat", "base", "published", "published-3-shot"):
        for wording in ("", "own", "given", "published") if style.startswith("published") else ("",):
            assert t.known("style", f"{style_key(style, wording)}.name")
    assert t.style("published-3-shot", "own") != t.style("published-3-shot", "published")
    assert t.metric("kappa_micro").startswith(t.metric("kappa"))

"""Every key of the tokenizer has an effect: two values, one small corpus, another vocabulary or way of cutting.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from igakulm.files import Doc
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer.build_tokenizer import build_tokenizer
from igakulm.tokenizer.encode import TextEncoder

KEYS: tuple[tuple[str, object], ...] = (
    ("vocabulary_size", 560),
    ("runtime", "mecab"),
    ("user_dictionary", False),
    ("user_dictionary_min_characters", 9),
    ("user_dictionary_cost", 20_000),
    ("drugs_in_dictionary", False),
    ("merge_function_words", False),
    ("medical_weight", 0.2),
    ("source_weights", {"town": 50.0}),
    ("name_pseudo_count", 500),
    ("character_coverage", 0.95),
    ("split_digits", False),
    ("required_characters", "μ℃鬱"),
)
SMALLER = {"character_coverage": 540}
"""Vocabularies that this text does not fill to the usual 600 entries."""


def learnt(folder: Path) -> tuple[object, ...]:
    """What decides how text becomes ids: pieces and scores, the way of splitting, the dictionary's sentences."""
    encoder = TextEncoder.load(folder)
    dictionary = folder / "user_dictionary.dic"
    ids = encoder.encode("急性心筋梗塞ではないと診断された。2型糖尿病 2026年")
    return encoder.sha256, dictionary.read_bytes() if dictionary.is_file() else b"", ids


@pytest.mark.parametrize(("key", "value"), KEYS)
def test_tokenizer(key: str, value: object, build_small: Callable[..., Path], tmp_path: Path) -> None:
    others = {"vocabulary_size": SMALLER[key]} if key in SMALLER else {}
    usual = learnt(build_small(tmp_path / "usual", **others))
    assert usual != learnt(build_small(tmp_path / "changed", **{**others, key: value}))


@pytest.mark.parametrize(("key", "value"), [("max_corpus_mebibytes", 2), ("seed", 8)])
def test_the_text_that_is_learnt_from(
    key: str,
    value: int,
    make_corpus: Callable[[Path, list[Doc]], Path],
    lexicon: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of more text than is wanted a seeded sample is taken."""
    text = "駅前の図書館は朝の九時に開く。" * 60
    corpus = make_corpus(tmp_path / "corpus", [Doc(f"g{n}", f"{n}。{text}", "town", "CC0-1.0") for n in range(900)])

    class Seen(Exception):
        pass

    def count(documents: Iterable[tuple[str, float]], *_: object) -> None:
        raise Seen([str(document)[:6] for document in documents])

    monkeypatch.setattr("igakulm.tokenizer.build_tokenizer.count_words", count)
    seen = []
    for keys in ({"max_corpus_mebibytes": 1, "seed": 7}, {"max_corpus_mebibytes": 1, "seed": 7, key: value}):
        with pytest.raises(Seen) as caught:
            build_tokenizer(TokenizerSection.model_validate(keys), corpus, lexicon, tmp_path, SilentProgress())
        seen.append(caught.value.args[0])
    assert seen[0] != seen[1] and len(seen[0]) < 900

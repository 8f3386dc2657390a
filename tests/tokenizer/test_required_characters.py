"""Characters that every vocabulary must have."""

import pytest
import sentencepiece

from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.text.cleaning import clean_texts
from igakulm.tokenizer.required_characters import RequiredKanji, japanese_characters, required_characters
from igakulm.tokenizer.unigram import train_unigram


def test_levels_of_kanji() -> None:
    first, second = set(japanese_characters("jis-1")), set(japanese_characters("jis-2"))
    assert first < second
    assert {"亜", "腕", "あ", "ヶ", "ゎ"} <= first
    assert {"弌", "熙", "膵", "鬱"} <= second - first
    assert all("ぁ" <= character <= "ヶ" or "一" <= character <= "龠" for character in second)


def test_white_space_is_never_required() -> None:
    assert not any(character.isspace() for character in required_characters(" \n\u3000", "none"))


def test_required_characters_survive_cleaning() -> None:
    characters = sorted(set(TokenizerSection().required_characters) - {"µ"} | set(japanese_characters("jis-2")))
    assert clean_texts(characters) == characters, "only characters that a cleaned corpus can hold"


@pytest.mark.parametrize("kanji", ["none", "jis-1", "jis-2"])
def test_required_kanji_are_pieces(kanji: RequiredKanji) -> None:
    counts = {a + b + c: 3 for a in "病症痛熱咳" for b in "心肺肝腎胃脳骨" for c in "炎腫瘍癌血圧"}
    required = required_characters("μ", kanji)
    size = 360 + len(required)
    config = TokenizerSection(vocabulary_size=max(512, size), required_characters="μ", required_kanji=kanji)
    model = sentencepiece.SentencePieceProcessor(model_proto=train_unigram(counts, config, SilentProgress()))
    assert all(model.piece_to_id(character) > 259 for character in required)

"""Seeds and training."""

import struct

import pytest
import sentencepiece

from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer import unigram
from igakulm.tokenizer.unigram import seed_pieces, train_unigram

COUNTS = {
    "患者": 50,
    "血圧": 40,
    "急性心筋梗塞": 30,
    "の": 200,
    "は": 150,
    "です": 80,
    "▁mg": 20,
    "です。": 5,
    "<a>": 3,
}


def train(size: int = 512, counts: dict[str, int] = COUNTS, **keys: object) -> bytes:
    config = TokenizerSection.model_validate({"vocabulary_size": size, "required_characters": "μ", **keys})
    return train_unigram(counts, config, SilentProgress())


def many_words(number: int) -> dict[str, int]:
    return {a + b + c: 3 for a in "病症痛熱咳" for b in "心肺肝腎胃脳骨" for c in "炎腫瘍癌血圧"} if number else {}


def test_training_twice_gives_the_same_bytes_and_layout() -> None:
    model = train(420 + 92, many_words(1))
    assert model == train(420 + 92, many_words(1))
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    first = [processor.id_to_piece(index) for index in range(5)]
    assert first == ["<unk>", "<|begin_of_text|>", "<|end_of_text|>", "\n", "<0x00>"]
    assert processor.vocab_size() == 512
    assert processor.piece_to_id("μ") > 259, "required characters are pieces"
    assert processor.piece_to_id("▁") > 259, "the space is always a piece"
    assert b"/tmp" not in model, "no path of this machine in the model"


def test_scores_are_multiples_of_a_thousand_and_twenty_fourth() -> None:
    counts = {word: 3 + number for number, word in enumerate(many_words(1))}
    processor = sentencepiece.SentencePieceProcessor(model_proto=train(512, counts))
    scores = [processor.get_score(index) for index in range(260, 512)]
    assert all(score * 1024 == round(score * 1024) for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 10


def test_a_vocabulary_larger_than_the_text_names_the_largest() -> None:
    with pytest.raises(InputError, match=r"at most (\d+)") as caught:
        train(8000)
    largest = int(str(caught.value).split("at most ")[1].split()[0].replace(",", ""))
    assert largest < 512 or len(train(largest)) > 0


def test_a_vocabulary_smaller_than_its_characters_names_the_smallest() -> None:
    counts = {chr(0x4E00 + index): 10 for index in range(400)}
    with pytest.raises(InputError, match=r"at least \d+"):
        train(512, counts, character_coverage=1.0)


def test_no_words() -> None:
    with pytest.raises(InputError, match="no words"):
        train(512, {})


def test_seeds_hold_no_digits_when_digits_are_split() -> None:
    seeds = dict(seed_pieces({"第12番目": 2, "番目": 1}, split_digits=True))
    assert seeds == {"番目": 3}
    assert "第12" in dict(seed_pieces({"第12番目": 2}, split_digits=False))


def test_no_seed_holds_the_end_of_a_sentence() -> None:
    assert dict(seed_pieces({"です。」": 2, "です": 1}, split_digits=False)) == {"です": 3}


def test_seeds_are_at_most_sixteen_characters() -> None:
    assert max(len(piece) for piece, _ in seed_pieces({"あいうえおかきくけこさしすせそたちつてと": 2}, True)) == 16


def test_rounding_refuses_an_unexpected_layout() -> None:
    piece = b"\x0a\x01a\x15" + struct.pack("<f", -1.23456)
    assert unigram._round_scores(b"\x0a" + bytes([len(piece)]) + piece + b"\x12\x00")[-6:-2] == struct.pack(
        "<f", round(-1.23456 * 1024) / 1024
    )
    with pytest.raises(RuntimeError, match="layout"):
        unigram._round_scores(b"\x0a\x08\x15\x00\x00\x00\x00\x0a\x01a")


def test_required_characters_push_no_others_out() -> None:
    counts = {**many_words(1), "é": 20, "【": 20, "癜": 1}
    processor = sentencepiece.SentencePieceProcessor(model_proto=train(3600, counts, required_kanji="jis-1"))
    assert all(processor.piece_to_id(character) > 259 for character in "é【癜亜")


def test_characters_beyond_the_coverage_are_left_out() -> None:
    counts = {**many_words(1), "癜": 1, "疹": 1, "頰": 1}
    processor = sentencepiece.SentencePieceProcessor(
        model_proto=train(512, counts, character_coverage=0.999, required_characters="頰μ")
    )
    assert processor.piece_to_id("頰") > 259
    assert processor.piece_to_id("μ") > 259
    assert processor.piece_to_id("癜") == processor.unk_id() or processor.piece_to_id("疹") == processor.unk_id()

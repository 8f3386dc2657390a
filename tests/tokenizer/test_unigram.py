"""Selection of text, weighted counts, and training."""

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece

from igakulm.errors import InputError
from igakulm.files import Doc, read_json, write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer import unigram
from igakulm.tokenizer.unigram import (
    Selection,
    count_words,
    seed_pieces,
    select_documents,
    train_unigram,
    weighted_counts,
)

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
    processor = sentencepiece.SentencePieceProcessor(model_proto=train(512, many_words(1)))
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


def test_weights_are_whole_numbers() -> None:
    config = TokenizerSection(medical_weight=0.4, name_pseudo_count=10)
    counts = {"general": Counter({"a": 2}), "medical": Counter({"a": 1, "b": 4, " c": 5})}
    assert weighted_counts(counts, ["b"], config) == {"a": 3, "b": 12, "▁c": 2}  # type: ignore[arg-type]
    config = TokenizerSection(medical_weight=2.5, name_pseudo_count=0)
    assert weighted_counts(counts, ["b"], config) == {"a": 4, "b": 10, "▁c": 12}  # type: ignore[arg-type]


def test_words_that_cannot_be_pieces_are_left_out() -> None:
    words = Counter({"\n": 9, "a\tb": 9, "▁": 9, "x" * 65: 9, "\0": 9, "\ud800": 9, "良い": 9})
    config = TokenizerSection()
    assert weighted_counts({"general": words}, ["y" * 65, "名\t前"], config) == {"良い": 9}


def test_seeds_hold_no_digits_when_digits_are_split() -> None:
    seeds = dict(seed_pieces({"第12番目": 2, "番目": 1}, split_digits=True))
    assert seeds == {"番目": 3}
    assert "第12" in dict(seed_pieces({"第12番目": 2}, split_digits=False))


def test_no_seed_holds_the_end_of_a_sentence() -> None:
    assert dict(seed_pieces({"です。」": 2, "です": 1}, split_digits=False)) == {"です": 3}


def test_seeds_are_at_most_sixteen_characters() -> None:
    assert max(len(piece) for piece, _ in seed_pieces({"あいうえおかきくけこさしすせそたちつてと": 2}, True)) == 16


def documents(kind: unigram.Kind, number: int) -> list[tuple[unigram.Kind, str]]:
    return [(kind, f"{index}人の患者は血圧が高い。\n") for index in range(number)]


def test_counting_in_processes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = documents("general", 300) + documents("medical", 300)
    here = count_words(texts, None, 1, SilentProgress(), 1)
    monkeypatch.setattr(unigram, "BATCH_BYTES", 4000)
    there = count_words(texts, None, 2, SilentProgress(), 10**6)
    assert here == there
    assert here["medical"]["血圧"] == 300


def read(folder: Path, budget: int, seed: int = 0) -> tuple[list[tuple[unigram.Kind, str]], Selection]:
    selection = Selection(seed)
    return list(select_documents(folder, budget, selection)), selection


def test_everything_is_counted_or_held(corpus: Path) -> None:
    chosen, selection = read(corpus, 2**30)
    held = sum(map(len, selection.held.values()))
    assert 0 < held < 20
    assert len(chosen) + held == 60 + 112
    assert selection.documents["general"] + len(selection.held["general"]) == 60


def test_a_small_budget_keeps_medical_text_first(corpus: Path) -> None:
    sources = read_json(corpus / "sources.json")
    budget = 3 * sources["ward"]["characters"] + 3 * sources["town"]["characters"] // 2
    chosen, selection = read(corpus, budget)
    assert selection.documents["medical"] + len(selection.held["medical"]) == 112
    assert 15 < selection.documents["general"] < 45
    again, _ = read(corpus, budget)
    assert chosen == again
    assert chosen != read(corpus, budget, seed=1)[0]


def test_a_budget_smaller_than_the_medical_text_takes_no_other(corpus: Path) -> None:
    _, selection = read(corpus, 10_000)
    assert selection.documents["general"] == 0
    assert 5_000 < selection.text_bytes["medical"] < 11_000


def test_an_empty_corpus_is_an_input_error(tmp_path: Path, make_corpus: Callable[[Path, list[Doc]], Path]) -> None:
    for docs in ([], [Doc("1", " \n", "town", "CC0")]):
        folder = make_corpus(tmp_path / str(len(docs)), docs)
        with pytest.raises(InputError, match="no text"):
            read(folder, 1000)


def test_an_unknown_source_is_an_input_error(tmp_path: Path, make_corpus: Callable[[Path, list[Doc]], Path]) -> None:
    folder = make_corpus(tmp_path, [Doc("1", "患者", "elsewhere", "CC0")])
    with pytest.raises(InputError, match="elsewhere"):
        read(folder, 1000)
    write_json(folder / "sources.json", {})
    with pytest.raises(InputError, match="elsewhere"):
        read(folder, 1000)


def test_rounding_refuses_an_unexpected_layout() -> None:
    piece = b"\x0a\x01a\x15" + struct.pack("<f", -1.23456)
    assert unigram._round_scores(b"\x0a" + bytes([len(piece)]) + piece + b"\x12\x00")[-6:-2] == struct.pack(
        "<f", round(-1.23456 * 1024) / 1024
    )
    with pytest.raises(RuntimeError, match="layout"):
        unigram._round_scores(b"\x0a\x08\x15\x00\x00\x00\x00\x0a\x01a")

"""The stage as a whole."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.files import Doc
from igakulm.recipe.schema import TokenizerSection
from igakulm.synth.lexicon import write_terms
from igakulm.synth.term_lists import Term
from igakulm.tokenizer.encode import TextEncoder

Build = Callable[..., Path]


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_inputs_same_bytes(plain_folder: Path, build_small: Build, tmp_path: Path) -> None:
    assert digest(build_small(tmp_path / "again", workers=2)) == digest(plain_folder)


def test_files_and_description(plain_folder: Path, plain: TextEncoder) -> None:
    assert set(digest(plain_folder)) == {
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "sentencepiece.model", "encoder.json",
        "user_dictionary.dic", "report.json",
    }  # fmt: skip
    description = json.loads((plain_folder / "encoder.json").read_text(encoding="utf-8"))
    assert description["ids"] == {
        "unk": 0, "bos": 1, "eos": 2, "newline": 3, "system": 600, "user": 601, "assistant": 602
    }  # fmt: skip
    assert description["sha256"]["tokenizer.json"] == plain.sha256 == digest(plain_folder)["tokenizer.json"]
    assert (description["base_size"], description["size"]) == (600, 603)


def test_report(plain_folder: Path) -> None:
    report = json.loads((plain_folder / "report.json").read_text(encoding="utf-8"))
    assert report["compression"]["medical"]["characters_per_token"] > 1
    assert report["names"]["disease"]["names"] == 7
    assert report["names"]["disease"]["one_mecab_word_share"] == 1.0
    assert 0.5 < report["names"]["disease"]["one_token_share"] <= 1.0
    assert 0 <= report["byte_fallback"]["token_share"] < 0.2
    assert 0.5 < report["mecab_agreement"]["same_share"] <= 1.0
    assert report["training"]["user_dictionary_names"] == 11


def test_without_names_there_is_no_dictionary(build_small: Build, tmp_path: Path) -> None:
    empty = tmp_path / "lexicon"
    empty.mkdir()
    write_terms(empty / "terms.tsv", [])
    folder = build_small(tmp_path / "out", lexicon=empty, runtime="mecab")
    assert not (folder / "user_dictionary.dic").exists()
    assert TextEncoder.load(folder).encode("患者の血圧")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["names"]["drug"]["one_token_share"] is None


def test_drugs_can_stay_out(build_small: Build, tmp_path: Path) -> None:
    folder = build_small(tmp_path, drugs_in_dictionary=False)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["training"]["user_dictionary_names"] == 7


def test_names_that_spell_control_tokens_do_no_harm(build_small: Build, tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir()
    spellings = ("<|user|>", "<|end_of_text|>", "<0x41>", "<unk>")
    write_terms(lexicon / "terms.tsv", [Term(name, "drug") for name in spellings])
    encoder = TextEncoder.load(build_small(tmp_path / "out", lexicon=lexicon))
    assert encoder.user == 601
    assert [piece for piece, _, _ in encoder.pieces()].count("<|user|>") == 1
    for name in spellings:
        assert len(encoder.encode(name)) > 1
        assert encoder.decode(encoder.encode(name)) == name


def test_a_vocabulary_beyond_the_text(build_small: Build, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most"):
        build_small(tmp_path, vocabulary_size=32_768)
    assert not (tmp_path / "encoder.json").exists()


def test_an_empty_corpus(build_small: Build, make_corpus: Callable[[Path, list[Doc]], Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text"):
        build_small(tmp_path / "out", corpus=make_corpus(tmp_path / "corpus", []))


def test_any_seed_is_used_for_sampling_only(build_small: Build, tmp_path: Path) -> None:
    section = TokenizerSection(seed=3)
    assert section.seed == 3
    one, two = build_small(tmp_path / "1", seed=3), build_small(tmp_path / "2", seed=4)
    assert digest(one)["report.json"] != digest(two)["report.json"]


def test_weights_of_sources_change_the_vocabulary(plain_folder: Path, build_small: Build, tmp_path: Path) -> None:
    folder = build_small(tmp_path, source_weights={"town": 50.0})
    assert digest(folder)["sentencepiece.model"] != digest(plain_folder)["sentencepiece.model"]


def test_a_weight_for_an_unknown_source(build_small: Build, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="elsewhere"):
        build_small(tmp_path, source_weights={"elsewhere": 2.0})


def test_chains_of_function_words_become_pieces(plain: TextEncoder, build_small: Build, tmp_path: Path) -> None:
    single = TextEncoder.load(build_small(tmp_path, merge_function_words=False))
    text = "治療には薬を用いることがある。"
    assert len(plain.encode(text)) <= len(single.encode(text))
    assert plain.merge_function_words and not single.merge_function_words


def test_mecab_joins_the_chains_that_training_joined(mecab: TextEncoder, build_small: Build, tmp_path: Path) -> None:
    from igakulm.tokenizer.segment import Segmenter

    text = "治療には薬を用いることがある。"
    words = Segmenter(mecab.folder / "user_dictionary.dic", True).words(text)
    assert "ことがある" in words
    assert mecab.encode(text) == mecab.encode_words(words)


def test_the_user_dictionary_is_measured_in_sentences(plain_folder: Path) -> None:
    report = json.loads((plain_folder / "report.json").read_text(encoding="utf-8"))
    assert report["user_dictionary"]["one_word_share"] == 1.0
    assert report["user_dictionary"]["contexts"] == 5 * 11

"""MeCab segmentation loses nothing, and a bad user dictionary never reaches MeCab."""

import struct
from pathlib import Path

import ipadic
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.tokenizer.dictionary import build_user_dictionary
from igakulm.tokenizer.segment import Segmenter, check_user_dictionary

NAMES = ["多発性骨髄腫", "急性心筋梗塞"]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter()


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a folder, with 'signs'") / "user.dic"
    build_user_dictionary(NAMES, 5000, path)
    return path


@given(
    st.text(st.one_of(st.sampled_from(" \n\t\0　▁。Ðあア亜aA1"), st.characters(exclude_categories=["Cs"])), max_size=40)
)
@settings(max_examples=300, deadline=None)
@example("a" * 5000)
@example("。。\n\n。 ")
@example("患者\0の\0血圧")
def test_joining_the_words_gives_the_text(segmenter: Segmenter, text: str) -> None:
    assert "".join(segmenter.words(text)) == text


def test_spaces_go_to_the_word_after_and_newlines_stand_alone(segmenter: Segmenter) -> None:
    assert segmenter.words("血圧  は\n\n高い ") == ["血圧", "  は", "\n", "\n", "高い", " "]


def test_nul_does_not_end_the_segmentation(segmenter: Segmenter) -> None:
    assert segmenter.words("患者\0の血圧") == ["患者", "\0の", "血圧"]


def test_user_dictionary_keeps_names_whole(segmenter: Segmenter, dictionary: Path) -> None:
    text = "急性心筋梗塞と多発性骨髄腫である"
    assert "多発性骨髄腫" not in segmenter.words(text)
    assert Segmenter(dictionary).words(text)[:3] == ["急性心筋梗塞", "と", "多発性骨髄腫"]


def damaged(data: bytes, kind: str) -> bytes:
    if kind == "truncated":
        return data[:-100]
    if kind == "sections":  # right size, wrong table of contents
        return data[:24] + struct.pack("<I", 8) + data[28:]
    if kind == "other system dictionary":
        return data[:16] + struct.pack("<2I", 9, 9) + data[24:]
    if kind == "empty":
        return b""
    if kind == "text":
        return ("患者,1285,1285,5000,名詞\n" * 50).encode()
    return (Path(ipadic.DICDIR) / "unk.dic").read_bytes()


@pytest.mark.parametrize("kind", ["truncated", "sections", "other system dictionary", "empty", "text", "foreign"])
def test_bad_dictionaries_are_input_errors(dictionary: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.dic"
    path.write_bytes(damaged(dictionary.read_bytes(), kind))
    with pytest.raises(InputError, match=r"bad\.dic"):
        Segmenter(path)


def test_a_missing_dictionary_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        check_user_dictionary(tmp_path / "none.dic")

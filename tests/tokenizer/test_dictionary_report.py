"""The user dictionary inside sentences."""

from pathlib import Path

import pytest

from igakulm.tokenizer.dictionary import build_user_dictionary
from igakulm.tokenizer.dictionary_report import CARRIERS, measure_user_dictionary

NAMES = ["多発性骨髄腫", "急性心筋梗塞", "本態性高血圧症"]


def build(folder: Path, names: list[str], cost: int = 5000) -> Path:
    path = folder / "user.dic"
    build_user_dictionary(names, cost, path)
    return path


def test_names_in_sentences_are_one_word(tmp_path: Path) -> None:
    general = ["駅前の図書館は9時に開く。急性心筋梗塞の話を聞いた。\n雨の日は静かだ。"]
    figures = measure_user_dictionary(NAMES, general, build(tmp_path, NAMES))
    assert figures is not None
    assert (figures["names"], figures["contexts"]) == (3, 3 * len(CARRIERS))
    assert figures["one_word_share"] == 1.0
    assert figures["broken_examples"] == []
    assert figures["general_sentences"] == 3
    assert figures["moved_border_share"] == 0.0
    assert figures["with_names_share"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_name_that_swallows_other_words_is_seen(tmp_path: Path) -> None:
    figures = measure_user_dictionary(["館は九"], ["図書館は九時に開く。"], build(tmp_path, ["館は九"], -20000))
    assert figures is not None
    assert figures["moved_border_share"] == 1.0
    assert "館は九" in figures["moved_examples"][0].split("|")


def test_names_that_are_not_kept_whole_are_seen(tmp_path: Path) -> None:
    figures = measure_user_dictionary(NAMES, [], build(tmp_path, NAMES, 32767))
    assert figures is not None
    assert figures["one_word_share"] < 0.5
    assert 0 < len(figures["broken_examples"]) <= 5
    assert figures["moved_border_share"] is None


def test_no_dictionary() -> None:
    assert measure_user_dictionary([], ["駅前"], None) is None

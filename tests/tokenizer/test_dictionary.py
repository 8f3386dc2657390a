"""User dictionaries: which names go in, and that the same names give the same bytes."""

from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.synth.term_lists import Term
from igakulm.tokenizer import dictionary as module
from igakulm.tokenizer.dictionary import build_user_dictionary, clean_terms, dictionary_names, lexicon_names

TERMS = [
    Term("急性肺炎", "disease", standard_name="肺炎"),
    Term("アムロジン錠", "drug", standard_name="アムロジピンベシル酸塩"),
]


def test_names_are_terms_and_standard_names() -> None:
    assert lexicon_names(TERMS, drugs=False) == ["急性肺炎", "肺炎"]
    assert lexicon_names(TERMS, drugs=True) == ["アムロジピンベシル酸塩", "アムロジン錠", "急性肺炎", "肺炎"]


def test_names_are_spelt_as_in_a_cleaned_corpus() -> None:
    terms = clean_terms([Term("Ｂ−細胞リンパ腫", "disease"), Term("\u200b", "disease")])
    assert [term.term for term in terms] == ["B-細胞リンパ腫"]


@pytest.mark.parametrize("name", ["肺炎", "B cell リンパ腫", "1,000単位", 'いわゆる"肺炎', "肺炎\n急性", "肺▁炎症"])
def test_unfit_names_stay_out(name: str) -> None:
    assert dictionary_names([name], 3) == []


def test_same_names_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b with space"):
        (tmp_path / folder).mkdir()
        build_user_dictionary(["急性肺炎", "多発性骨髄腫"], 5000, tmp_path / folder / "u.dic")
    assert (tmp_path / "a" / "u.dic").read_bytes() == (tmp_path / "b with space" / "u.dic").read_bytes()


def test_impossible_requests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name"):
        build_user_dictionary([], 5000, tmp_path / "u.dic")
    with pytest.raises(InputError, match="40000"):
        build_user_dictionary(["急性肺炎"], 40000, tmp_path / "u.dic")


def test_a_failed_build_is_one_message_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUILDER", "import sys; sys.exit('dictionary.cpp(1): broken')")
    with pytest.raises(InputError, match="broken"):
        build_user_dictionary(["急性肺炎"], 5000, tmp_path / "u.dic")
    assert list(tmp_path.iterdir()) == []

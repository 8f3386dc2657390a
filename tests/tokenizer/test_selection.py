"""Which documents are counted, and which are held out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.corpus.records import Kind
from igakulm.errors import InputError
from igakulm.files import Doc, read_json, write_json
from igakulm.tokenizer.selection import Selection, select_documents


def weight(source: str, kind: Kind) -> float:
    return {"town": 1.0, "ward": 3.0}[source] if kind in ("general", "medical") else 0.0


def read(folder: Path, budget: int, seed: int = 0) -> tuple[list[tuple[float, str]], Selection]:
    selection = Selection(seed)
    return list(select_documents(folder, budget, selection, weight)), selection


def test_everything_is_counted_or_held(corpus: Path) -> None:
    chosen, selection = read(corpus, 2**30)
    held = sum(map(len, selection.held.values()))
    assert 0 < held < 20
    assert len(chosen) + held == 60 + 112
    assert selection.documents["general"] + len(selection.held["general"]) == 60
    assert sum(weight == 3.0 for weight, _ in chosen) == selection.documents["medical"]


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

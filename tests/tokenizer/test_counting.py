"""Word counts: the same from any number of processes, weighted, and in bounded memory."""

from collections import Counter
from functools import partial

import pytest

from igakulm.progress import SilentProgress
from igakulm.tokenizer import counting
from igakulm.tokenizer.counting import count_words, weighted_counts
from igakulm.tokenizer.segment import Segmenter


def test_weights_give_whole_numbers() -> None:
    counts = {1.0: Counter({"a": 2, "d": 1}), 0.4: Counter({"a": 1, "b": 4, " c": 5, "e": 1})}
    assert weighted_counts(counts, ["b"], 10) == {"a": 2, "b": 12, "d": 1, "▁c": 2}
    counts = {1.0: Counter({"a": 2}), 2.5: Counter({"a": 1, "b": 4, " c": 5})}
    assert weighted_counts(counts, ["b"], 0) == {"a": 5, "b": 10, "▁c": 13}


def test_words_that_cannot_be_pieces_are_left_out() -> None:
    words = Counter({"\n": 9, "a\tb": 9, "▁": 9, "x" * 65: 9, "\0": 9, "\ud800": 9, "良い": 9})
    assert weighted_counts({1.0: words}, ["y" * 65, "名\t前"], 10) == {"良い": 9}


def documents(weight: float, number: int) -> list[tuple[float, str]]:
    return [(weight, f"{index}人の患者は血圧が高い。\n") for index in range(number)]


def test_counting_in_processes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = documents(1.0, 300) + documents(3.0, 300)
    here = count_words(texts, Segmenter, 1, SilentProgress(), 1)
    monkeypatch.setattr(counting, "BATCH_BYTES", 4000)
    there = count_words(texts, Segmenter, 2, SilentProgress(), 10**6)
    assert here == there
    assert here[3.0]["血圧"] == 300


def test_chains_are_counted_as_one_word() -> None:
    texts: list[tuple[float, str]] = [(1.0, "治療ではない。検査ではない。")]
    counts = count_words(texts, partial(Segmenter, None, True), 1, SilentProgress(), 1)[1.0]
    assert counts == Counter({"ではない": 2, "。": 2, "治療": 1, "検査": 1})


def test_only_so_many_words_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_TYPES", 40)
    monkeypatch.setattr(counting, "BATCH_BYTES", 500)
    texts = documents(1.0, 300) + documents(3.0, 20)
    counts = count_words(texts, Segmenter, 1, SilentProgress(), 1)
    assert sum(map(len, counts.values())) <= 40
    assert counts[1.0]["血圧"] == 300, "frequent words keep their exact counts"
    assert counts[3.0]["血圧"] == 20
    assert counts == count_words(texts, Segmenter, 1, SilentProgress(), 1)


def test_forgetting_takes_the_rarest_words_of_the_weight_with_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_TYPES", 8)
    totals: dict[float, Counter[str]] = {1.0: Counter("aaabbcdefgh"), 3.0: Counter("xy")}
    counting._forget_rare(totals)
    assert totals == {1.0: Counter("aaabb"), 3.0: Counter("xy")}
    counting._forget_rare(totals)
    assert totals == {1.0: Counter("aaabb"), 3.0: Counter("xy")}, "nothing more until it is full again"

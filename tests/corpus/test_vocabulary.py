from __future__ import annotations

import random

import numpy as np
import pytest

from igakulm.corpus.filters.words import ADULT_WORDS, ADVERTISEMENT_WORDS, WordFinder, count_words
from igakulm.text.mapped import codes_of


def test_every_word_is_found_where_it_is() -> None:
    words = [*ADVERTISEMENT_WORDS, *ADULT_WORDS]
    text = "、".join(words)
    for word, places in WordFinder(words).find(codes_of(text)):
        assert places.tolist() == [start for start in range(len(text)) if text.startswith(word, start)], word
    assert [word for word, _ in WordFinder(words).find(codes_of(text))] == words


def test_counts_are_those_of_each_document() -> None:
    chooser = random.Random(0)
    pieces = [*ADVERTISEMENT_WORDS, *ADULT_WORDS, "熱が出た。", "薬", "送料", "無料"]
    texts = ["".join(chooser.choices(pieces, k=chooser.randrange(12))) for _ in range(200)]
    offsets = np.cumsum([0, *(len(text) + 1 for text in texts)])
    counts = count_words(codes_of("\x1e".join([*texts, ""])), offsets)
    for index, text in enumerate(texts):
        advertisement, adult = counts.get(index, ({}, {}))
        assert advertisement == {word: text.count(word) for word in ADVERTISEMENT_WORDS if word in text}
        assert adult == {word: text.count(word) for word in ADULT_WORDS if word in text}


def test_words_at_the_very_end_and_words_cut_off() -> None:
    finder = WordFinder(["通販", "無修正"])
    assert [(word, places.tolist()) for word, places in finder.find(codes_of("通販無修通販"))] == [("通販", [0, 4])]
    assert finder.find(codes_of("通")) == [] and finder.find(codes_of("")) == []
    with pytest.raises(ValueError, match="fewer than two"):
        WordFinder(["医"])

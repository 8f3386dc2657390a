"""The fast form of `normalised_document`, for every character and for awkward neighbours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.tasks.items import normalised_document
from igakulm.text.compared_letters import compared_letters

AWKWARD = "がか\u3099ｶﾞﾟ①㌔…ﬁé\u0301한ᄒ\u1161ᆫㅎㅏ。A1\x1e_\ud800𠮟\u0345\u0f71\U000e0100"


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from(AWKWARD), max_size=12) | st.text(max_size=12), max_size=6))
def test_letters_are_those_that_documents_are_compared_by(texts: list[str]) -> None:
    found = compared_letters(texts)
    for place, text in enumerate(texts):
        part = found.codes[found.offsets[place] : found.offsets[place + 1]]
        assert "".join(map(chr, part)) == normalised_document(text)


def test_every_character_is_compared_as_nfkc_has_it() -> None:
    characters = [chr(code) for code in range(0x33000)]
    found = compared_letters(characters)
    texts = found.codes.astype("<u4").tobytes().decode("utf-32-le")
    ends = found.offsets.tolist()
    texts_of = [texts[start:end] for start, end in pairwise(ends)]
    pairs = zip(characters, texts_of, strict=True)
    assert [one for one, text in pairs if not 0xD800 <= ord(one) < 0xE000 and text != normalised_document(one)] == []


def test_edges_are_where_sentences_and_texts_end() -> None:
    found = compared_letters(["熱。咳！痛", "", "a: b"])
    assert found.offsets.tolist() == [0, 3, 3, 5]
    assert np.flatnonzero(found.edges).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(compared_letters(["熱、咳 痛"]).edges).tolist() == [0, 3]
    assert compared_letters([]).offsets.tolist() == [0]

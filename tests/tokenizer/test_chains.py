"""Chains of function words: found, loss-free, and never across spaces, stops or names."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from igakulm.tokenizer.chains import is_function_word
from igakulm.tokenizer.segment import Segmenter


@pytest.fixture(scope="module")
def merging() -> Segmenter:
    return Segmenter(merge_function_words=True)


@pytest.fixture(scope="module")
def single() -> Segmenter:
    return Segmenter()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("検査が実施されているが、", ["検査", "が", "実施", "されているが", "、"]),
        ("患者ではない。", ["患者", "ではない", "。"]),
        ("安静にする必要がある", ["安静", "にする", "必要", "がある"]),
        ("投与することができる", ["投与", "することができる"]),
        ("これは では\nは", ["これ", "は", " では", "\n", "は"]),
        ("東京 大阪", ["東京", " 大阪"]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_runs_of_function_words_are_one_word(merging: Segmenter, text: str, words: list[str]) -> None:
    assert merging.words(text) == words


@given(
    st.text(
        st.one_of(
            st.sampled_from(" \n\t\0▁。Ðはでないされているの患者1a"), st.characters(exclude_categories=["C", "Z"])
        ),
        max_size=40,
    )
)
@settings(max_examples=300, deadline=None)
def test_merging_only_removes_borders(merging: Segmenter, single: Segmenter, text: str) -> None:
    words = merging.words(text)
    parts = iter(single.words(text))
    for word in words:
        joined = ""
        while len(joined) < len(word):
            joined += next(parts)
        assert joined == word


@given(
    st.text(st.one_of(st.sampled_from(" \n\t\0　▁。はでない"), st.characters(exclude_categories=["Cs"])), max_size=40)
)
@settings(max_examples=300, deadline=None)
@example("\u3000は\u3000ではない\u3000")
@example("\x1f\x0b")
def test_joining_the_words_gives_the_text(merging: Segmenter, text: str) -> None:
    assert "".join(merging.words(text)) == text


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("助動詞,,ない", True),
        ("動詞,接尾,れる", True),
        ("動詞,自立,考える", False),
        ("名詞,非自立,こと", True),
        ("名詞,固有名詞,", False),
        ("記号,読点,、", False),
        ("名詞,サ変接続,", False),
    ],
)
def test_parts_of_speech(features: str, expected: bool) -> None:
    assert is_function_word(features) is expected

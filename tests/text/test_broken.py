"""Halves of surrogate pairs, in any number and order."""

from hypothesis import given
from hypothesis import strategies as st

from igakulm.text.broken import REPLACEMENT, whole_characters


def slow(text: str) -> str:
    """One code point after the other: a high half and a low half behind it are one character."""
    made, place = "", 0
    while place < len(text):
        high, low = ord(text[place]), ord(text[place + 1]) if place + 1 < len(text) else 0
        if 0xD800 <= high < 0xDC00 <= low < 0xE000:
            made += chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
            place += 1
        else:
            made += REPLACEMENT if 0xD800 <= high < 0xE000 else text[place]
        place += 1
    return made


@given(st.text(st.sampled_from("a患😀\ud83d\ude00\udc80\udfff\ud800"), max_size=8))
def test_whole_characters(text: str) -> None:
    assert whole_characters(text) == slow(text)
    whole_characters(text).encode()

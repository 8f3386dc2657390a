"""Tokens become text without broken characters and without stop texts."""

from hypothesis import given
from hypothesis import strategies as st

from igakulm.serving.text import TextStream
from tiny_bundle import encoder

TINY = encoder()


def pieces(text: str, stops: tuple[str, ...] = ()) -> tuple[list[str], TextStream]:
    stream = TextStream(TINY, stops)
    shown = [stream.feed(token) for token in TINY.encode(text)]
    return [*shown, stream.finish()], stream


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_whole_characters_only_and_nothing_lost(text: str) -> None:
    shown, _ = pieces(text)
    assert "".join(shown) == text


def test_a_character_of_several_tokens_appears_once_it_is_complete() -> None:
    shown, _ = pieces("鷗")
    assert len(TINY.encode("鷗")) == 3
    assert shown == ["", "", "鷗", ""]


def test_half_a_character_at_the_end_and_control_tokens() -> None:
    stream = TextStream(TINY)
    assert stream.feed(TINY.user) == ""
    assert stream.feed(TINY.encode("鷗")[0]) == ""
    assert stream.finish() == "\ufffd"


@given(
    st.text("ab。", max_size=20),
    st.lists(st.text("ab。", min_size=1, max_size=4), max_size=3),
)
def test_stop_texts_cut_where_the_first_one_begins(text: str, stops: list[str]) -> None:
    shown, stream = pieces(text, tuple(stops))
    found = "".join(shown)
    places = [text.find(stop) for stop in stops if stop in text]
    assert stream.stopped == bool(places)
    if not places:
        assert found == text
        return
    # Text arrives in pieces: the stop text that is complete first ends it.
    ends = min(text.find(stop) + len(stop) for stop in stops if stop in text)
    assert text.startswith(found)
    assert len(found) <= ends
    assert not any(stop in found for stop in stops)
    assert stream.feed(TINY.encode("a")[0]) == ""

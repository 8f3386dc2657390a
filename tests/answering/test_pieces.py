"""Long texts in pieces: together the whole text, each one fits, cut at sentence ends where that is possible."""

import random

import pytest

from igakulm.answering.pieces import pieces_of


@pytest.mark.parametrize(
    ("text", "most", "pieces"),
    [
        ("短い。", 10, ["短い。"]),
        ("", 10, [""]),
        ("熱。咳。痰。痛。", 4, ["熱。咳。", "痰。痛。"]),
        ("「熱がある。」と言う。咳。", 9, ["「熱がある。」", "と言う。咳。"]),
        ("一行目\n二行目\n三行目", 8, ["一行目\n二行目\n", "三行目"]),
        ("熱、咳、痰、痛みがある", 8, ["熱、咳、", "痰、痛みがある"]),
        ("あいうえおかきくけこ", 4, ["あい", "うえお", "かき", "くけこ"]),
    ],
)
def test_cuts(text: str, most: int, pieces: list[str]) -> None:
    assert [piece.text for piece in pieces_of(text, lambda piece: len(piece) <= most)] == pieces


def test_pieces_make_the_text_and_fit() -> None:
    draw = random.Random(3)
    for _ in range(300):
        text = "".join(draw.choices("熱咳痛。。、\n！」 a1", k=draw.randint(0, 80)))
        most = draw.randint(1, 20)
        pieces = pieces_of(text, lambda piece, most=most: len(piece) <= most)  # type: ignore[misc]
        assert "".join(piece.text for piece in pieces) == text
        assert all(len(piece.text) <= most and text[piece.start :].startswith(piece.text) for piece in pieces)
        assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)


def test_a_character_that_never_fits_is_given_as_it_is() -> None:
    assert [piece.text for piece in pieces_of("熱咳", lambda piece: False)] == ["熱", "咳"]


def test_pieces_are_as_long_as_they_can_be() -> None:
    pieces = pieces_of("熱。" * 1000, lambda piece: len(piece) <= 62)
    assert {len(piece.text) for piece in pieces[:-1]} == {62}

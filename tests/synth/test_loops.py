"""The quick search for loops finds what the plain expression over the whole text finds."""

import random
import re

import pytest

from igakulm.synth.check import MIN_DISTINCT_SHARE, NGRAM, is_japanese, is_repetitive

PLAIN = re.compile(r"(.{2,60}?)\1{5,}", re.DOTALL)
FILLERS = set(" \n-‐―─…・.。=＝_")
KANA = "".join(map(chr, range(0x3041, 0x3094)))


def plain(text: str) -> bool:
    if any(not set(loop[1]) <= FILLERS for loop in PLAIN.finditer(text)):
        return True
    sentences = [part.strip() for part in re.findall(r"[^。！？\n]+", text) if len(part.strip()) >= NGRAM]
    again = sum(map(len, sentences)) - sum(map(len, set(sentences)))
    grams = [text[start : start + NGRAM] for start in range(len(text) - NGRAM + 1)]
    return again > 0.3 * sum(map(len, sentences)) or len(set(grams)) < MIN_DISTINCT_SHARE * len(grams)


def looping(seed: int) -> str:
    chance = random.Random(seed)
    text = "".join(chance.choices(KANA + "。\n", k=chance.randrange(0, 400)))
    for _ in range(chance.randrange(1, 4)):
        piece = "".join(chance.choices(KANA, k=chance.choice([1, 2, 3, 10, 30, 59, 60, 61])))
        piece = chance.choice([piece, piece, "-", "・", "-・"])
        at = chance.randrange(len(text) + 1)
        text = text[:at] + piece * chance.randrange(3, 15 if len(piece) < 4 else 8) + text[at:]
    return text


def test_random_loops_are_found_as_by_the_plain_expression() -> None:
    texts = [looping(seed) for seed in range(400)]
    found = [is_repetitive(text) for text in texts]
    assert found == [plain(text) for text in texts]
    assert 50 < sum(found) < 350


@pytest.mark.parametrize("length", [2, 60])
def test_six_pieces_are_a_loop_and_five_are_none(length: int) -> None:
    piece, other = KANA[:length], "".join(random.Random(1).choices(KANA[60:], k=20 * length))
    assert is_repetitive(f"{other}{piece * 6}")
    assert not is_repetitive(f"{other}{piece * 5}")


def test_a_kanji_beyond_the_standard_counts_each_time() -> None:
    text = "患者は咳と熱を訴えて来院した。" * 3
    assert is_japanese(f"{text}{'这' * 3}")
    assert not is_japanese(f"{text}{'这' * 4}")
    assert is_japanese(f"{text}\U00020000々〆ー")

from __future__ import annotations

import random

import numpy as np

from igakulm.corpus.dedup import Survivors, agreement_needed, digests_of, find_duplicates, signatures_of
from igakulm.recipe.schema import NearDuplicates
from igakulm.text.ngrams import letters_of, ngrams_of

NEAR = NearDuplicates()
KANJI = [chr(code) for code in range(0x4E00, 0x5600)]


def prose(seed: int, length: int = 600) -> str:
    """Text of no meaning whose n-grams are its own."""
    return "".join(random.Random(seed).choices(KANJI, k=length))


def edited(text: str, share: float, seed: int = 0) -> str:
    chooser = random.Random(seed)
    places = set(chooser.sample(range(len(text)), int(share * len(text))))
    return "".join(chooser.choice(KANJI) if place in places else character for place, character in enumerate(text))


def find(texts: list[str], config: NearDuplicates = NEAR) -> Survivors:
    letters = letters_of(texts)
    return find_duplicates(digests_of(letters), signatures_of(letters, config), config)


def test_the_earliest_of_exact_duplicates_survives_whatever_its_spaces_and_marks() -> None:
    texts = ["血圧は120mmHg。", "別の文書", "血圧は 120mmhg\n", "血圧は120mmHg!", "血圧は121mmHg。"]
    assert find(texts).exact.tolist() == [0, 1, 0, 0, 4]


def test_near_duplicates_point_at_the_earliest_and_others_stay() -> None:
    one, other = prose(1), prose(2)
    texts = [one, other, edited(one, 0.01), one + "末尾に一文を足した。", prose(3), edited(other, 0.01, seed=5)]
    assert find(texts).near.tolist() == [0, 1, 0, 0, 4, 1]


def test_half_of_the_text_in_common_is_no_duplicate() -> None:
    texts = [prose(1, 300) + prose(number, 300) for number in range(10, 40)]
    assert find(texts).near.tolist() == list(range(30))


def test_most_light_edits_are_found() -> None:
    originals = [prose(seed) for seed in range(100)]
    survivors = find(originals + [edited(text, 0.01, seed=9) for text in originals])
    assert (survivors.near[100:] == np.arange(100)).mean() >= 0.95


def test_a_chain_of_small_changes_names_the_first() -> None:
    texts = [prose(1)]
    for step in range(4):
        texts.append(edited(texts[-1], 0.01, seed=step))
    assert set(find(texts).near.tolist()) == {0}


def test_documents_too_short_for_an_ngram_are_never_near() -> None:
    assert find(["", "あ", "いう", "", "。"]).near.tolist() == [0, 1, 2, 3, 4]
    assert find(["", "あ", "いう", "", "。"]).exact.tolist() == [0, 1, 2, 0, 0]


def test_switched_off_and_nothing_at_all() -> None:
    off = NearDuplicates(enabled=False)
    texts = [prose(1), edited(prose(1), 0.005)]
    assert find(texts, off).near.tolist() == [0, 1]
    assert find([]).exact.tolist() == []


def test_batches_make_no_difference() -> None:
    texts = [prose(seed, 50 + seed) for seed in range(40)]
    together = signatures_of(letters_of(texts), NEAR)
    apart = np.concatenate([signatures_of(letters_of([text]), NEAR) for text in texts])
    assert (together == apart).all()
    assert digests_of(letters_of(texts)) == [digests_of(letters_of([text]))[0] for text in texts]


def test_signatures_estimate_the_jaccard_similarity() -> None:
    config = NearDuplicates(bands=64, rows=8)
    one = prose(1, 2000)
    other = one[:1000] + prose(2, 1000)
    first, second = ({text[i : i + 5] for i in range(len(text) - 4)} for text in (one, other))
    true = len(first & second) / len(first | second)
    signatures = signatures_of(letters_of([one, other]), config)
    assert abs(float((signatures[0] == signatures[1]).mean()) - true) < 0.08


def test_every_ngram_of_every_length_is_hashed_once() -> None:
    texts = ["一二三四五六七八九十", "二三", "一二三四五", "", "九十一二三四五六七"]
    for length in range(1, 12):
        grams = ngrams_of(letters_of(texts), length)
        names: dict[int, str] = {}
        for number, text in enumerate(texts):
            expected = [text[start : start + length] for start in range(len(text) - length + 1)]
            found = grams.hashes[grams.offsets[number] : grams.offsets[number + 1]].tolist()
            assert len(found) == len(expected)
            for value, gram in zip(found, expected, strict=True):
                assert names.setdefault(value, gram) == gram
        assert len(set(names.values())) == len(names)


def test_the_confirmation_lies_below_the_banding() -> None:
    assert 0.5 < agreement_needed(NEAR) < (1 / 14) ** (1 / 8)

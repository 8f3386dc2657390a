import random

import numpy as np
import pytest

from igakulm.synth.near_duplicates import BandIndex, NearDuplicates, first_grams, minhash
from igakulm.synth.set_checks import LOW_BITS, KnownHashes
from igakulm.text.ngrams import hashes_by_length, ngram_hashes


@pytest.mark.parametrize("recent", [1, 7, 10_000])
def test_the_first_text_of_a_band_is_found_before_and_after_merging(recent: int) -> None:
    chance = random.Random(recent)
    index, first = BandIndex(recent), dict[int, int]()
    for text in range(300):
        keys = np.array(chance.sample(range(2000), 4), np.uint64)
        owners = index.owners(keys)
        assert owners.tolist() == [first.get(key, -1) for key in keys.tolist()]
        index.add(keys[owners < 0], text)
        for key in keys.tolist():
            first.setdefault(key, text)


def test_many_texts_are_remembered_across_merges() -> None:
    near = NearDuplicates(recent=50)
    texts = ["".join(random.Random(seed).choices("あいうえおかきくけこさしすせそ", k=80)) for seed in range(120)]
    assert all(map(near.add, texts))
    assert not any(map(near.add, texts))


def test_texts_shorter_than_an_n_gram_are_compared_as_a_whole() -> None:
    near = NearDuplicates()
    assert near.add("胃癌")
    assert near.add("肺癌")
    assert not near.add("胃癌")
    assert first_grams("").size == 0 and minhash(first_grams("")).shape == (128,)


@pytest.mark.parametrize("size", [0, 1, 4, 5, 6, 19, 20, 21, 200])
def test_hashes_of_several_lengths_are_those_of_each(size: int) -> None:
    text = "".join(chr(random.Random(size + place).randrange(0x3041, 0x9FFF)) for place in range(size))
    for length, hashes in hashes_by_length(text, range(1, 24)).items():
        assert hashes.size == max(size - length + 1, 0)
        alone = [int(ngram_hashes(text[start : start + length], length)[0]) for start in range(hashes.size)]
        assert hashes.tolist() == alone


def test_hashes_stay_so_that_a_set_begun_before_keeps_its_near_duplicates() -> None:
    assert ngram_hashes("糖尿病の治療", 5).tolist() == [17875690120853967092, 5171629415281861824]


def test_known_hashes_are_told_from_others_with_equal_low_bits() -> None:
    known = KnownHashes(np.array([5, 5, 7, LOW_BITS + 1 + 9], np.uint64))
    asked = np.array([9, 7, LOW_BITS + 1 + 5, 5, 2**64 - 1, LOW_BITS + 1 + 9], np.uint64)
    assert known.places(asked).tolist() == [1, 3, 5]
    assert KnownHashes(np.zeros(0, np.uint64)).places(asked).tolist() == []

"""What the near-duplicate step must find and must leave alone, on generated documents."""

from __future__ import annotations

import random

import numpy as np
import pytest

from igakulm.corpus.dedup import Survivors, digests_of, find_duplicates, signatures_of
from igakulm.recipe.schema import NearDuplicates
from igakulm.text.ngrams import letters_of
from planted_duplicates import KINDS, REQUIRED, Planted, plant, prose, true_jaccard, words


def found_in(texts: list[str]) -> Survivors:
    letters = letters_of(texts)
    return find_duplicates(digests_of(letters), signatures_of(letters, NearDuplicates()), NearDuplicates())


@pytest.fixture(scope="module")
def planted() -> Planted:
    chooser, vocabulary = random.Random(1), words(0)
    originals = [prose(chooser, vocabulary, chooser.randrange(400, 1200)) for _ in range(400)]
    return plant(originals, 150, seed=2)


@pytest.fixture(scope="module")
def survivors(planted: Planted) -> Survivors:
    return found_in(planted.texts)


def recall(planted: Planted, survivors: Survivors) -> dict[str, float]:
    """Share of the variants of each kind that are dropped."""
    gone = (survivors.exact != np.arange(survivors.exact.size)) | (survivors.near != np.arange(survivors.near.size))
    return {
        kind: float(np.mean([gone[index] for index, one in enumerate(planted.kinds) if one == kind])) for kind in KINDS
    }


@pytest.mark.parametrize("kind", REQUIRED)
def test_planted_duplicates_are_found(kind: str, planted: Planted, survivors: Survivors) -> None:
    assert recall(planted, survivors)[kind] >= REQUIRED[kind]


def test_nothing_is_dropped_that_is_not_like_what_stays(planted: Planted, survivors: Survivors) -> None:
    assert (survivors.near[:400] == np.arange(400)).all() and (survivors.exact[:400] == np.arange(400)).all()
    dropped = np.flatnonzero(survivors.near != np.arange(survivors.near.size)).tolist()
    assert dropped
    for index in dropped:
        stays = int(survivors.near[index])
        assert survivors.near[stays] == stays and survivors.exact[stays] == stays and stays < index
        assert true_jaccard(planted.texts[index], planted.texts[stays]) >= 0.4


def test_texts_of_one_template_stay() -> None:
    chooser, vocabulary = random.Random(3), words(0)
    frame = prose(chooser, vocabulary, 320)
    texts = [frame + prose(chooser, vocabulary, 300) for _ in range(300)]
    similar = [true_jaccard(texts[0], text) for text in texts[1:]]
    assert 0.3 < np.mean(similar) < 0.4  # each with each: 45,000 chances to be wrong
    assert (found_in(texts).near == np.arange(300)).all()


def test_a_chain_of_changes_does_not_drop_what_has_become_another_text() -> None:
    chooser, vocabulary = random.Random(4), words(0)
    parts = [prose(chooser, vocabulary, 60) for _ in range(30)]
    texts = ["\n".join(parts[start : start + 10]) for start in range(20)]
    near = found_in(texts).near
    assert (near == np.arange(20)).sum() > 1 and (near != np.arange(20)).any()
    for index, stays in enumerate(near.tolist()):
        assert near[stays] == stays
        assert true_jaccard(texts[index], texts[stays]) >= 0.4

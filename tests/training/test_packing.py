"""Layouts: every token stands where it must, nothing is cut that fits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.training.packing import Layout, best_fit, concatenate

LENGTHS = st.lists(st.integers(2, 60), min_size=1, max_size=40)


def predicted(layout: Layout, lengths: list[int], sequence_length: int, restart: bool) -> list[tuple[int, int]]:
    """(document, place) of every token that is a target when documents restart."""
    targets = []
    for row, first in enumerate(layout.rows[:-1]):
        last = layout.rows[row + 1]
        assert layout.lengths[first:last].sum() <= sequence_length
        for piece in range(first, last):
            document, offset = int(layout.documents[piece]), int(layout.offsets[piece])
            assert offset + layout.lengths[piece] <= lengths[document]
            targets += [(document, offset + place) for place in range(1, int(layout.lengths[piece]))]
    return targets


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(8, 24))
def test_best_fit_predicts_every_token_once(lengths: list[int], sequence_length: int) -> None:
    layout = best_fit(lengths, sequence_length)
    expected = [(document, place) for document, length in enumerate(lengths) for place in range(1, length)]
    assert sorted(predicted(layout, lengths, sequence_length, True)) == expected
    uncut = [document for document, length in enumerate(lengths) if length <= sequence_length]
    for document in uncut:
        assert (layout.documents == document).sum() == 1


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(8, 24))
def test_concatenation_is_the_stream_cut_into_overlapping_rows(lengths: list[int], sequence_length: int) -> None:
    layout = concatenate(lengths, sequence_length)
    stream = [(document, place) for document, length in enumerate(lengths) for place in range(length)]
    rows = []
    for row, first in enumerate(layout.rows[:-1]):
        pieces = range(first, layout.rows[row + 1])
        rows.append(
            [
                (int(layout.documents[piece]), int(layout.offsets[piece]) + place)
                for piece in pieces
                for place in range(int(layout.lengths[piece]))
            ]
        )
    assert all(len(row) == sequence_length for row in rows[:-1])
    joined = rows[0] + [token for row in rows[1:] for token in row[1:]]
    assert joined == stream
    assert all(before[-1] == after[0] for before, after in itertools.pairwise(rows))


def test_best_fit_fills_rows() -> None:
    lengths = np.random.default_rng(0).integers(2, 200, 3000).tolist()
    layout = best_fit(lengths, 512)
    rows = len(layout.rows) - 1
    assert layout.lengths.sum() / (rows * 512) > 0.995


@pytest.mark.parametrize("pack", [best_fit, concatenate])
def test_no_documents_no_rows(pack: object) -> None:
    layout = pack([], 16)  # type: ignore[operator]
    assert len(layout.rows) == 1 and len(layout.lengths) == 0

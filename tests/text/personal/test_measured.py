"""What the card quotes is what these rules find today in the labelled notes."""

import pytest

import labelled_notes
from igakulm.evaluation.personal_spans import measure, measured, share_of
from igakulm.text.personal.finder import Finder


@pytest.mark.parametrize("number", range(len(labelled_notes.HALVES)))
def test_what_is_stored_is_what_is_measured(number: int) -> None:
    half = labelled_notes.HALVES[number]
    assert labelled_notes.measure_half(half, Finder()) == measured()[number]


def test_the_notes_are_many_and_the_last_set_is_held_out() -> None:
    assert sum(one.notes for one in measured()) >= 200
    assert [one.held_out for one in measured()] == [half == labelled_notes.HELD_OUT for half in labelled_notes.HALVES]
    assert measured()[-1].held_out and measured()[-1].notes >= 200


def test_a_half_found_label_is_missed_and_a_wide_span_is_wrong() -> None:
    text = "電話03-5555-0123まで"
    right = measure("t", [(text, [(2, 14, "telephone")])], ["咳"], Finder())
    assert right.recall == share_of(1, 1) and right.precision == share_of(1, 1) and right.negatives == share_of(1, 1)
    longer = measure("t", [(text, [(0, 14, "telephone")])], [text], Finder())
    assert longer.recall == share_of(0, 1) and longer.negatives == share_of(0, 1)
    short = measure("t", [(text, [(2, 4, "telephone")])], [], Finder())
    assert short.precision == share_of(0, 1)

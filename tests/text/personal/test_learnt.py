"""The layer that learnt and the one of MeCab's sentences: what they add, and that what is shipped can be made again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelled_notes
from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.finder import Finder
from igakulm.text.personal.gazetteer import gazetteer
from igakulm.text.personal.learnt import LONGEST, clues, find_learnt, parts, tagger
from igakulm.text.personal.sentences import find_names_in_sentences
from varied_notes import training_notes, varied


@given(st.text(alphabet="あ\n", max_size=3 * LONGEST))
@settings(max_examples=50, deadline=None)
def test_the_parts_are_the_text_and_none_is_long(text: str) -> None:
    found = list(parts(text))
    assert "".join(text[start:end] for start, end in found) == text
    assert all(0 < end - start <= LONGEST for start, end in found)


@given(st.text(alphabet="佐藤花子林を歩くサトウさん \n\0。", max_size=60))
@settings(max_examples=50, deadline=None)
def test_clues_lie_in_the_text(text: str) -> None:
    assert all(0 <= start < end <= len(text) for start, end, _ in clues(text))


def test_the_shipped_tagger_is_small() -> None:
    assert len(tagger().model) <= 2**20


@pytest.mark.slow
def test_the_shipped_tagger_can_be_made_again(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(project / "benchmarks" / "personal_tagger.py"), "--out", str(tmp_path / "again")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(project / "src")})
    assert (tmp_path / "again").read_bytes() == tagger().model


def test_a_surname_that_no_list_knows_is_found_by_what_stands_around_it() -> None:
    text = "担当医 籾塚 志朗\n処方は籾塚が変更した。"
    assert "籾塚" not in gazetteer().surnames
    found = Finder(("name",), ("tagger",)).find(text)
    assert found and {span.rule for span in found} == {"tagger"}
    assert text[found[0].start : found[0].end].startswith("籾塚")
    assert all(0 < span.confidence <= 1 for span in found)


def test_layers_are_off_unless_they_are_asked_for() -> None:
    text = "担当医 籾塚 志朗"
    kinds: tuple[Kind, ...] = ("name",)
    assert Finder(kinds, ("rules",)).find(text) == []
    assert list(find_learnt(text, ("address",))) == []


def test_mecab_s_persons_are_told_with_little_confidence() -> None:
    found = list(find_names_in_sentences("佐藤花子は帰宅した。林を歩く。橋本病で受診。", gazetteer()))
    assert [(span.start, span.end, span.rule) for span in found] == [(0, 4, "names beside each other")]
    assert all(span.confidence < 0.8 for span in found)


def test_a_note_and_its_variations_have_the_same_labels() -> None:
    for note in labelled_notes.hand_written("a")[:6]:
        for number in range(3):
            text, marks = varied(note, number)
            assert [mark.kind for mark in marks] == [kind for _, _, kind in sorted(note.spans)]
            assert all(text[mark.start : mark.end].strip() for mark in marks)
            assert varied(note, number) == (text, marks)


def test_the_held_out_notes_are_not_learnt_from() -> None:
    held_out = {note.text for note in labelled_notes.hand_written("f")}
    learnt = {text for text, _ in training_notes([half for half in labelled_notes.HALVES if half != "f"], 1)}
    assert learnt and not learnt & held_out

"""A linear-chain conditional random field over characters: strings of given kinds, found in a text.

Does: learn from texts whose strings are marked, find strings of the same kinds in other texts, say how probable each
is, keep what it learnt as one file. Does not: know what the kinds mean, read rows, or score.

Labels are B, I and O per kind (one string does not overlap another); features are characters and kinds of characters
around a place, and the run of one script that it stands in. Lafferty, McCallum and Pereira, "Conditional Random
Fields", ICML 2001; trained by L-BFGS of CRFsuite. The same texts give the same tagger.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from igakulm.errors import InputError
from igakulm.text.compared_letters import plain_characters

OUTSIDE = "O"
AROUND = 3
"""Characters to each side whose features a place has."""
LONGEST_RUN = 12
L1, L2, ROUNDS = 0.05, 0.01, 100
_MAGIC = b"lCRF"


class Mark(NamedTuple):
    """`text[start:end]` is of a kind, by somebody's word."""

    start: int
    end: int
    kind: str


class Found(NamedTuple):
    """`text[start:end]` is of a kind; `confidence` is the probability of the least certain of its characters."""

    start: int
    end: int
    kind: str
    confidence: float


Clues = Callable[[str], Iterable[Mark]]
"""What dictionaries or rules say about a text; taken as features: how far to rely on it is learnt."""


class Tagger:
    """What was learnt. May be asked by several threads; they take turns."""

    def __init__(self, model: bytes, clues: Clues | None = None) -> None:
        """Take a trained model.

        Args:
            model: as `train` made it.
            clues: the function that it was trained with, if there was one.

        Raises:
            InputError: these are not the bytes of a tagger.
        """
        import pycrfsuite

        if model[:4] != _MAGIC:
            raise InputError("this is no file of a tagger", hint="train one, or name another file")
        self.model = model
        self._clues = clues
        self._turn = threading.Lock()
        self._crf = pycrfsuite.Tagger()
        self._crf.open_inmemory(model)

    @classmethod
    def train(
        cls,
        texts: Sequence[str],
        marks: Sequence[Sequence[Mark]],
        clues: Clues | None = None,
        *,
        l1: float = L1,
        l2: float = L2,
        rounds: int = ROUNDS,
    ) -> Self:
        """Learn from texts and the marks of each.

        Args:
            texts: with and without marks.
            marks: of each text; of marks that overlap the first counts, the longer where they begin together.
            clues: gives further features of a text.
            l1: weight of the absolute values of the parameters: how few of them stay.
            l2: weight of their squares.
            rounds: of L-BFGS, at most.

        Raises:
            InputError: there is no mark.
            ValueError: a mark lies outside of its text.
        """
        import pycrfsuite

        if not any(marks):
            raise InputError("a tagger cannot be trained without a single marked string")
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        trainer.set_params({"c1": l1, "c2": l2, "max_iterations": rounds, "feature.possible_transitions": True})
        for text, own in zip(texts, marks, strict=True):
            if text:
                trainer.append(features(text, clues), labels_of(text, own))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            trainer.train(str(path))
            return cls(path.read_bytes(), clues)

    @classmethod
    def open(cls, path: Path, clues: Clues | None = None) -> Self:
        """A tagger that was saved (`path.write_bytes(tagger.model)`)."""
        return cls(path.read_bytes(), clues)

    def find(self, text: str) -> list[Found]:
        """The strings of the likeliest labelling of a text, in order; they do not overlap."""
        if not text:
            return []
        rows = features(text, self._clues)
        with self._turn:
            self._crf.set(rows)
            labels = self._crf.tag()
            sure = [0.0 if label == OUTSIDE else self._crf.marginal(label, at) for at, label in enumerate(labels)]
        return [Found(start, end, kind, round(min(sure[start:end]), 4)) for start, end, kind in strings_of(labels)]


def labels_of(text: str, marks: Iterable[Mark]) -> list[str]:
    """One label a character.

    >>> labels_of("胸痛なし", [Mark(0, 2, "d")])
    ['B-d', 'I-d', 'O', 'O']

    Raises:
        ValueError: a mark lies outside of its text.
    """
    labels = [OUTSIDE] * len(text)
    for start, end, kind in sorted(marks, key=lambda one: (one.start, -one.end)):
        if not 0 <= start < end <= len(text):
            raise ValueError(f"the mark {start} to {end} is not within the {len(text)} characters of its text")
        if all(label == OUTSIDE for label in labels[start:end]):
            labels[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return labels


def strings_of(labels: Sequence[str]) -> list[Mark]:
    """The strings that labels name; an I that continues nothing begins a string.

    >>> strings_of(["O", "B-d", "I-d", "B-d", "O", "I-m"])
    [Mark(start=1, end=3, kind='d'), Mark(start=3, end=4, kind='d'), Mark(start=5, end=6, kind='m')]
    """
    found: list[Mark] = []
    for at, label in enumerate(labels):
        if label == OUTSIDE:
            continue
        kind = label[2:]
        if label[0] == "I" and found and found[-1].end == at and found[-1].kind == kind:
            found[-1] = found[-1]._replace(end=at + 1)
        else:
            found.append(Mark(at, at + 1, kind))
    return found


def features(text: str, clues: Clues | None = None) -> list[list[str]]:
    """The features of each character of a text."""
    plain = plain_characters(text)
    scripts = "".join(map(_script, plain))
    edge = "\x02" * AROUND
    near, kinds = edge + plain + edge, edge + scripts + edge
    runs = _runs(plain, scripts)
    rows = [_features_at(near, kinds, at) + runs[at - AROUND] for at in range(AROUND, AROUND + len(plain))]
    for start, end, kind in clues(text) if clues else ():
        for at in range(start, end):
            rows[at].append(f"clue {kind} {'B' if at == start else 'I'}{'E' if at == end - 1 else ''}")
    return rows


def _features_at(near: str, kinds: str, at: int) -> list[str]:
    """Characters one by one, in pairs, threes and fours that hold or touch this place; scripts of what is around it."""
    found = ["bias"]
    found += [f"1 {step} {near[at + step]}" for step in range(-AROUND, AROUND + 1)]
    found += [f"2 {step} {near[at + step : at + step + 2]}" for step in (-2, -1, 0, 1)]
    found += [f"3 {step} {near[at + step : at + step + 3]}" for step in (-3, -2, -1, 0, 1)]
    found += [f"4 {step} {near[at + step : at + step + 4]}" for step in (-3, 0)]
    found += [f"s {step} {kinds[at + step]}" for step in (-1, 0, 1)]
    found += [f"s2 {kinds[at - 1 : at + 1]}", f"s2+ {kinds[at : at + 2]}", f"s5 {kinds[at - 2 : at + 3]}"]
    return found


def _runs(plain: str, scripts: str) -> list[list[str]]:
    """For each character the run of one script that it stands in, where in it, and the runs before and after it."""
    borders = [0, *(at for at in range(1, len(plain)) if scripts[at] != scripts[at - 1]), len(plain)]
    words = [plain[start:end][:LONGEST_RUN] for start, end in pairwise(borders)]
    found: list[list[str]] = []
    for number, (start, end) in enumerate(pairwise(borders)):
        before = words[number - 1] if number else ""
        after = words[number + 1] if number + 1 < len(words) else ""
        for at in range(start, end):
            place = f"{min(at - start, 3)}{min(end - 1 - at, 3)}"
            found.append(
                [f"run {words[number]}", f"run {words[number]} {place}", f"place {place}", f"<{before}", f">{after}"]
            )
    return found


def _script(character: str) -> str:
    """One letter for the kind of a character.

    >>> "".join(map(_script, "CRP上昇、カルテのー5 ※"))
    'AAAKK.kkkhk0 .'
    """
    if character.isspace():
        return " "
    if character.isdecimal():
        return "0"
    if "ァ" <= character <= "ヺ" or character == "ー":
        return "k"
    if "ぁ" <= character <= "ゖ":
        return "h"
    if character in "々〆" or "㐀" <= character <= "鿿" or "豈" <= character <= "﫿" or "𠀀" <= character <= "𲎯":
        return "K"
    return "A" if character.isalpha() else "."

"""The character tagger: labels and strings are each other's inverse, it generalises, repeats itself, keeps itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.text.tagger import Mark, Tagger, features, labels_of, strings_of

SYMPTOMS = ("頭痛", "発熱", "下肢の浮腫", "腹部膨満感", "咳嗽", "全身倦怠感", "胸痛", "動悸")
FRAMES = (
    "今朝から{}を訴える。",
    "{}は認めない。",
    "夜間に{}あり、眠れず。",
    "{}のため受診した。",
    "家族によれば{}が続くとのこと。",
)


def texts(symptoms: tuple[str, ...]) -> tuple[list[str], list[list[Mark]]]:
    made, marks = [], []
    for symptom in symptoms:
        for frame in FRAMES:
            start = frame.index("{}")
            made.append(frame.format(symptom))
            marks.append([Mark(start, start + len(symptom), "symptom")])
    plain = ["体温は36.5。", "脈拍は80。", "食事は全量摂取。", "呼吸は平静。", "SpO2は98%。"]
    return made + plain, marks + [[] for _ in plain]


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.train(*texts(SYMPTOMS))


def test_a_string_that_no_text_held_is_found_by_what_stands_around_it(tagger: Tagger) -> None:
    for text in ("今朝から悪寒を訴える。", "悪寒のため受診した。"):
        (found,) = tagger.find(text)
        assert text[found.start : found.end] == "悪寒" and found.kind == "symptom"
        assert 0.3 < found.confidence < 1
    assert tagger.find("血圧は120/70。") == [] and tagger.find("") == []


def test_the_same_texts_give_the_same_tagger_and_a_file_of_it_answers_alike(tagger: Tagger, tmp_path: Path) -> None:
    assert Tagger.train(*texts(SYMPTOMS)).model == tagger.model
    path = tmp_path / "symptoms.tagger"
    path.write_bytes(tagger.model)
    text = "夜間に咳嗽あり、発熱のため受診した。"
    assert Tagger.open(path).find(text) == tagger.find(text) != []


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"{}")
    with pytest.raises(InputError, match="no file of a tagger"):
        Tagger.open(path)
    with pytest.raises(InputError, match="without a single"):
        Tagger.train(["頭痛"], [[]])


def test_clues_of_a_dictionary_are_learnt(tagger: Tagger) -> None:
    known = {"甲乙丙", "丁戊"}

    def clues(text: str) -> Iterator[Mark]:
        for name in sorted(known):
            at = text.find(name)
            if at >= 0:
                yield Mark(at, at + len(name), "name")

    made = [f"A{name}B" for name in sorted(known)] + ["A己庚辛B", "A壬癸B"]
    marks = [[Mark(1, 1 + len(name), "name")] for name in sorted(known)] + [[], []]
    trained = Tagger.train(made * 5, marks * 5, clues)
    known.add("子丑寅")
    assert [one[:3] for one in trained.find("A子丑寅B")] == [(1, 4, "name")]
    assert trained.find("A卯辰巳B") == []


def test_threads_take_turns(tagger: Tagger) -> None:
    made, _ = texts(SYMPTOMS)
    alone = [tagger.find(text) for text in made]
    said: dict[int, list[object]] = {}
    threads = [
        threading.Thread(target=lambda number=number: said.update({number: [tagger.find(text) for text in made]}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(said[number] == alone for number in range(4))


@settings(deadline=None)
@given(st.text(max_size=40), st.data())
def test_labels_give_the_marks_back(text: str, data: st.DataObject) -> None:
    borders = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    marks = [
        Mark(start, end, data.draw(st.sampled_from("dm")))
        for start, end in zip(borders[::2], borders[1::2], strict=False)
    ]
    assert strings_of(labels_of(text, marks)) == marks
    assert len(features(text)) == len(text)


def test_of_marks_that_overlap_the_first_and_longest_counts_and_one_outside_is_an_error() -> None:
    assert strings_of(labels_of("abcdef", [Mark(1, 3, "x"), Mark(1, 4, "y"), Mark(3, 6, "z")])) == [Mark(1, 4, "y")]
    with pytest.raises(ValueError, match="not within"):
        labels_of("abc", [Mark(2, 4, "x")])


def test_a_character_outside_of_the_first_plane_is_one_place() -> None:
    text = "𩸽を食べ、ｶﾞﾝを疑う"
    assert len(features(text)) == len(text)
    tagger = Tagger.train([text] * 3, [[Mark(0, 1, "fish"), Mark(5, 8, "d")]] * 3)
    assert [(text[one.start : one.end], one.kind) for one in tagger.find(text)] == [("𩸽", "fish"), ("ｶﾞﾝ", "d")]

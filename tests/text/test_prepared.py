"""Prepared text: the way from every character to its place in the original, and the file that says the form."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.recipe.schema import Jmed
from igakulm.tasks.benchmarks import jmed
from igakulm.tasks.items import Item
from igakulm.text.cleaning import clean_text, clean_texts
from igakulm.text.preparation import PREPARATION_FILE, read_preparation, write_preparation
from igakulm.text.prepared import Form, Prepared, prepare

FORMS: tuple[Form, ...] = ("cleaned", "width", "raw")
AWKWARD = (
    " \n\t\u3000..,．，、。・ー-—〜!?…°ºCFＷwww笑笑ガ"
    "ｶﾞﾊﾟ１２1五AaéÅ\u3099\u0301\u200b①㎎²³½ⅡⅢ（）「」゛゜ﾟ¨가\ue000\0\x1e\ud800\U000e0100"
)
awkward_text = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=60)


def check_map(made: Prepared) -> None:
    places, ends = np.array(made.places), np.array(made.ends, int)
    assert len(places) == len(made.text) + 1 and len(ends) == len(made.text)
    assert places[0] >= 0 and places[-1] == len(made.original)
    assert (np.diff(places) >= 0).all() and (np.diff(ends) >= 0).all()
    assert (places[:-1] < ends).all() and (ends <= len(made.original)).all()


@settings(max_examples=300, deadline=None)
@given(awkward_text, st.sampled_from(FORMS))
def test_the_map_never_falls_and_covers_the_text(text: str, form: Form) -> None:
    made = prepare(text, form)
    assert made.original == text
    check_map(made)
    for start in range(0, len(made.text), 7):
        for end in (start, start + 1, len(made.text)):
            first, last = made.original_span(start, end)
            assert 0 <= first <= last <= len(text)
            if end > start:
                found = made.prepared_span(first, last)
                assert found[0] <= start and end <= found[1]


@settings(max_examples=200, deadline=None)
@given(awkward_text)
def test_cleaned_is_what_the_corpus_cleaning_gives(text: str) -> None:
    assert prepare(text, "cleaned").text == clean_text(text)
    assert prepare(text, "raw").text == text


@settings(max_examples=200, deadline=None)
@given(awkward_text)
def test_a_character_that_stays_is_found_at_its_place(text: str) -> None:
    made = prepare(text, "cleaned")
    for character, place in zip(made.text, made.places, strict=False):
        if character in "五薬Aa":  # what is never made of another character here
            assert clean_text(text[place]) == character


@pytest.mark.parametrize(
    ("original", "text", "part", "written"),
    [
        ("ＨｂＡ１ｃ　７．２％", "HbA1c 7.2%", "7.2%", "７．２％"),
        ("血糖１８０㎎／㎗。", "血糖180mg/dl。", "180mg/dl", "１８０㎎／㎗"),
        ("体温37.5°Cです", "体温37.5℃です", "37.5℃", "37.5°C"),
        ("ﾜﾙﾌｧﾘﾝ ﾊﾟｯﾁ錠", "ワルファリン パッチ錠", "パッチ", "ﾊﾟｯﾁ"),
        ("熱が...続く", "熱が…続く", "…", "..."),
        ("すごーーーーい痛み", "すごーい痛み", "すごーい", "すごーーーーい"),
        ("①アスピリン②ヘパリン", "(1)アスピリン(2)ヘパリン", "(2)", "②"),
        ("か\u3099ん", "がん", "が", "か\u3099"),
    ],
)
def test_an_answer_is_given_back_as_the_original_writes_it(original: str, text: str, part: str, written: str) -> None:
    made = prepare(original, "cleaned")
    assert made.text == text
    start = text.index(part)
    first, last = made.original_span(start, start + len(part))
    assert original[first:last] == written
    assert made.prepared_span(first, last) == (start, start + len(part))


def jmed_items(folder: Path) -> list[Item]:
    config = Jmed(path=str(folder / "jmed-llm"))
    both = (*jmed.load_test(config).values(), *jmed.load_train(config).values())
    return [item for items in both for item in items]


@pytest.mark.parametrize("form", ["cleaned", "width"])
def test_every_entity_of_jmed_is_found_again(real_data: Path, form: Form) -> None:
    items = [item for item in jmed_items(real_data) if item.kind == "entities"]
    entities = 0
    for item in items:
        made = prepare(item.question, form)
        check_map(made)
        for answer in item.answer:
            start = item.question.rindex(answer, 0, item.question.rindex("」"))
            span = made.prepared_span(start, start + len(answer))
            first, last = made.original_span(*span)
            assert item.question[first:last].strip() == answer.strip() != ""
            assert clean_text(made.text[slice(*span)]) == clean_text(answer)
            entities += 1
    assert entities > 6000


def test_the_messages_of_jmed_are_cleaned_as_the_corpus_is(real_data: Path) -> None:
    questions = [item.question for item in jmed_items(real_data)]
    for question, cleaned in list(zip(questions, clean_texts(questions), strict=True))[::9]:
        made = prepare(question, "cleaned")
        assert made.text == cleaned
        check_map(made)


@pytest.mark.slow
def test_all_messages_of_jmed_are_cleaned_as_the_corpus_is(real_data: Path) -> None:
    questions = [item.question for item in jmed_items(real_data)]
    for question, cleaned in zip(questions, clean_texts(questions), strict=True):
        made = prepare(question, "cleaned")
        assert made.text == cleaned
        check_map(made)


@pytest.mark.parametrize("text", ["", " \n\u3000", "\u200b\0\ud800", "\x1e"])
def test_a_text_of_which_nothing_is_left(text: str) -> None:
    made = prepare(text, "cleaned")
    assert made == Prepared("", text, (len(text),), ())
    assert made.original_span(0, 0) == (len(text), len(text))
    assert made.prepared_span(0, len(text)) == (0, 0)


def test_spans_outside_the_text_are_refused() -> None:
    made = prepare("熱", "cleaned")
    for start, end in ((-1, 0), (1, 0), (0, 2)):
        with pytest.raises(ValueError, match="no span"):
            made.original_span(start, end)
        with pytest.raises(ValueError, match="no span"):
            made.prepared_span(start, end)


def test_a_long_record_is_prepared_quickly() -> None:
    text = ("７４歳男性。ＨｂＡ１ｃ　７．２％、血圧１２０／８０ｍｍＨｇ（臥位）。①ﾜｰﾌｧﾘﾝ　５㎎　１日３回... " * 4000)[
        :200_000
    ]
    prepare(text[:100], "cleaned")  # builds the tables
    start = time.process_time()
    made = prepare(text, "cleaned")
    assert time.process_time() - start < 1
    check_map(made)


def test_control_tokens_stay_text_in_every_width() -> None:
    for written in ("<|user|>", "＜｜ｕｓｅｒ｜＞", "＜|user｜>"):
        assert prepare(f"熱{written}咳", "cleaned").text == "熱<|user|>咳"


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_says_its_form(tmp_path: Path, form: Form) -> None:
    assert read_preparation(tmp_path) == "raw"
    write_preparation(tmp_path, form)
    assert read_preparation(tmp_path) == form
    assert json.loads((tmp_path / PREPARATION_FILE).read_text()) == {"version": 1, "form": form}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"version": 2, "form": "cleaned"}', "version 2, and this program knows version 1"),
        ('{"version": 1, "form": "cleanded"}', "'cleanded'"),
        ('{"version": 1}', "does not say"),
        ('{"version": true, "form": "raw"}', "does not say"),
        ('{"version": 1, "form": "raw", "more": 1}', "does not say"),
        ('["raw"]', "does not say"),
        ('{"version": 1, "form": ["raw"]}', "there is no form"),
    ],
)
def test_a_form_that_is_not_known_is_refused(tmp_path: Path, value: str, said: str) -> None:
    (tmp_path / PREPARATION_FILE).write_text(value, encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        read_preparation(tmp_path)
    assert caught.value.where == str(tmp_path / PREPARATION_FILE)

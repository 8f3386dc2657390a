"""JMED-LLM files: a small set in the published layout, wrong files, and the real sizes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import Jmed
from igakulm.tasks.benchmarks.jmed import TASKS, load_test, load_train

RRTNM = ["tag", "question", "optionA", "optionB", "optionC", "optionD", "optionE", "answer"]
NER = ["tag", "question", "answer"]


def write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def report(text: str, answer: str = "B", options: Sequence[str] = ("None", "NA", "", "", "")) -> list[str]:
    return ["T", f"腫瘍はありますか？\n「{text}」", *options, answer]


def test_none_and_na_stay_texts_and_empty_options_at_the_end_go(tmp_path: Path) -> None:
    write(tmp_path / "rrtnm.csv", RRTNM, [report("影がある。\n「疑い」とする。")])
    (item,) = load_test(Jmed(path=str(tmp_path), tasks=("rrtnm",)))["rrtnm"]
    assert item.choices == ("None", "NA")
    assert item.answer == ("B",)
    assert item.document == "影がある。\n「疑い」とする。"
    assert (item.tag, item.task, item.kind, item.wanted) == ("T", "rrtnm", "choice", 1)


def test_train_is_all_minus_test_and_only_of_the_right_tags(tmp_path: Path) -> None:
    found = ["d", "所見は？\n「咳と発熱」", "['咳', '発熱']"]
    other = ["d", "所見は？\n「腹痛」", "['腹痛']"]
    medicine = ["m-key", "薬品名は？\n「甲錠」", "['甲錠']"]
    write(tmp_path / "mrner_disease.csv", NER, [found])
    write(tmp_path / "all/CRNER.csv", NER, [found, medicine])
    write(tmp_path / "all/RRNER.csv", NER, [other])
    train = load_train(Jmed(path=str(tmp_path), tasks=("mrner_disease",)))["mrner_disease"]
    assert [item.answer for item in train] == [("腹痛",)]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (report("x", answer="C"), "not one of the options"),
        (report("x", answer="AB"), "not one of the options"),
        (report("x", answer=""), "not one of the options"),
        (report("x", options=("a", "", "c", "", "")), "option B is empty"),
        (report("x", options=("a", "", "", "", ""), answer="A"), "fewer than two"),
        (["T", "腫瘍はありますか？", "a", "b", "", "", "", "A"], "no document"),
        (["T", " ", "a", "b", "", "", "", "A"], "question is empty"),
        (["T", "q\n「x」", "a"], "cells"),
    ],
)
def test_a_wrong_row_is_named_with_file_and_row(tmp_path: Path, row: list[str], what: str) -> None:
    write(tmp_path / "rrtnm.csv", RRTNM, [report("良"), row])
    with pytest.raises(InputError, match=what) as caught:
        load_test(Jmed(path=str(tmp_path), tasks=("rrtnm",)))
    assert "rrtnm.csv, row 2" in str(caught.value)


@pytest.mark.parametrize("answer", ["[]", "咳", "['咳'", "[['咳']]", "open('x')", "['咳'] * 9"])
def test_an_entity_answer_must_be_a_filled_list_of_strings(tmp_path: Path, answer: str) -> None:
    write(tmp_path / "nrner.csv", NER, [["d", "所見は？\n「咳」", answer]])
    with pytest.raises(InputError, match="not a filled list"):
        load_test(Jmed(path=str(tmp_path), tasks=("nrner",)))


def test_file_mistakes(tmp_path: Path) -> None:
    config = Jmed(path=str(tmp_path), tasks=("nrner",))
    with pytest.raises(InputError, match="no such file"):
        load_test(config)
    write(tmp_path / "nrner.csv", ["tag", "answer"], [["d", "['咳']"]])
    with pytest.raises(InputError, match="column 'question' is missing"):
        load_test(config)
    row = ["d", "所見は？\n「咳」", "['咳']"]
    write(tmp_path / "nrner.csv", NER, [row, row])
    with pytest.raises(InputError, match="same question as in row 1"):
        load_test(config)
    (tmp_path / "nrner.csv").write_bytes(b"tag,question,answer\n\xff,x,y\n")
    with pytest.raises(InputError, match="not UTF-8"):
        load_test(config)
    (tmp_path / "nrner.csv").write_text('tag,question,answer\nd,"x" y,z\n', encoding="utf-8")
    with pytest.raises(InputError, match="not valid CSV"):
        load_test(config)


@pytest.mark.parametrize("column", RRTNM)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    place = RRTNM.index(column)
    row = report("良")
    write(tmp_path / "rrtnm.csv", RRTNM[:place] + RRTNM[place + 1 :], [row[:place] + row[place + 1 :]])
    with pytest.raises(InputError, match=f"column {column!r} is missing"):
        load_test(Jmed(path=str(tmp_path), tasks=("rrtnm",)))


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "rrtnm.csv").write_bytes(b"")
    with pytest.raises(InputError, match="column 'tag' is missing"):
        load_test(Jmed(path=str(tmp_path), tasks=("rrtnm",)))


def test_a_row_with_a_cell_too_many(tmp_path: Path) -> None:
    write(tmp_path / "rrtnm.csv", RRTNM, [[*report("良"), "x"]])
    with pytest.raises(InputError, match="has not 8 cells"):
        load_test(Jmed(path=str(tmp_path), tasks=("rrtnm",)))


def test_every_task_has_its_licence() -> None:
    licences = {name: task.licence for name, task in TASKS.items()}
    assert licences.pop("jmmlu_med") == "CC BY-SA 4.0"
    assert licences.pop("nrner") == licences.pop("jcsts") == "CC BY-NC-SA 4.0"
    assert set(licences.values()) == {"CC BY 4.0"}


def test_an_unknown_task_is_met_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean crade"):
        load_test(Jmed(path="x", tasks=("crad",)))


def test_real_sizes(real_data: Path) -> None:
    config = Jmed(path=str(real_data / "jmed-llm"))
    test, train = load_test(config), load_train(config)
    assert {name: len(items) for name, items in test.items()} == dict.fromkeys(TASKS, 100)
    assert {name: len(items) for name, items in train.items()} == {
        "jmmlu_med": 581,
        "crade": 1530,
        "rrtnm": 224,
        "smdis": 15260,
        "jcsts": 3570,
        "mrner_disease": 119,
        "mrner_medicine": 18,
        "nrner": 1439,
    }
    assert all(entity in item.document for item in test["nrner"] for entity in item.answer)
    assert all(len(item.sentences) == 2 and item.ordered for item in test["jcsts"])

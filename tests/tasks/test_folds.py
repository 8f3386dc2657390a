"""Grouped folds: whole documents, even tasks, and the same deal for any choice of tasks."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarksSection, Igakuqa, Jmed, RowTask
from igakulm.tasks.folds import assign_folds, check_split
from igakulm.tasks.items import Item
from igakulm.tasks.load import load_folds, load_split
from igakulm.tasks.splits import all_documents, leakage, linked_groups


def item(identifier: str, document: str, task: str = "t", sentences: tuple[str, ...] = ()) -> Item:
    return Item(identifier, task, "choice", "問", ("a", "b"), ("A",), document=document, sentences=sentences)


def row(identifier: str, document: str) -> dict[str, Any]:
    return {"id": identifier, "tag": "x", "document": document, "choices": ["甲", "乙"], "answer": ["a"]}


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return str(path)


def two_tasks(tmp_path: Path) -> BenchmarksSection:
    """Task "first" in 6 documents of which some are also in "second"; "exam" has no training rows."""
    first = [row(str(number), f"文書{number % 6}番") for number in range(12)]
    second = [row(str(number), f"文書{number}番。") for number in (0, 1, 2, 7, 8, 9)]
    exam = {"id": "1", "question": "文書３番", "choices": ["甲", "乙"], "answer": ["a"]}
    return BenchmarksSection(
        rows=(
            RowTask(
                name="first",
                kind="classification",
                test=write(tmp_path / "first.test.jsonl", *first[:4]),
                train=write(tmp_path / "first.train.jsonl", *first[4:], row("0", "文書5番")),
            ),
            RowTask(
                name="second",
                kind="classification",
                test=write(tmp_path / "second.test.jsonl", *second[:2]),
                train=write(tmp_path / "second.train.jsonl", *second[2:]),
            ),
            RowTask(name="exam", kind="exam", test=write(tmp_path / "exam.jsonl", exam)),
        )
    )


@pytest.mark.parametrize(
    ("split", "what"),
    [
        ("fold-6-of-5", "no fold 6 of 5"),
        ("fold-0-of-5", "no fold 0 of 5"),
        ("fold-1-of-1", "1 folds; a split has 2 to 20"),
        ("fold-1-of-21", "21 folds"),
        ("fold-1-of-0", "0 folds"),
        ("fold-2-of5", "did you mean fold-1-of-5"),
        ("fold--1-of-5", "did you mean fold-1-of-5"),
        ("publshed", "did you mean published"),
        ("document_disjoint", "did you mean document-disjoint"),
        ("random", "use published, document-disjoint or a fold such as fold-1-of-5"),
        ("fold-２-of-５", "unknown split"),
        ("", "unknown split"),
    ],
)
def test_wrong_names_of_splits(split: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        check_split(split)
    with pytest.raises(InputError, match=what):
        load_split(BenchmarksSection(), split)


def test_right_names_of_splits() -> None:
    assert check_split("fold-20-of-20") == (20, 20)
    assert check_split("document-disjoint") is None


def test_links_run_through_others() -> None:
    chain = [{str(number), str(number + 1)} for number in range(0, 5000)]
    assert set(linked_groups(chain[::-1])) == {0}
    assert linked_groups([set(), {"a"}, set(), {"a"}]) == [0, 1, 2, 1]
    assert linked_groups([]) == []


def test_folds_are_even_and_do_not_depend_on_order_or_other_tasks() -> None:
    many = {"t": [item(str(number), f"文書{number}号") for number in range(103)]}
    folds = assign_folds(many, 5)["t"]
    assert sorted(Counter(folds).values()) == [20, 20, 21, 21, 21]
    assert assign_folds({"t": many["t"][::-1]}, 5)["t"] == folds[::-1]
    other = {"a": [item(str(number), f"別{number}号", "a") for number in range(40)]}
    assert assign_folds(other | many, 5)["t"] == folds
    assert assign_folds({}, 5) == {}


def test_rows_without_a_document_stand_alone() -> None:
    folds = assign_folds({"t": [item(str(number), "") for number in range(10)]}, 5)["t"]
    assert set(Counter(folds).values()) == {2}


def test_a_sentence_keeps_rows_together_across_tasks() -> None:
    tasks = {
        "pairs": [item("1", "", "pairs", ("甲の文。", "乙の文。")), item("2", "", "pairs", ("乙の文", "丙の文"))],
        "notes": [item("1", "丙の文", "notes"), item("2", "丁の文", "notes")],
    }
    folds = assign_folds(tasks, 2)
    assert len({*folds["pairs"], folds["notes"][0]}) == 1
    assert folds["notes"][1] != folds["notes"][0]


def test_each_row_is_tested_once_and_no_document_is_on_both_sides(tmp_path: Path) -> None:
    folds = load_folds(two_tasks(tmp_path), 3)
    assert [fold.name for fold in folds] == ["fold-1-of-3", "fold-2-of-3", "fold-3-of-3"]
    for task, count in (("first", 13), ("second", 6)):
        tested = [one.id for fold in folds for one in fold.test[task]]
        assert len(tested) == len(set(tested)) == count
        assert all(fold.test[task] for fold in folds)
    assert "train-0" in {one.id for fold in folds for one in fold.test["first"]}, "an id in both files gets a new name"
    for fold in folds:
        assert not all_documents(fold.train) & all_documents(fold.test)
        assert list(fold.test) == ["first", "second", "exam"] and list(fold.train) == ["first", "second"]
        assert len(fold.test["exam"]) == 1
        learnt = [one.document for one in fold.train["first"]]
        assert "文書3番" not in learnt, "the examination tests this document in every fold"


def test_one_fold_is_that_of_all_folds(tmp_path: Path) -> None:
    config = two_tasks(tmp_path)
    assert load_split(config, "fold-2-of-3") == load_folds(config, 3)[1]


def test_a_task_with_fewer_documents_than_folds(tmp_path: Path) -> None:
    folds = load_folds(two_tasks(tmp_path), 8)
    assert sum(not fold.test["first"] for fold in folds) == 2
    assert [len(fold.train["first"]) + len(fold.test["first"]) for fold in folds if not fold.test["first"]] == [11, 11]


def jmed_folder(folder: Path) -> Path:
    """RRTNM and MRNER-disease with documents in common."""
    (folder / "all").mkdir(parents=True)
    letters = ["optionA", "optionB", "optionC", "optionD", "optionE"]
    reports = [["T", f"問\n「所見{number}」", "a", "b", "", "", "", "A"] for number in range(20)]
    notes = [["d", f"問\n「所見{number}」", "['所見']"] for number in range(0, 20, 2)]
    for name, columns, rows in (
        ("rrtnm", letters, reports[:4]),
        ("all/RRTNM", letters, reports),
        ("mrner_disease", [], notes[:4]),
        ("all/CRNER", [], notes),
        ("all/RRNER", [], []),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["tag", "question", *columns, "answer"], *rows])
    return folder


def test_the_choice_of_tasks_does_not_change_a_fold(tmp_path: Path) -> None:
    folder = str(jmed_folder(tmp_path / "jmed"))
    both = load_folds(BenchmarksSection(jmed=Jmed(path=folder, tasks=("rrtnm", "mrner_disease"))), 4)
    alone = load_folds(BenchmarksSection(jmed=Jmed(path=folder, tasks=("mrner_disease",))), 4)
    assert [fold.test["mrner_disease"] for fold in alone] == [fold.test["mrner_disease"] for fold in both]
    assert all(list(fold.test) == ["mrner_disease"] for fold in alone)


def test_real_folds(real_data: Path) -> None:
    config = BenchmarksSection(
        jmed=Jmed(path=str(real_data / "jmed-llm")), igakuqa=Igakuqa(path=str(real_data / "igakuqa/data"))
    )
    folds = load_folds(config, 5)
    assert all(row["test_shared"] == row["train_shared"] == 0 for row in leakage(folds[1].train, folds[1].test))
    sizes = {task: [len(fold.test[task]) for fold in folds] for task in folds[0].train}
    assert sum(sizes["smdis"]) == 15360 and sum(sizes["jcsts"]) == 3670 and sum(sizes["crade"]) == 1630
    assert all(max(counts) <= 1.1 * min(counts) for counts in sizes.values())
    assert {len(fold.test["igakuqa"]) for fold in folds} == {len(folds[0].test["igakuqa"])}
    few = BenchmarksSection(jmed=Jmed(path=str(real_data / "jmed-llm"), tasks=("mrner_medicine",)))
    assert load_split(few, "fold-2-of-5").test["mrner_medicine"] == folds[1].test["mrner_medicine"]

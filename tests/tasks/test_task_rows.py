"""Our own rows: exams, classification, entities, similarity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import RowTask
from igakulm.tasks.items import Item
from igakulm.tasks.rows import SIMILARITY_CHOICES, connected_sentences, read_rows

Kind = Literal["exam", "entities", "classification", "similarity"]
EXAM = {"id": "1", "question": "どれか。", "choices": ["甲", "乙", "丙"], "answer": ["b"]}
POST = {"id": "1", "tag": "cough", "document": "咳が出る", "choices": ["咳である", "咳でない"], "answer": ["A"]}
NOTE = {"id": "1", "tag": "d", "document": "発熱と咳あり", "answer": ["発熱", "咳"]}
PAIR = {"id": "1", "sentence1": "熱が出た。", "sentence2": "発熱した。", "similarity": 4}


def read(tmp_path: Path, kind: Kind, *rows: dict[str, Any]) -> list[Item]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_rows(path, RowTask(name="t", kind=kind, test=str(path)))


def test_exam(tmp_path: Path) -> None:
    second = EXAM | {"id": "2", "answer": ["C", "a"], "points": "2", "year": 2024, "exam": "看護師"}
    image = EXAM | {"id": "3", "text_only": False}
    one, two = read(tmp_path, "exam", EXAM, second, image)
    assert (one.answer, one.wanted, one.points, one.document, one.group) == (("B",), 1, 1, "どれか。", "")
    assert (two.answer, two.wanted, two.points, two.group, two.tag) == (("A", "C"), 2, 2, "2024", "看護師")


def test_letters_of_any_case_and_width(tmp_path: Path) -> None:
    rows = [EXAM | {"id": str(place), "answer": answer} for place, answer in enumerate((["ｃ", "Ａ"], ["B"], ["b"]))]
    assert [item.answer for item in read(tmp_path, "exam", *rows)] == [("A", "C"), ("B",), ("B",)]


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        (b"", "no rows", "rows.jsonl"),
        (b"\n \n", "no rows", "rows.jsonl"),
        (b"id,question,choices,answer\n1,q,a|b,a\n", "looks like a CSV table", "rows.jsonl"),
        (b"\xef\xbb\xbfid\tquestion\n", "looks like a CSV table", "rows.jsonl"),
        (b'[{"id": "1"}]', "one JSON list", "rows.jsonl"),
        (b'{"id": "1",\n "question"', "not JSON", "line 1"),
        (b'{"id": "\xff"}\n', "not UTF-8", "line 1"),
        (b'{"id": "1", "question": "q", "choices": ["a", "b"], "answer": ["a"]}\n\n{"id": "2"', "not JSON", "line 3"),
        (b'{"id": ' + b"9" * 5000 + b"}", "not JSON", "line 1"),
        (b'{"id": ' + b"[" * 100_000, "not JSON", "line 1"),
        (b"7\n", "not a JSON object", "line 1"),
    ],
)
def test_wrong_exam_files_say_what_they_are(tmp_path: Path, content: bytes, what: str, where: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        read_rows(path, RowTask(name="t", kind="exam", test=str(path)))
    assert where in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(EXAM).encode())
    assert read_rows(path, RowTask(name="t", kind="exam", test=str(path)))[0].id == "1"


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError) as caught:
            read_rows(path, RowTask(name="t", kind="exam", test=str(path)))
        assert str(path) in str(caught.value)


def test_classification_names_the_condition(tmp_path: Path) -> None:
    own = POST | {"id": "2", "question": "喫煙者ですか。"}
    item, asked = read(tmp_path, "classification", POST, own)
    assert item.question == "次の投稿をした本人または周囲の人は、今「咳」の症状がありますか。\n「咳が出る」"
    assert (item.document, item.tag, item.answer, item.kind) == ("咳が出る", "cough", ("A",), "choice")
    assert asked.question.startswith("喫煙者ですか。\n「")


def test_entities_ask_by_tag(tmp_path: Path) -> None:
    medicine = NOTE | {"id": "2", "tag": "m-key", "document": "甲錠を内服", "answer": ["甲錠"]}
    nothing = NOTE | {"id": "3", "answer": []}
    item, drug, empty = read(tmp_path, "entities", NOTE, medicine, nothing)
    assert "所見" in item.question and item.answer == ("発熱", "咳") and item.kind == "entities"
    assert "薬の名前" in drug.question
    assert empty.answer == ()


def test_similarity_groups_rows_that_share_a_sentence(tmp_path: Path) -> None:
    shared = PAIR | {"id": "2", "sentence1": "発熱した。", "sentence2": "咳が出た。", "similarity": 0}
    apart = PAIR | {"id": "3", "sentence1": "甲。", "sentence2": "乙。", "similarity": 5}
    one, two, three = read(tmp_path, "similarity", PAIR, shared, apart)
    assert [item.answer for item in (one, two, three)] == [("B",), ("F",), ("A",)]
    assert one.document == two.document == "咳が出た。"
    assert three.document == "乙。"
    assert one.choices == SIMILARITY_CHOICES and one.ordered and one.sentences == ("熱が出た。", "発熱した。")


def test_sentences_link_through_long_chains() -> None:
    chain = [(f"文{number}", f"文{number + 1}") for number in range(300)]
    assert set(connected_sentences(list(reversed(chain)))) == {"文0"}


@pytest.mark.parametrize(
    ("kind", "row", "what"),
    [
        ("exam", EXAM | {"choices": ["一"]}, "1 choices"),
        ("exam", EXAM | {"choices": [str(n) for n in range(16)]}, "16 choices"),
        ("exam", EXAM | {"answer": ["d"]}, "not one of the options A to C"),
        ("exam", EXAM | {"answer": {"b": 1}}, "not a list of texts"),
        ("exam", EXAM | {"answer": ["ＤＤ"]}, "not one of the options A to C"),
        ("exam", EXAM | {"answer": ["④"]}, "not one of the options"),
        ("exam", EXAM | {"answer": ["解なし"]}, "voided"),
        ("exam", EXAM | {"answer": []}, "at least one"),
        ("exam", EXAM | {"answer": ["a", "Ａ"]}, "each once"),
        ("exam", {key: value for key, value in EXAM.items() if key != "answer"}, "at least one"),
        ("exam", {key: value for key, value in EXAM.items() if key != "choices"}, "must be one number"),
        ("exam", {key: value for key, value in EXAM.items() if key != "question"}, "'question' is missing"),
        ("exam", {key: value for key, value in EXAM.items() if key != "id"}, "'id' is missing"),
        ("exam", EXAM | {"choices": []}, "must be one number"),
        ("exam", EXAM | {"choices": "甲乙"}, "'choices' is not a list"),
        ("exam", EXAM | {"text_only": "no"}, "text_only must be true or false"),
        ("exam", EXAM | {"text_only": False}, "no row of the file can be asked"),
        ("exam", EXAM | {"year": [2024]}, "'year' is neither"),
        ("exam", EXAM | {"exam": True}, "'exam' is neither"),
        ("exam", EXAM | {"id": "一" * 1_000_000}, "1,000,000 characters; at most 200"),
        ("exam", EXAM | {"id": 7.5}, "'id' is not a filled text"),
        ("exam", EXAM | {"document": "文書"}, "unknown field 'document'"),
        ("exam", EXAM | {"point": 2}, "did you mean 'points'"),
        ("classification", POST | {"documents": ""}, "did you mean 'document'"),
        ("exam", EXAM | {"question": "\ud800"}, "half a character"),
        ("exam", EXAM | {"choices": ["\udc00", "乙"]}, "half a character"),
        ("exam", EXAM | {"points": "１"}, "points"),
        ("exam", EXAM | {"points": -1}, "points"),
        ("exam", EXAM | {"question": None}, "'question' is not a filled text"),
        ("classification", {"id": "1"}, "'document' is missing"),
        ("classification", POST | {"answer": []}, "at least one"),
        ("entities", NOTE | {"tag": "zzz"}, "has no question"),
        ("entities", NOTE | {"answer": ["嘔吐"]}, "does not stand in the document"),
        ("similarity", PAIR | {"similarity": 6}, "from 0 to 5"),
        ("similarity", PAIR | {"similarity": True}, "from 0 to 5"),
        ("similarity", PAIR | {"similarity": 2.5}, "from 0 to 5"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, kind: Kind, row: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        read(tmp_path, kind, row)
    assert "rows.jsonl" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_ids_are_unique_and_files_filled(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'1' occurs twice \(first in row 1\)"):
        read(tmp_path, "exam", EXAM, EXAM)
    with pytest.raises(InputError, match="no rows"):
        read(tmp_path, "exam")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("exam", "exam"), ("posts", "classification"), ("nursing", "entities"), ("similarity", "similarity")],
)
def test_the_samples_of_the_project(name: str, kind: Kind) -> None:
    folder = Path(__file__).parents[2] / "samples" / "tasks"
    for part in ("train", "test"):
        path = folder / f"{name}.{part}.jsonl"
        assert read_rows(path, RowTask(name=name, kind=kind, test=str(path)))

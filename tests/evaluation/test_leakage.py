"""What a training set already holds: across tasks, in any layout, by whole documents and whole sentences."""

from __future__ import annotations

import gzip
import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation import leakage
from igakulm.evaluation.leakage import check_training_file, leaked_items
from igakulm.evaluation.training_texts import training_texts
from igakulm.recipe.schema import BenchmarksSection, Jmed
from igakulm.tasks.items import Item, normalised_document
from igakulm.tasks.load import load_split
from igakulm.tasks.splits import shared_items
from igakulm.tasks.training_rows import write_training_rows

NOTE = "８７歳男性。主訴は全身倦怠感。\n発熱はなく、食欲不振を認めたため入院となった。"


def item(identifier: str, document: str, task: str = "t", sentences: tuple[str, ...] = ()) -> Item:
    return Item(identifier, task, "entities", document, (), ("熱",), document=document, sentences=sentences)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def check(tmp_path: Path, test: dict[str, list[Item]], *texts: str) -> dict[str, Any]:
    return check_training_file(test, write(tmp_path / "train.jsonl", *({"text": text} for text in texts)))


def test_leaked_items_name_the_row() -> None:
    test = {
        "a": [item("a1", "発熱あり。", "a"), item("a2", "咳あり。", "a"), item("a3", "", "a")],
        "b": [item("b1", "", "b", ("何もない文", "頭痛がする。"))],
    }
    train = {
        "z": [item("z1", "発熱あり", "z"), item("z2", "頭痛がする", "z"), item("z3", "", "z")],
        "a": [item("r1", "別", "a"), item("r2", "発熱　あり", "a"), item("r3", "発熱あり", "a")],
    }
    assert leaked_items(train, test) == [
        {"task": "a", "id": "a1", "document": "発熱あり。", "train_task": "a", "train_id": "r2"},
        {"task": "b", "id": "b1", "document": "頭痛がする。", "train_task": "z", "train_id": "z2"},
    ]
    assert leaked_items({}, test) == leaked_items(train, {}) == []


def test_a_document_is_found_whatever_stands_between_its_letters(tmp_path: Path) -> None:
    text = "前文。" + NOTE.replace("\n", " ").replace("、", "，") + "後文"
    assert text != unicodedata.normalize("NFKC", text)
    found = check(tmp_path, {"t": [item("1", NOTE), item("2", "まったく別の文書である。")]}, "関係ない文", text)
    assert found["tasks"] == {"t": {"test": 2, "document_shared": 1, "sentence_shared": 1, "unchecked": 0}}
    assert found["items"] == [
        {"task": "t", "id": "1", "document_line": 2, "sentence_line": 2, "text": NOTE[:60]},
    ]
    assert (found["file"], found["rows"]) == ("train.jsonl", 2)


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("発熱はなく、食欲不振を認めたため入院となった。", True),
        ("昨日のこと！発熱はなく食欲不振を認めたため入院となった？", True),
        ("文1: 発熱はなく、食欲不振を認めたため入院となった", True),
        ("「発熱はなく、食欲不振を認めたため入院となった」という", True),
        ("前日から発熱はなく、食欲不振を認めたため入院となった。", False),
        ("発熱はなく、食欲不振を認めたため入院となったのである。", False),
        ("主訴は全身倦怠感。", False),
    ],
)
def test_a_sentence_counts_when_it_is_whole_and_long_enough(tmp_path: Path, text: str, shared: bool) -> None:
    (row,) = check(tmp_path, {"t": [item("1", NOTE)]}, text)["items"] or [None]
    assert (row is not None) == shared
    if row:
        assert (row["document_line"], row["sentence_line"]) == (None, 1)
        assert row["text"].startswith("発熱はなく")


def test_texts_do_not_run_into_each_other(tmp_path: Path) -> None:
    document = "一二三四五六七八九十あいうえお"
    test = {"t": [item("1", document)]}
    assert check(tmp_path, test, document[:8], document[8:])["items"] == []
    assert check(tmp_path, test, "", document, "", document)["items"][0]["document_line"] == 2


def test_lengths_at_the_border(tmp_path: Path) -> None:
    test = {"t": [item("9", "一二三四五六七八九"), item("10", "甲乙丙丁戊己庚辛壬癸"), item("0", "")]}
    found = check(tmp_path, test, "一二三四五六七八九。甲乙丙丁戊己庚辛壬癸")
    assert [row["id"] for row in found["items"]] == ["10"]
    assert found["tasks"]["t"]["unchecked"] == 2
    assert found["items"][0]["sentence_line"] is None


def test_each_sentence_of_a_pair_is_a_document(tmp_path: Path) -> None:
    pair = item("1", "", "t", ("冠動脈に有意狭窄を認めない。", "別の所見を記載した文である。"))
    found = check(tmp_path, {"t": [pair]}, "S2: 冠動脈に有意狭窄を認めない")
    assert (found["items"][0]["document_line"], found["items"][0]["sentence_line"]) == (1, 1)


def test_all_items_of_one_document_are_named_with_its_first_line(tmp_path: Path) -> None:
    test = {"t": [item("1", NOTE), item("2", NOTE)], "u": [item("1", NOTE, "u"), item("2", NOTE[:40], "u")]}
    found = check(tmp_path, test, "別の文", NOTE, NOTE)
    assert [(row["task"], row["id"], row["document_line"]) for row in found["items"]] == [
        ("t", "1", 2),
        ("t", "2", 2),
        ("u", "1", 2),
        ("u", "2", 2),
    ]


def test_the_size_of_batches_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = random.Random(0)
    documents = ["".join(letters.choices("あいう熱咳痛、。０１", k=30)) for _ in range(200)]
    test = {"t": [item(str(place), document) for place, document in enumerate(documents)]}
    texts = ["".join(letters.choices(documents, k=2)) for _ in range(100)]
    whole = check(tmp_path, test, *texts)
    monkeypatch.setattr(leakage, "BATCH_CHARACTERS", 1)
    assert check(tmp_path, test, *texts) == whole
    joined = [normalised_document(text) for text in texts]
    found = {int(row["id"]): row["document_line"] for row in whole["items"]}
    for place, document in enumerate(documents):
        lines = [line for line, text in enumerate(joined, 1) if normalised_document(document) in text]
        if len(normalised_document(document)) >= 10:
            assert found.get(place) == (lines[0] if lines else None)


LAYOUTS: list[dict[str, Any]] = [
    {"text": NOTE},
    {"messages": [{"role": "user", "content": NOTE}, {"role": "assistant", "content": "はい"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": NOTE}]}]},
    {"messages": [{"role": "assistant", "content": None}, {"role": "tool", "content": NOTE}]},
    {"conversations": [{"from": "human", "value": NOTE}]},
    {"prompt": "問", "completion": NOTE},
    {"prompt": [{"role": "user", "content": NOTE}], "completion": [{"role": "assistant", "content": "x"}]},
    {"instruction": "問", "input": NOTE, "output": "x"},
    {"instruction": NOTE, "input": None, "output": "x", "history": [["a", "b"]]},
    {"prompt": "問", "chosen": "x", "rejected": NOTE},
]


@pytest.mark.parametrize("row", LAYOUTS)
def test_layouts(tmp_path: Path, row: dict[str, Any]) -> None:
    path = write(tmp_path / "train.jsonl", row)
    assert check_training_file({"t": [item("1", NOTE)]}, path)["tasks"]["t"]["document_shared"] == 1


def test_a_field_of_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", {"body": NOTE, "text": "別"})
    test = {"t": [item("1", NOTE)]}
    assert check_training_file(test, path, "body")["items"] and not check_training_file(test, path)["items"]


def test_compressed_files_blank_lines_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n{"text": "\\ud800b"}\n{"text": "c", "n": NaN}'))
    assert list(training_texts(path)) == [(1, "a"), (3, "\ud800b"), (4, "c")]
    assert check_training_file({"t": [item("1", NOTE)]}, path)["rows"] == 3


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        (b'{"text": "a"}\n{"text": ', "not JSON", "line 2"),
        (b'{"text": "a"}\n\n{"text": "\xff"}', "not UTF-8", "line 3"),
        (b'["a"]\n', "not a JSON object", "line 1"),
        (b'{"body": "a"}', "none of the usual fields", "line 1"),
        (b"{}", "none of the usual fields", "line 1"),
        (b'{"text": 7}', "neither texts nor messages", "line 1"),
        (b'{"messages": [{"content": [[[[[[[[["x"]]]]]]]]]}]}', "neither texts nor messages", "line 1"),
        (b'{"text": ' + b"[" * 5000, "not JSON", "line 1"),
        (b"id,text\n1,a\n", "not JSON", "line 1"),
        (b"", "no rows", "train.jsonl"),
        (b"\n\n", "no rows", "train.jsonl"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, what: str, where: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        check_training_file({"t": [item("1", NOTE)]}, path)
    assert where in str(caught.value)


def test_a_missing_file_and_a_missing_field(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        check_training_file({}, tmp_path / "none.jsonl")
    path = write(tmp_path / "train.jsonl", {"text": "a", "id": "1"})
    with pytest.raises(InputError, match="no field 'body'") as caught:
        check_training_file({}, path, "body")
    assert "text, id" in str(caught.value)


def test_no_test_items(tmp_path: Path) -> None:
    assert check(tmp_path, {"t": []}, "a")["tasks"]["t"]["test"] == 0


def test_real_training_rows_show_what_the_split_shows(real_data: Path, tmp_path: Path) -> None:
    tasks = ("crade", "rrtnm", "mrner_disease", "mrner_medicine", "nrner")
    config = BenchmarksSection(jmed=Jmed(path=str(real_data / "jmed-llm"), tasks=tasks))
    split = load_split(config, "published")
    write_training_rows(config, "published", tmp_path / "rows")
    file = tmp_path / "train.jsonl"
    file.write_bytes(b"".join((tmp_path / "rows" / "train" / f"{task}.jsonl").read_bytes() for task in tasks))
    found = check_training_file(split.test, file)
    shared = shared_items(split.train, split.test)
    for task in tasks:
        assert [row["id"] for row in found["items"] if row["task"] == task and row["document_line"]] == shared[task]
    assert {task: len(shared[task]) for task in tasks} == {
        "crade": 100,
        "rrtnm": 94,
        "mrner_disease": 50,
        "mrner_medicine": 100,
        "nrner": 63,
    }
    assert len(leaked_items(split.train, split.test)) == sum(map(len, shared.values()))

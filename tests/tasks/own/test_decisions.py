import json
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.task_file import TaskFile, load_task_file
from igakulm.tasks.own.check import check_rows
from igakulm.tasks.own.decisions import (
    Decision,
    Given,
    Outcome,
    Span,
    append_decision,
    decisions_of,
    hash_of_text,
    read_decisions,
    standing_of,
)
from igakulm.tasks.own.rows import OwnRow, read_own_rows, rows_to_review

TEXTS = ["午前、頭痛の訴えあり。", "夜間に転倒した。", "変わりなし。", "昼食後に嘔気と頭痛。"]
TASK_YAML = """
version: 1
name: ward
data: [rows.jsonl]
columns: {text: text}
tasks:
  - {name: fall, kind: classify, column: fall, labels: [あり, なし], question: 転倒はありますか。}
  - {name: symptom, kind: extract, column: symptom, separator: 、, question: 症状を抜き出してください。, item: 症状}
"""


def ward(folder: Path) -> TaskFile:
    answers = [("なし", "頭痛"), ("なし", ""), ("", ""), ("なし", "吐気")]
    rows = [{"text": text, "fall": fall, "symptom": found} for text, (fall, found) in zip(TEXTS, answers, strict=True)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    (folder / "task.yaml").write_text(TASK_YAML, encoding="utf-8")
    return load_task_file(folder / "task.yaml")


def decide(
    task_file: TaskFile,
    row: int,
    task: str,
    answer: Given | None,
    by: str = "田中",
    outcome: Outcome = "corrected",
    settles: bool = False,
) -> None:
    one = Decision(
        file="rows.jsonl", row=row, text=hash_of_text(TEXTS[row - 1]), task=task, outcome=outcome, answer=answer,
        by=by, at="2026-12-01T15:00:00+09:00", settles=settles,
    )  # fmt: skip
    append_decision(Path(task_file.decisions or ""), one)


def span(row: int, found: str) -> Span:
    start = TEXTS[row - 1].index(found)
    return Span(start=start, end=start + len(found), text=found)


def used(task_file: TaskFile) -> dict[int, OwnRow]:
    return {row.row: row for row in read_own_rows(task_file).rows}


def test_corrections_take_the_place_of_the_data(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    assert (task_file.decisions or "").endswith("/task.decisions.jsonl")
    assert used(task_file)[2].answers["fall"] == ("なし",) and "fall" not in used(task_file)[3].answers
    decide(task_file, 2, "fall", Given(labels=("あり",)))
    decide(task_file, 3, "fall", Given(labels=("なし",)), outcome="accepted")
    decide(task_file, 4, "symptom", Given(spans=(span(4, "頭痛"), span(4, "嘔気"))))
    rows = used(task_file)
    assert rows[2].answers["fall"] == ("あり",) and rows[3].answers["fall"] == ("なし",)
    assert rows[4].answers["symptom"] == ("嘔気", "頭痛")  # in the order of the text
    counts = check_rows(task_file)["decisions"]
    assert (counts["accepted"], counts["corrected"], counts["people"]) == (1, 2, ["田中"])
    shown = {row.row: row.answers.get("fall") for row in rows_to_review(task_file)}
    assert shown == {1: ("なし",), 2: ("なし",), 3: None, 4: ("なし",)}  # the data, and rows without an answer


def test_the_newest_decision_of_one_person_wins_and_two_people_dispute(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    decide(task_file, 2, "fall", Given(labels=("なし",)))
    decide(task_file, 2, "fall", Given(labels=("あり",)))
    assert used(task_file)[2].answers["fall"] == ("あり",)
    decide(task_file, 2, "fall", None, by="佐藤", outcome="skipped")
    assert used(task_file)[2].answers["fall"] == ("あり",)
    decide(task_file, 2, "fall", Given(labels=("なし",)), by="佐藤")
    read = read_own_rows(task_file)
    reasons = [one.reason for one in read.left_out if (one.row, one.task) == (2, "fall")]
    assert len(reasons) == 1 and "田中 and 佐藤 decided differently" in reasons[0]
    assert "fall" not in used(task_file)[2].answers and read.decisions["disputed"] == 1
    decide(task_file, 2, "fall", Given(labels=("あり",)), by="師長", settles=True)
    assert used(task_file)[2].answers["fall"] == ("あり",)
    decide(task_file, 2, "fall", None, by="師長", outcome="withdrawn")
    assert used(task_file)[2].answers["fall"] == ("なし",)  # the data again


def test_a_changed_text_is_not_decided(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    decide(task_file, 2, "fall", Given(labels=("あり",)))
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("夜間に転倒", "夜間に転倒は"), encoding="utf-8")
    assert used(task_file)[2].answers["fall"] == ("なし",)
    assert check_rows(task_file)["decisions"]["no_row"] == 1


@pytest.mark.parametrize(
    ("task", "given", "reason"),
    [
        ("fall", Given(labels=("不明",)), "the decided label '不明' is unknown"),
        ("fall", Given(labels=("あり", "なし")), "does not name one label"),
        ("symptom", Given(spans=(Span(start=0, end=2, text="頭痛"),)), "not what stands at its place"),
    ],
)
def test_decisions_that_do_not_fit_are_listed(tmp_path: Path, task: str, given: Given, reason: str) -> None:
    task_file = ward(tmp_path)
    decide(task_file, 1, task, given)
    assert [reason in one.reason for one in read_own_rows(task_file).left_out if (one.row, one.task) == (1, task)] == [
        True
    ]


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_half_a_last_line_is_told_and_costs_no_other(tmp_path: Path, cut: int) -> None:
    task_file = ward(tmp_path)
    path = Path(task_file.decisions or "")
    decide(task_file, 1, "fall", Given(labels=("あり",)))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert len(decisions_of(task_file).lines) == 1 and decisions_of(task_file).unreadable == (2,)
    decide(task_file, 2, "fall", Given(labels=("あり",)))
    found = decisions_of(task_file)
    assert [one.row for one in found.lines] == [1, 2] and found.unreadable == (2,)
    assert check_rows(task_file)["decisions"]["unreadable"] == [2]


def test_a_line_of_another_form_is_an_error_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"row": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="this is no decision") as caught:
        read_decisions(tmp_path / "a.jsonl")
    assert "line 1" in str(caught.value.where)


WRITER = """
import sys
from pathlib import Path
from igakulm.tasks.own.decisions import Decision, append_decision
for row in range(40):
    append_decision(Path(sys.argv[1]), Decision(file="a" * 5000, row=row, text="t", task="x", outcome="skipped",
        by=sys.argv[2], at="now"))
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    found = read_decisions(path)
    assert not found.unreadable
    for name in ("a", "b"):
        assert [one.row for one in found.lines if one.by == name] == list(range(40))
    assert set(standing_of(found.lines)[("x", "t")].by) == {"a", "b"}

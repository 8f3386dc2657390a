"""Rows to Label Studio, doccano and brat and back: places stay, whatever the program counts in; nothing is lost."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.recipe.task_file import ColumnsSection, OwnTaskSection, TaskFile, load_task_file
from igakulm.serving.exchange.forms import export_rows, import_marks
from igakulm.tasks.own.decisions import decisions_of
from igakulm.tasks.own.rows import read_own_rows
from igakulm.text.offsets import counted_span, span_of

TEXTS = [
    "🏥入院。発熱と咳あり。",
    "𩸽を食べて腹痛、ｶﾞﾝ疑い。",
    "一行目は頭痛。\r\n二行目は発熱。",
    "一行目は頭痛。\n二行目は咳。",
    "異常なし。",
    "か\u3099んを疑う。咳。",
]
TASKS = (
    OwnTaskSection(name="fall", kind="classify", column="転倒", title="転倒", labels=("あり", "なし")),
    OwnTaskSection(name="signs", kind="extract", column="症状", title="症状", item="症状"),
    OwnTaskSection(name="note", kind="free-text", column="要約", title="要約"),
)
STRINGS = [["発熱", "咳"], ["腹痛", "ｶﾞﾝ"], ["頭痛", "発熱"], ["頭痛", "咳"], [], ["か\u3099ん", "咳"]]


def task_file(folder: Path, *, answered: bool = True) -> TaskFile:
    rows = [
        {
            "本文": text,
            "転倒": "なし" if answered else "",
            "症状": json.dumps(own if answered else [], ensure_ascii=False),
        }
        for text, own in zip(TEXTS, STRINGS, strict=True)
    ]
    data = folder / "rows.jsonl"
    lines = (json.dumps({**row, "要約": "x"}, ensure_ascii=False) + "\n" for row in rows)
    data.write_text("".join(lines), encoding="utf-8")
    return TaskFile(
        name="n",
        data=(str(data),),
        columns=ColumnsSection(text="本文"),
        decisions=str(folder / "d.jsonl"),
        tasks=TASKS,
        personal_data="kept",
    )


def spans(file: TaskFile) -> dict[str, list[tuple[int, int, str]]]:
    """What was decided: hash of a text -> places."""
    return {
        one.text: [(span.start, span.end, span.text) for span in one.answer.spans]
        for one in decisions_of(file).lines
        if one.task == "signs" and one.answer
    }


def label_studio_export(tasks: list[dict[str, Any]], utf16: bool = False) -> list[dict[str, Any]]:
    """What Label Studio exports after a person submitted its pre-annotations as they are."""
    found = []
    for number, task in enumerate(tasks, 1):
        result = [dict(one, origin="prediction") for one in task["predictions"][0]["result"]]
        for one in result:
            value = one["value"] = dict(one["value"])
            if "start" in value and utf16:
                value["start"], value["end"] = counted_span(
                    task["data"]["text"], value["start"], value["end"], "utf-16"
                )
        annotation = {
            "id": number,
            "completed_by": {"id": 1, "email": "tanaka@example.org"},
            "result": result,
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": "2026-11-01T02:03:04.567890Z",
            "updated_at": "2026-11-01T02:03:05.567890Z",
            "lead_time": 4.2,
        }
        found.append({"id": number, "data": task["data"], "annotations": [annotation], "predictions": []})
    return found


@pytest.mark.parametrize("utf16", [False, True])
def test_label_studio_both_of_its_counts(tmp_path: Path, utf16: bool) -> None:
    file, out = task_file(tmp_path), tmp_path / "ls"
    count, paths, left = export_rows(file, "label-studio", out)
    assert count == 6 and [path.name for path in paths] == ["tasks.json", "interface.xml"] and left == ["要約"]
    view = ElementTree.fromstring((out / "interface.xml").read_text(encoding="utf-8"))
    assert [choice.get("value") for choice in view.iter("Choice")] == ["あり", "なし"]
    text = view.find("Text")
    assert text is not None and text.get("value") == "$text"
    tasks = json.loads((out / "tasks.json").read_text(encoding="utf-8"))
    assert all(
        one["from_name"] in ("fall", "signs") and one["to_name"] == "text"
        for one in tasks[0]["predictions"][0]["result"]
    )
    (tmp_path / "export.json").write_text(json.dumps(label_studio_export(tasks, utf16)), encoding="utf-8")
    taken = import_marks(file, "label-studio", tmp_path / "export.json", "me")
    assert taken.decisions == 12 and not taken.not_taken
    assert {one.by for one in decisions_of(file).lines} == {"tanaka@example.org"}
    assert {one.outcome for one in decisions_of(file).lines} == {"accepted"}
    assert [[text for _, _, text in found] for found in spans(file).values()] == STRINGS
    again = import_marks(file, "label-studio", tmp_path / "export.json", "me")
    assert (again.decisions, again.known) == (0, 12)


def test_label_studio_min_form_corrections_skips_and_marks_that_are_wrong(tmp_path: Path) -> None:
    file = task_file(tmp_path)
    fever = {"start": 4, "end": 6, "text": "発熱", "labels": ["症状"]}
    rows = [
        {"text": TEXTS[0], "id": 1, "signs": [fever], "fall": "あり", "annotator": 3, "lead_time": 1.0},
        {"text": TEXTS[3], "id": 2, "signs": [fever], "fall": {"choices": ["なし"]}},
        {"text": "どこにもない文。", "id": 3, "fall": "なし"},
        {"text": TEXTS[4], "id": 4, "fall": "不明"},
    ]
    path = tmp_path / "min.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    taken = import_marks(file, "label-studio", path, "me")
    reasons = " | ".join(one.reason for one in taken.not_taken)
    assert "does not lie where its text stands" in reasons and "no row of the data" in reasons and "'不明'" in reasons
    decided = {(one.row, one.task): (one.outcome, one.by) for one in decisions_of(file).lines}
    assert decided[1, "fall"] == ("corrected", "3") and decided[1, "signs"] == ("corrected", "3")
    assert decided[4, "fall"] == ("accepted", "me") and decided[5, "signs"] == ("accepted", "me")
    skipped = [
        {"id": 1, "data": {"text": TEXTS[1]}, "annotations": [{"completed_by": 4, "was_cancelled": True, "result": []}]}
    ]
    path.write_text(json.dumps(skipped), encoding="utf-8")
    assert import_marks(file, "label-studio", path, "me").decisions == 2
    assert {one.outcome for one in decisions_of(file).lines if one.by == "4"} == {"skipped"}
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(InputError, match="no export of Label Studio"):
        import_marks(file, "label-studio", path, "me")


@pytest.mark.parametrize("units", [None, "graphemes"])
def test_doccano_round_trip(tmp_path: Path, units: str | None) -> None:
    file, out = task_file(tmp_path), tmp_path / "doccano"
    export_rows(file, "doccano", out, units)
    lines = [json.loads(line) for line in (out / "signs.jsonl").read_text(encoding="utf-8").splitlines()]
    # 🏥 has two UTF-16 units, and ｶﾞ is one cluster of two characters.
    assert lines[0]["label"][0] == ([5, 7, "症状"] if units is None else [4, 6, "症状"])
    assert lines[1]["label"][1] == ([9, 12, "症状"] if units is None else [8, 10, "症状"])
    exported = [{"id": n, "text": line["text"], "row": line["row"], "label": line["label"], "Comments": []}
                for n, line in enumerate(lines)]  # fmt: skip
    path = tmp_path / "admin.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in exported), encoding="utf-8")
    taken = import_marks(file, "doccano", path, "田中", units)
    assert taken.decisions == 5 and [one.reason for one in taken.not_taken] == [
        "nothing is marked (--empty-counts takes that as an answer)"
    ]
    assert import_marks(file, "doccano", path, "田中", units, empty_counts=True).decisions == 1
    assert [[text for _, _, text in found] for found in spans(file).values()] == [*STRINGS[:4], STRINGS[5], STRINGS[4]]
    assert import_marks(file, "doccano", out / "fall.jsonl", "鈴木").decisions == 6


def test_doccano_other_projects_and_what_does_not_fit(tmp_path: Path) -> None:
    file, path = task_file(tmp_path), tmp_path / "x.jsonl"
    lines = [
        {
            "text": TEXTS[0],
            "entities": [{"id": 1, "start_offset": 5, "end_offset": 7, "label": "signs"}],
            "relations": [],
        },
        {"text": TEXTS[3], "entities": [[4, 6, "症状"]], "cats": ["あり"]},
        {"text": TEXTS[0], "label": [[1, 3, "症状"]]},  # in the middle of 🏥
        {"text": TEXTS[1], "label": [[0, 2, "魚"]]},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    taken = import_marks(file, "doccano", path, "me")
    assert [one.reason[:30] for one in taken.not_taken] == [
        "a mark does not lie within the",
        "no task has the label '魚'",
    ]
    assert [(one.row, one.task) for one in decisions_of(file).lines] == [(1, "signs"), (4, "fall"), (4, "signs")]
    path.write_text('{"text": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no list of labels"):
        import_marks(file, "doccano", path, "me")


def test_brat_round_trip_with_a_mark_over_a_line_break(tmp_path: Path) -> None:
    file, out = task_file(tmp_path), tmp_path / "brat"
    _, _, left = export_rows(file, "brat", out)
    assert left == ["転倒", "要約"] and (out / "annotation.conf").read_text().startswith("[entities]\nsigns\n")
    assert (out / "rows-3.txt").read_bytes().decode() == TEXTS[2]
    assert (out / "rows-1.ann").read_text(encoding="utf-8") == "T1\tsigns 4 6\t発熱\nT2\tsigns 7 8\t咳\n"
    marks = "T1\tsigns 4 7;9 12\t頭痛。 二行目\nT2\tsigns 13 15\t発熱\n#1\tAnnotatorNotes T2\tよい\n"
    (out / "rows-3.ann").write_text(marks, encoding="utf-8")
    taken = import_marks(file, "brat", out, "me")
    assert taken.decisions == 5 and "nothing is marked" in taken.not_taken[0].reason
    assert [(4, 12, "頭痛。\r\n二行目"), (13, 15, "発熱")] in spans(file).values()
    (out / "rows-1.ann").write_text("T1\tsigns 4 6\t咳熱\n", encoding="utf-8")
    (out / "rows-2.ann").write_text("T1\tother 1 2\tを\nT2\tsigns 0 99\t?\n", encoding="utf-8")
    reasons = " | ".join(one.reason for one in import_marks(file, "brat", out, "me").not_taken)
    assert "does not stand at its place" in reasons and "type 'other'" in reasons and "line 2 is no mark" in reasons


def test_a_program_that_changes_line_breaks_loses_no_row(tmp_path: Path) -> None:
    file, path = task_file(tmp_path), tmp_path / "x.jsonl"
    changed = TEXTS[2].replace("\r\n", "\n")
    start = changed.index("発熱")
    path.write_text(json.dumps({"text": changed, "label": [[start, start + 2, "症状"]]}) + "\n", encoding="utf-8")
    assert import_marks(file, "doccano", path, "me").decisions == 1
    (found,) = spans(file).values()
    assert found == [(start + 1, start + 3, "発熱")]


def test_decisions_that_came_back_are_what_rows_are_tuned_on(tmp_path: Path) -> None:
    file, out = task_file(tmp_path, answered=False), tmp_path / "brat"
    export_rows(file, "brat", out)
    (out / "rows-1.ann").write_text("T1\tsigns 4 6\t発熱\n", encoding="utf-8")
    import_marks(file, "brat", out, "me")
    rows = {row.row: row.answers["signs"] for row in read_own_rows(file).rows}
    assert rows[1] == ("発熱",) and rows[2] == ()


def test_what_cannot_be_done_is_said_before_anything_is_written(tmp_path: Path) -> None:
    file = task_file(tmp_path)
    with pytest.raises(InputError, match=re.escape("no form 'labelstudio'")):
        export_rows(file, "labelstudio", tmp_path / "o")
    with pytest.raises(InputError, match="one way only"):
        export_rows(file, "brat", tmp_path / "o", "utf-16")
    with pytest.raises(InputError, match="no task is of a kind"):
        export_rows(file.model_copy(update={"tasks": TASKS[2:]}), "doccano", tmp_path / "o")
    with pytest.raises(InputError, match="holds something"):
        export_rows(file, "brat", tmp_path)
    assert not (tmp_path / "o").exists()
    with pytest.raises(InputError, match="no task file"):
        load_task_file(tmp_path / "rows.jsonl")


PIECES = st.sampled_from(["a", "咳", "𩸽", "ｶﾞ", "か\u3099", "\r\n", "\n", "👨\u200d⚕️", " "])


@settings(deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12), st.data())
def test_every_count_gives_the_place_back(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    for units in ("code-points", "utf-16"):
        assert span_of(text, *counted_span(text, start, end, units), units) == (start, end)
    assert counted_span(text, start, end, "utf-16") == (
        len(text[:start].encode("utf-16-le")) // 2,
        len(text[:end].encode("utf-16-le")) // 2,
    )
    found = span_of(text, *counted_span(text, start, end, "graphemes"), "graphemes")
    assert found is not None and found[0] <= start and end <= found[1]

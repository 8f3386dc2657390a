"""Results: nothing without a trace, no formulas, the FHIR-like shape that docs/extract.md shows."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.serving.findings import COLUMNS, check_format, fhir_like, write_findings


def result(task: str, kind: str, *items: tuple[str, int, int], **more: Any) -> dict[str, Any]:
    placed = [{"text": text, "start": start, "end": end, "kind": kind} for text, start, end in items]
    return {"task": task, "kind": kind, "items": placed, "unplaced": [], "cut": False, "unreadable": 0, **more}


def entry(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"number": 17, "id": "17", "problem": "", "failed": False, "results": list(results), **more}


def rows_of(path: Path, *entries: dict[str, Any]) -> list[dict[str, str]]:
    write_findings(path, entries, "csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_every_record_and_task_leaves_a_line(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path / "f.csv",
        entry(result("d", "finding", ("発熱", 3, 5), unplaced=["頭痛"]), result("m", "medicine")),
        entry(result("d", "finding", cut=True), result("m", "medicine", unreadable=2), id="x"),
        entry(problem="no text (line 3)"),
    )
    assert tuple(rows[0]) == COLUMNS
    assert [(row["task"], row["text"], row["start"], row["status"]) for row in rows] == [
        ("d", "発熱", "3", "placed"),
        ("d", "頭痛", "", "unplaced"),
        ("m", "", "", "none"),
        ("d", "", "", "cut"),
        ("m", "", "", "unreadable"),
        ("", "", "", "error"),
    ]
    assert rows[-1]["note"] == "no text (line 3)"


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1＋1", "＠x"])
def test_no_cell_is_a_formula(text: str, tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "f.csv", entry(result(text, text, (text, 0, 4), unplaced=[text]), id=text))
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))
        assert row["text"] == row["id"] == f"'{text}"


def test_excel_gets_its_mark_and_line_ends(tmp_path: Path) -> None:
    write_findings(tmp_path / "e.csv", [entry(result("d", "finding"))], "csv", excel=True)
    data = (tmp_path / "e.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfrow,") and data.count(b"\r\n") == 2
    write_findings(tmp_path / "f.csv", [entry(result("d", "finding"))], "csv")
    assert b"\r" not in (tmp_path / "f.csv").read_bytes()


def test_json_lines_hold_everything(tmp_path: Path) -> None:
    one = entry(result("d", "finding", ("発熱", 3, 5), raw='["発熱"]'))
    write_findings(tmp_path / "f.jsonl", [one, entry(problem="no text")], "jsonl")
    rows = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {"row": 17, "id": "17", "error": "", "results": one["results"]}
    assert rows[1]["error"] == "no text"


def test_the_fhir_like_shape_is_the_one_that_the_documentation_shows(project: Path) -> None:
    text = (project / "docs" / "extract.md").read_text(encoding="utf-8")
    example = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    made = fhir_like(
        entry(
            result("d", "finding", ("発熱", 3, 5), ("発熱", 20, 22)),
            result("m", "medicine", ("アセトアミノフェン", 8, 16)),
            result("v", "dose", unplaced=["500mg"]),
        )
    )
    assert made == example
    assert json.dumps(made) == json.dumps(example)  # the same order of keys


def test_fhir_like_merges_tasks_and_tells_what_went_wrong() -> None:
    made = fhir_like(
        entry(
            result("a", "finding", ("咳", 9, 10), cut=True, unplaced=["熱"]),
            result("b", "finding", ("咳", 9, 10), ("痰", 2, 3), unreadable=1, unplaced=["熱"]),
            problem="broken",
        )
    )
    resources = [one["resource"] for one in made["entry"]]
    assert [resource.get("code", {}).get("text") for resource in resources[:3]] == ["痰", "咳", "熱"]
    assert len(resources[1]["extension"]) == 1
    assert resources[2]["extension"] == [{"url": "urn:igakulm:unplaced", "valueBoolean": True}]
    issues = [resource["issue"][0] for resource in resources[3:]]
    assert [issue["severity"] for issue in issues] == ["error", "warning", "warning"]


def test_unknown_formats_are_refused() -> None:
    assert check_format("fhir") == "fhir"
    with pytest.raises(InputError, match="did you mean 'jsonl'"):
        check_format("json")

"""The findings of records as CSV, JSON Lines or FHIR-like JSON; the shapes are described in docs/extract.md.

Does: write entries of a batch's journal; keep cells from being read as formulas. Does not: ask, place or judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from igakulm.errors import InputError, did_you_mean
from igakulm.files import atomic_path

Format = Literal["csv", "jsonl", "fhir"]
Entry = Mapping[str, Any]
"""{"number", "id", "problem", "results": [{"task", "kind", "items": [{"text", "start", "end", "kind"}], "unplaced",
"raw", "cut", "unreadable"}]}"""
COLUMNS = ("row", "id", "task", "kind", "text", "start", "end", "status", "note")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_QUOTED = re.compile(r'[",\r\n]')
POSITION, UNPLACED = "urn:igakulm:position", "urn:igakulm:unplaced"
_TAG = {"code": "fhir-like", "display": "FHIR-like, not validated; written by a language model, can be wrong"}
_UNCONFIRMED = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "unconfirmed"}]
}
_NOBODY = {"display": "not stated"}
_CUT = "the answer was cut off: items may be missing"
_UNREADABLE = "the answer was no list: items may be missing"


def check_format(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    for known in get_args(Format):
        if name == known:
            return known  # type: ignore[no-any-return]
    close = did_you_mean(name, get_args(Format))
    hint = f"did you mean {close!r}?" if close else f"choose one of {', '.join(get_args(Format))}"
    raise InputError(f"there is no format {name!r}", where="--format", hint=hint)


def write_findings(path: Path, entries: Iterable[Entry], form: Format, *, excel: bool = False) -> None:
    """Write a result, atomically.

    Args:
        path: the file; an older one is replaced.
        entries: in the order of the records.
        form: "csv" has one line for each item, "jsonl" and "fhir" one object for each record.
        excel: begin with a byte-order mark and end lines as Windows does, for CSV.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8-sig" if excel and form == "csv" else "utf-8", newline="") as file,
    ):
        if form == "csv":
            _write_csv(file, entries, "\r\n" if excel else "\n")
            return
        for entry in entries:
            value = fhir_like(entry) if form == "fhir" else _plain(entry)
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


def _write_csv(file: TextIO, entries: Iterable[Entry], line_end: str) -> None:
    file.write(",".join(COLUMNS) + line_end)
    for entry in entries:
        for row in csv_rows(entry):
            file.write(",".join(csv_cell(cell) for cell in row) + line_end)


def csv_rows(entry: Entry) -> Iterator[tuple[str | int, ...]]:
    """The lines of one record, at least one for each task: nothing of a record is without a trace."""
    head = (entry["number"], entry["id"])
    if entry["problem"]:
        yield (*head, "", "", "", "", "", "error", entry["problem"])
    for result in entry["results"]:
        named = (*head, result["task"], result["kind"])
        for item in result["items"]:
            yield (*head, result["task"], item["kind"], item["text"], item["start"], item["end"], "placed", "")
        for text in result["unplaced"]:
            yield (*named, text, "", "", "unplaced", "the text does not hold this")
        if result["unreadable"]:
            yield (*named, "", "", "", "unreadable", _UNREADABLE)
        if result["cut"]:
            yield (*named, "", "", "", "cut", _CUT)
        if not (result["items"] or result["unplaced"] or result["unreadable"] or result["cut"]):
            yield (*named, "", "", "", "none", "")


def csv_cell(value: str | int) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before =, +, -, @ (also wide), tab and line end.

    Python's own writer leaves a lone carriage return without quotation marks.

    >>> print(csv_cell("=HYPERLINK(1)"), csv_cell('5"、a,b'), csv_cell(7), csv_cell("－2.5kg"))
    '=HYPERLINK(1) "5""、a,b" 7 '－2.5kg
    """
    text = str(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = f"'{text}"
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(text) else text


def _plain(entry: Entry) -> dict[str, object]:
    return {"row": entry["number"], "id": entry["id"], "error": entry["problem"], "results": entry["results"]}


def fhir_like(entry: Entry) -> dict[str, Any]:
    """One record as an object in the shape of a FHIR R4 Bundle; see docs/extract.md."""
    places: dict[tuple[str, str], list[dict[str, Any]]] = {}
    missing: dict[tuple[str, str], None] = {}
    issues = [("error", entry["problem"])] if entry["problem"] else []
    items = [item for result in entry["results"] for item in result["items"]]
    for item in sorted(items, key=lambda item: (item["start"], -item["end"])):
        position = _position(item["start"], item["end"])
        found = places.setdefault((item["kind"], item["text"]), [])
        if position not in found:  # two tasks can name the same
            found.append(position)
    for result in entry["results"]:
        missing.update({(result["kind"], text): None for text in result["unplaced"]})
        issues += [("warning", f"{result['task']}: {_UNREADABLE}")] if result["unreadable"] else []
        issues += [("warning", f"{result['task']}: {_CUT}")] if result["cut"] else []
    resources = [_resource(kind, text, extension) for (kind, text), extension in places.items()]
    resources += [_resource(kind, text, [{"url": UNPLACED, "valueBoolean": True}]) for kind, text in missing]
    resources += [_issue(severity, text) for severity, text in issues]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "meta": {"tag": [_TAG]},
        "identifier": {"value": entry["id"]},
        "entry": [{"resource": resource} for resource in resources],
    }


def _position(start: int, end: int) -> dict[str, object]:
    parts = [{"url": "start", "valueInteger": start}, {"url": "end", "valueInteger": end}]
    return {"url": POSITION, "extension": parts}


def _resource(kind: str, text: str, extension: list[dict[str, object]]) -> dict[str, object]:
    if kind == "finding":
        head = {"resourceType": "Condition", "extension": extension, "verificationStatus": _UNCONFIRMED}
        return {**head, "code": {"text": text}, "subject": _NOBODY}
    if kind == "medicine":
        head = {"resourceType": "MedicationStatement", "extension": extension, "status": "unknown"}
        return {**head, "medicationCodeableConcept": {"text": text}, "subject": _NOBODY}
    return {"resourceType": "Basic", "extension": extension, "code": {"text": f"{kind}: {text}"}}


def _issue(severity: str, text: str) -> dict[str, object]:
    issue = {"severity": severity, "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}

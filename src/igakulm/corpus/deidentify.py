"""Files of records without personal data: CSV, TSV, Excel, JSON Lines, plain text, and a filter for a pipe.

Does: read a file in its own form, take personal data out of every cell, write the same form, report what was done.
The cells of one record are looked at together: a name of the column 氏名 is found in the column 経過 as well, and the
name of a column counts as a label. Does not: find anything itself (text/personal/).
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from igakulm.corpus.deidentify_excel import deidentify_workbook
from igakulm.errors import InputError
from igakulm.files import atomic_path, explain_os_error, sha256_file, write_json
from igakulm.recipe.personal_data import Deidentification
from igakulm.text.personal.key_file import Undo, add_to_key, deidentifier_of, read_key, restored, undo_of
from igakulm.text.personal.replacing import Deidentifier, Replaced
from igakulm.text.personal.spans import Span
from igakulm.text.personal.surrogates import Surrogates, reference_year

_KEY_OPTION = "--key"
_LONGEST_CELL = 2**30
_TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")


class FoundSpan(TypedDict):
    """One span in a report; its text is not in it."""

    record: int
    field: str
    start: int
    end: int
    kind: str
    rule: str
    confidence: float


@dataclass(slots=True)
class Records:
    """Takes personal data out of records, one after the other, and keeps account.

    Attributes:
        deidentifier: finds and replaces; patient: the field that names the patient; fields: only these are changed.
        key: where what is needed to undo it goes.
    """

    deidentifier: Deidentifier
    patient: str | None = None
    fields: tuple[str, ...] = ()
    key: Path | None = None
    spans: list[FoundSpan] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)
    count: int = 0

    def __call__(self, record: Mapping[str, str]) -> dict[str, str]:
        """The fields of one record, without personal data."""
        self.count += 1
        scope = record.get(self.patient, "") if self.patient else f"record {self.count}"
        spans = self.deidentifier.find_together(record, lambda name: name.partition("\0")[0])
        found = {name: spans[name] if not self.fields or name in self.fields else [] for name in record}
        self.deidentifier.documents += 1
        surrogates = self.deidentifier.surrogates(scope)
        year = next((year for name, text in record.items() if (year := reference_year(text, found[name]))), None)
        replaced = {name: self._replace(name, text, found[name], surrogates, year) for name, text in record.items()}
        if self.key is not None:
            add_to_key(self.key, (undo_of(one, f"{self.count} {name}") for name, one in replaced.items()))
        return {name: one.text for name, one in replaced.items()}

    def _replace(
        self, name: str, text: str, spans: Sequence[Span], surrogates: Surrogates, year: int | None
    ) -> Replaced:
        for span in spans:
            self.rules[span.rule] += 1
            known = name.partition("\0")[0]
            start, end, kind, rule, confidence = span
            found = FoundSpan(
                record=self.count, field=known, start=start, end=end, kind=kind, rule=rule, confidence=confidence
            )
            self.spans.append(found)
        return self.deidentifier.replace(text, spans, surrogates, year)

    def report(self) -> dict[str, object]:
        """What was done; no text of any span is in it."""
        done = self.deidentifier.record()
        return {
            "version": 1,
            **done,
            "records": self.count,
            "rules": dict(self.rules.most_common()),
            "spans": self.spans,
        }


def deidentify_file(
    path: Path,
    out: Path,
    config: Deidentification,
    *,
    patient: str | None = None,
    fields: Sequence[str] = (),
    encoding: str = "utf-8",
    report: Path | None = None,
) -> dict[str, object]:
    """Write a copy of a file without its personal data.

    Args:
        path: `.csv`, `.tsv`, `.xlsx`, `.jsonl`; everything else is plain text and one record.
        out: of the same form.
        config: what is found and what takes its place; with a `key` it can be undone.
        patient: the column or field that names the patient, for one shift of dates a patient.
        fields: only these columns or fields are changed; empty = all.
        encoding: of CSV, TSV and text.
        report: JSON file for the spans (kinds, places, rules, confidences).

    Returns:
        The report.

    Raises:
        InputError: a file that cannot be read or written, no such column, the output is the input or of another form;
            dates are shifted or names invented without a key, so that a second copy would not agree with the first.
    """
    if path.resolve() == out.resolve():
        raise InputError("the output would overwrite the input", where=str(out), hint="name another file")
    form = path.suffix.lower()
    if (form in (".xlsx", *_TABLES, *_LINES) or out.suffix.lower() == ".xlsx") and out.suffix.lower() != form:
        raise InputError(f"the output must be a {form or 'text'} file as the input is", where=str(out))
    deidentifier = deidentifier_of(config, _KEY_OPTION, out)
    records = Records(deidentifier, patient, tuple(fields), Path(config.key) if config.key else None)
    with atomic_path(out) as temporary:
        _change(path, temporary, encoding, records, records.fields, patient)
    found = {"input_sha256": sha256_file(path), **records.report()}
    if report is not None:
        write_json(report, found)
    return found


def restore_file(path: Path, out: Path, key: Path, encoding: str = "utf-8") -> int:
    """Undo `deidentify_file`; returns how many cells came back.

    Raises:
        InputError: no key, or a file that cannot be read.
    """
    undos = read_key(key)
    count = number = 0

    def back(record: Mapping[str, str]) -> dict[str, str]:
        nonlocal count, number
        number += 1
        originals = {name: restored(text, f"{number} {name}", undos) for name, text in record.items()}
        count += sum(text is not None for text in originals.values())
        return {name: text if (text := originals[name]) is not None else record[name] for name in record}

    with atomic_path(out) as temporary:
        _change(path, temporary, encoding, back, (), None)
    return count


Change = Callable[[Mapping[str, str]], dict[str, str]]


def _change(path: Path, out: Path, encoding: str, change: Change, fields: Sequence[str], patient: str | None) -> None:
    form = path.suffix.lower()
    needed = [*fields, *([patient] if patient else [])]
    try:
        if form == ".xlsx":
            deidentify_workbook(path, out, change, needed)
        elif form in _TABLES:
            _change_table(path, out, encoding, _TABLES[form], change, needed)
        elif form in _LINES:
            with path.open("rb") as lines, out.open("w", encoding="utf-8", newline="") as file:
                for number, line in enumerate(lines, 1):
                    file.write(_changed_object(line, number, change, str(path)))
        else:
            text = path.read_bytes().decode(encoding)
            out.write_bytes(change({"": text})[""].encode(encoding))
    except UnicodeError as error:
        raise InputError(
            f"the file is not {encoding}", where=str(path), hint="--encoding cp932 is what Excel in Japan writes"
        ) from error
    except OSError as error:
        raise explain_os_error(error, path) from error


def _change_table(path: Path, out: Path, encoding: str, delimiter: str, change: Change, needed: Sequence[str]) -> None:
    csv.field_size_limit(_LONGEST_CELL)
    data = path.read_bytes()
    marked = data.startswith(codecs.BOM_UTF8)
    text = data.decode("utf-8-sig" if marked else encoding)
    ending = "\r\n" if "\r\n" in text[:10_000] else "\n"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    with out.open("w", encoding="utf-8-sig" if marked else encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ending)
        try:
            header = next(reader, [])
            _check_columns(needed, header, path)
            writer.writerow(header)
            for cells in reader:
                names = [header[place].strip() if place < len(header) else "" for place in range(len(cells))]
                writer.writerow(_changed_cells(names, cells, change))
        except csv.Error as error:
            raise InputError(f"the file is not valid: {error}", where=f"{path}, line {reader.line_num}") from error


def _check_columns(needed: Sequence[str], header: Sequence[str], path: Path) -> None:
    for name in needed:
        if name not in (cell.strip() for cell in header):
            raise InputError(
                f"there is no column {name!r}", where=str(path), hint=f"there are: {', '.join(header)[:300]}"
            )


def _changed_cells(names: Sequence[str], cells: Sequence[str], change: Change) -> list[str]:
    """A row; columns of one name, or of none, are told apart by their number."""
    keys = [name if names.count(name) == 1 and name else f"{name}\0{place}" for place, name in enumerate(names)]
    changed = change(dict(zip(keys, cells, strict=True)))
    return [changed[key] for key in keys]


def _changed_object(line: bytes, number: int, change: Change, where: str) -> str:
    """One JSON line: all strings in it, however deep; a line in which nothing was found stays as it is."""
    text = line.decode("utf-8", "strict") if number > 1 else line.decode("utf-8-sig")
    if not text.strip():
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this line is not JSON: {error}", where=f"{where}, line {number}") from error
    strings = dict(_strings(value, ()))
    keys = {path: ".".join(map(str, path)) for path in strings}
    record = {keys[path]: string for path, string in strings.items()}
    changed = change(record)
    if changed == record:
        return text
    ending = text[len(text.rstrip("\r\n")) :]
    return (
        json.dumps(_with_strings(value, (), {path: changed[keys[path]] for path in strings}), ensure_ascii=False)
        + ending
    )


_Path = tuple[str | int, ...]


def _strings(value: object, path: _Path) -> Iterator[tuple[_Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _strings(entry, (*path, name))
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _strings(entry, (*path, place))


def _with_strings(value: object, path: _Path, strings: Mapping[_Path, str]) -> object:
    if isinstance(value, str):
        return strings[path]
    if isinstance(value, dict):
        return {name: _with_strings(entry, (*path, name), strings) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_strings(entry, (*path, place), strings) for place, entry in enumerate(value)]
    return value


def deidentify_stream(lines: Iterable[bytes], config: Deidentification) -> Iterator[bytes]:
    """The filter of `igakulm deidentify -`: one record a line; everything but the spans stays as it is, byte for byte.

    Bytes that are not UTF-8 pass unchanged around what is found beside them.
    """
    records = Records(deidentifier_of(config, _KEY_OPTION), key=Path(config.key) if config.key else None)
    for line in lines:
        text = line.decode("utf-8", "surrogateescape")
        body = text.rstrip("\r\n")
        changed = records({"": body})[""]
        yield (changed + text[len(body) :]).encode("utf-8", "surrogateescape")


__all__ = ["Records", "Undo", "deidentify_file", "deidentify_stream", "restore_file"]

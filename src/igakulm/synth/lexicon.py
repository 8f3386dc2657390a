"""Disease and drug names in one table: Manbyo lists, the Ministry's drug price list, or a table of one's own.

Does: read the published layouts (columns by name, not by place), normalise names, drop duplicates, write terms.tsv.
Does not: fetch lists, build MeCab dictionaries or prompts.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, write_text
from igakulm.progress import Progress
from igakulm.recipe.loading import data_files
from igakulm.recipe.schema import LexiconSection, TermList

TERMS_FILE = "terms.tsv"


@dataclass(frozen=True, slots=True)
class Term:
    """One name. Fields that a list does not have are empty; `standard_name` of a drug is its ingredient."""

    term: str
    kind: str
    reading: str = ""
    icd10: str = ""
    standard_name: str = ""
    confidence: str = ""
    frequency: str = ""
    source: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of columns: field of `Term` to the header names that may hold it, the required fields first."""

    name: str
    columns: dict[str, tuple[str, ...]]
    required: tuple[str, ...]


_LAYOUTS = (
    Layout(
        "igakulm",
        {
            "term": ("term",),
            "reading": ("reading",),
            "icd10": ("icd10",),
            "standard_name": ("standard_name", "generic"),
            "confidence": ("confidence",),
            "frequency": ("frequency",),
        },
        ("term",),
    ),
    Layout(
        "manbyo_mini",
        {
            "term": ("出現形",),
            "icd10": ("ICDコード",),
            "standard_name": ("標準病名",),
            "reading": ("しゅつげんけい",),
            "frequency": ("東大診療録頻度",),
        },
        ("term", "icd10", "standard_name", "reading", "frequency"),
    ),
    Layout(
        "manbyo",
        {
            "term": ("出現形",),
            "icd10": ("ICDコード", "ICD10コード", "TO:ICD-10"),
            "standard_name": ("標準病名", "正規形"),
            "reading": ("出現形よみ", "しゅつげんけい"),
            "confidence": ("信頼度レベル", "信頼度LEVEL"),
            "frequency": ("頻度レベル", "頻度LEVEL", "FREQ:GLOBAL"),
        },
        ("term",),
    ),
    Layout(
        "drug_price",
        {"code": ("薬価基準収載医薬品コード",), "term": ("品名",), "standard_name": ("成分名",)},
        ("code", "term", "standard_name"),
    ),
)
_MANBYO_LABEL = "しゅつげんけい;icd=ICDコード;lv=信頼度LEVEL/freq=頻度LEVEL;標準病名"
"""Header of the 2019 list's last column, which packs the other fields into one."""
_LABEL = re.compile(r"(?P<reading>[^;]*);icd=(?P<icd10>[^;]*);lv=(?P<confidence>[^/;]*)/freq=(?P<frequency>[^;]*);(.*)")
_CODE = re.compile(r"\d{7}[A-Z]\d{4}")
_ICD = re.compile(r"[A-Z]\d{2}.*|-1|")
_MAKER = re.compile(r"「[^」]*」")
_ABSENT = {"-1", "[NULL]", "NULL"}


def build_lexicon(config: LexiconSection, out_dir: Path, progress: Progress) -> dict[str, Any]:
    """Read every list of the recipe and write `terms.tsv` (columns: the fields of `Term`).

    The first of two equal names of one kind is kept; its empty fields are filled from the later ones. Names shorter
    than `min_characters` or longer than `max_characters` are left out and counted.

    Returns:
        Number of terms by kind, and for each list the rows read and what became of them.

    Raises:
        InputError: a list is missing or unreadable, or lacks a column.
    """
    seen: dict[tuple[str, str], Term] = {}
    lists = []
    for term_list in config.lists:
        counts = {"rows": 0, "kept": 0, "duplicate": 0, "too_short": 0, "too_long": 0}
        with progress.task(f"names of {term_list.source}", None, "names") as task:
            for term in read_list(term_list):
                counts["rows"] += 1
                counts[_add(term, seen, config)] += 1
                task.advance()
        lists.append({"source": term_list.source, "licence": term_list.licence, "kind": term_list.kind, **counts})
    write_terms(out_dir / TERMS_FILE, list(seen.values()))
    kinds = [term.kind for term in seen.values()]
    return {"terms": len(kinds), "diseases": kinds.count("disease"), "drugs": kinds.count("drug"), "lists": lists}


def _add(term: Term, seen: dict[tuple[str, str], Term], config: LexiconSection) -> str:
    if len(term.term) < config.min_characters:
        return "too_short"
    if len(term.term) > config.max_characters:
        return "too_long"
    known = seen.setdefault((term.term, term.kind), term)
    if known is term:
        return "kept"
    seen[term.term, term.kind] = _filled(known, term)
    return "duplicate"


def _filled(known: Term, other: Term) -> Term:
    """`known` with its empty fields from `other`, whose source and licence are then named too."""
    empty = [field.name for field in fields(Term) if not getattr(known, field.name) and getattr(other, field.name)]
    changes = {name: getattr(other, name) for name in empty}
    if changes:
        for name in ("source", "licence"):
            known_values = getattr(known, name).split("; ")
            if getattr(other, name) not in known_values:
                changes[name] = "; ".join([*known_values, getattr(other, name)])
    return replace(known, **changes)


def write_terms(path: Path, terms: Sequence[Term]) -> None:
    """Write terms as a tab-separated table with a header."""
    lines = ["\t".join(field.name for field in fields(Term))]
    lines += ["\t".join(astuple(term)) for term in terms]
    write_text(path, "\n".join(lines) + "\n")


def read_terms(folder: Path) -> list[Term]:
    """Read `terms.tsv` of a lexicon's folder.

    Raises:
        InputError: it is missing or is no table of terms.
    """
    path = folder / TERMS_FILE
    rows = [line.split("\t") for line in _read_text(path).split("\n") if line]
    names = [field.name for field in fields(Term)]
    if not rows or rows[0] != names:
        raise InputError("this is not a table of terms", where=str(path), mend="build the lexicon again")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise InputError(f"{len(row)} columns instead of {len(names)}", where=f"{path}, line {number}")
    return [Term(*row) for row in rows[1:]]


def clean_name(text: str) -> str:
    """Normalise one cell: NFKC, white space to single spaces, nothing at the ends.

    >>> clean_name(" ２型糖尿病\u3000 ")
    '2型糖尿病'
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def read_list(term_list: TermList) -> Iterator[Term]:
    """Yield the names of one list, normalised, in its order; duplicates and bounds are the caller's matter.

    Raises:
        InputError: no such file, a layout that is not recognised, a column that is missing.
    """
    for path in data_files(term_list.path):
        rows = _read_rows(path)
        number, header = next(rows, (1, None))
        if header is None:
            raise InputError("the list is empty", where=str(path))
        for term in _terms_of(path, term_list, number, header, rows):
            if term.term:
                yield replace(term, kind=term_list.kind, source=term_list.source, licence=term_list.licence)


Rows = Iterator[tuple[int, list[str]]]


def _terms_of(path: Path, term_list: TermList, number: int, first: list[str], rows: Rows) -> Iterator[Term]:
    header = [name.strip() for name in first]
    if term_list.format == "headerless" or (term_list.format == "auto" and _looks_headerless(header)):
        yield _headerless_term(path, number, first)
        for number, row in rows:
            yield _headerless_term(path, number, row)
        return
    layout = _choose_layout(path, term_list, header)
    places = _places(path, layout, header)
    row_reader: Callable[[list[str]], Term | None]
    if layout.name == "drug_price":
        row_reader = lambda row: _drug_term(row, places)  # noqa: E731
    else:
        label = header.index(_MANBYO_LABEL) if _MANBYO_LABEL in header else None
        row_reader = lambda row: _plain_term(row, places, label)  # noqa: E731
    for number, row in rows:
        if len(row) > len(header) and any(row[len(header) :]):
            raise InputError(f"{len(row)} columns under a header of {len(header)}", where=f"{path}, line {number}")
        term = row_reader(row + [""] * (len(header) - len(row)))
        if term is not None:
            yield term


def _looks_headerless(row: list[str]) -> bool:
    return len(row) == 3 and _ICD.fullmatch(row[1]) is not None


def _choose_layout(path: Path, term_list: TermList, header: list[str]) -> Layout:
    if term_list.format != "auto":
        return next(layout for layout in _LAYOUTS if layout.name == term_list.format)
    for layout in _LAYOUTS:
        if all(any(name in header for name in layout.columns[field]) for field in layout.required):
            return layout
    raise InputError(
        "the layout of this list is not recognised",
        where=f"{path}, header: {', '.join(header[:8])}",
        mend="set `format`, or name the columns term, reading, icd10, standard_name",
    )


def _places(path: Path, layout: Layout, header: list[str]) -> dict[str, int]:
    places = {}
    for field, names in layout.columns.items():
        found = next((header.index(name) for name in names if name in header), None)
        if found is not None:
            places[field] = found
        elif field in layout.required:
            where = f"{path}, header: {', '.join(header[:8])}"
            mend = f"a list of format {layout.name} needs this column; set `format` if the list is of another kind"
            raise InputError(f"the column {names[0]!r} is missing", where=where, mend=mend)
    return places


def _plain_term(row: list[str], places: dict[str, int], label: int | None) -> Term:
    values = {field: clean_name(row[place]) for field, place in places.items()}
    if label is not None and (found := _LABEL.fullmatch(row[label].strip())):
        packed = {**found.groupdict(), "standard_name": found[5]}
        values |= {field: clean_name(value) for field, value in packed.items() if not values.get(field)}
    return Term(kind="", **{field: "" if value in _ABSENT else value for field, value in values.items()})


def _drug_term(row: list[str], places: dict[str, int]) -> Term | None:
    """A product without its maker; None for rows that are no products (notes, repeated headers).

    The price list writes the maker in 「」 at the end of the product's name.
    """
    if not _CODE.fullmatch(row[places["code"]].strip()):
        return None
    name = clean_name(_MAKER.sub("", row[places["term"]]))
    return Term(name, "", standard_name=clean_name(row[places["standard_name"]]))


def _headerless_term(path: Path, number: int, row: list[str]) -> Term:
    if len(row) != 3:
        what = f"{len(row)} columns; a list without a header has three: name, ICD-10 code, standard name"
        raise InputError(what, where=f"{path}, line {number}", mend="set `format` if the list is of another kind")
    name, icd10, standard = (clean_name(cell) for cell in row)
    return Term(
        name, "", icd10="" if icd10 in _ABSENT else icd10, standard_name="" if standard in _ABSENT else standard
    )


def _read_rows(path: Path) -> Rows:
    """Rows with their line numbers; workbooks by openpyxl, text by commas or tabs. Empty rows are skipped."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        rows: Iterator[tuple[int, list[str]]] = enumerate(_read_workbook(path), 1)
    else:
        text = _read_text(path)
        first, _, _ = text.partition("\n")
        # Tab-separated lists hold quotation marks as they are.
        tabs = first.count("\t") >= max(1, first.count(","))
        reader = (
            csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
            if tabs
            else csv.reader(io.StringIO(text))
        )
        rows = ((reader.line_num, row) for row in reader)
    try:
        yield from ((number, row) for number, row in rows if any(row))
    except csv.Error as error:
        raise InputError(f"the list is not valid CSV: {error}", where=str(path)) from error


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise explain_os_error(error, path) from error
    for encoding in ("utf-8-sig", "cp932"):  # lists saved by a Japanese spreadsheet program are cp932
        try:
            return data.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    raise InputError("the list is neither UTF-8 nor Shift_JIS", where=str(path), mend="save it as CSV in UTF-8")


def _read_workbook(path: Path) -> Iterator[list[str]]:
    try:
        import openpyxl
    except ImportError as error:
        mend = "pip install 'igakulm[excel]', or save the sheet as CSV in UTF-8"
        raise InputError("reading workbooks needs the package openpyxl", where=str(path), mend=mend) from error
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError as error:
        raise explain_os_error(error, path) from error
    except Exception as error:  # openpyxl documents no exceptions for broken files (zip, XML and key errors)
        mend = "open it in a spreadsheet program and save it as CSV in UTF-8"
        raise InputError(f"the workbook cannot be read: {error}", where=str(path), mend=mend) from error
    try:
        for row in workbook.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in row]
    finally:
        workbook.close()

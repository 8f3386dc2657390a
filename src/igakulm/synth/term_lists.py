"""Published lists of names: Manbyo's layouts, the Ministry's drug price list, or a table of one's own.

Does: read workbooks and text, find columns by their names, normalise names, yield `Term`s in the order of the list.
Does not: fetch lists, drop duplicates or select (lexicon.py).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.recipe.loading import data_files
from igakulm.recipe.schema import TermList
from igakulm.text.lookalikes import VARIANTS
from igakulm.text.prepared import prepare


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
        {
            "code": ("薬価基準収載医薬品コード",),
            "term": ("品名",),
            "standard_name": ("成分名",),
            "generic": ("診療報酬において加算等の算定対象となる後発医薬品",),
        },
        ("code", "term", "standard_name"),
    ),
)
_MANBYO_LABEL = "しゅつげんけい;icd=ICDコード;lv=信頼度LEVEL/freq=頻度LEVEL;標準病名"
"""Header of the 2019 list's last column, which packs the other fields into one."""
_LABEL = re.compile(r"(?P<reading>[^;]*);icd=(?P<icd10>[^;]*);lv=(?P<confidence>[^/;]*)/freq=(?P<frequency>[^;]*);(.*)")
_CODE = re.compile(r"\d{7}[A-Z]\d{4}")
_ICD = re.compile(r"[A-Z]\d{2}.*|-1|")
_MAKER = re.compile(r"「[^」]*」")
_VOICED = re.compile("[\u3099\u309a\u309b\u309c\uff9e\uff9f]")
_VARIANTS = str.maketrans(VARIANTS)
_ABSENT = {"-1", "[NULL]", "NULL"}


def clean_name(text: str) -> str:
    """Normalise one cell as documents are: width, voiced marks joined to their kana, one form of each kanji; one line.

    >>> clean_name("ハ ゚ーキンソン病"), clean_name("囊胞")
    ('パーキンソン病', '嚢胞')
    >>> clean_name(" ２型糖尿病\u3000 ")
    '2型糖尿病'
    """
    written = prepare(text, "width").text if _VOICED.search(text) else text
    return " ".join(unicodedata.normalize("NFKC", written).translate(_VARIANTS).split())


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


def kind_of(path: Path) -> Literal["disease", "drug"]:
    """What a list holds, by its header."""
    _, header = next(_read_rows(path), (1, []))
    prices = next(layout for layout in _LAYOUTS if layout.name == "drug_price")
    needed = (prices.columns[field][0] for field in prices.required)
    return "drug" if all(name in map(str.strip, header) for name in needed) else "disease"


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
        if not term_list.generics and "generic" not in places:
            raise InputError("this price list does not say which products are generic", where=str(path))
        row_reader = lambda row: _drug_term(row, places, term_list.generics)  # noqa: E731
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
        hint="set `format`, or name the columns term, reading, icd10, standard_name",
    )


def _places(path: Path, layout: Layout, header: list[str]) -> dict[str, int]:
    places = {}
    for field, names in layout.columns.items():
        found = next((header.index(name) for name in names if name in header), None)
        if found is not None:
            places[field] = found
        elif field in layout.required:
            where = f"{path}, header: {', '.join(header[:8])}"
            hint = f"a list of format {layout.name} needs this column; set `format` if the list is of another kind"
            raise InputError(f"the column {names[0]!r} is missing", where=where, hint=hint)
    return places


def _plain_term(row: list[str], places: dict[str, int], label: int | None) -> Term:
    values = {field: clean_name(row[place]) for field, place in places.items()}
    if label is not None and (found := _LABEL.fullmatch(row[label].strip())):
        packed = {**found.groupdict(), "standard_name": found[5]}
        values |= {field: clean_name(value) for field, value in packed.items() if not values.get(field)}
    return Term(kind="", **{field: "" if value in _ABSENT else value for field, value in values.items()})


def _drug_term(row: list[str], places: dict[str, int], generics: bool) -> Term | None:
    """A product without its maker; None for rows that are no products (notes, repeated headers) or not wanted.

    The price list writes the maker in 「」 at the end of the product's name.
    """
    if not _CODE.fullmatch(row[places["code"]].strip()):
        return None
    if not generics and row[places["generic"]].strip():  # 後発品, or ★ for one without the extra fee
        return None
    name = clean_name(_MAKER.sub("", row[places["term"]]))
    return Term(name, "", standard_name=clean_name(row[places["standard_name"]]))


def _headerless_term(path: Path, number: int, row: list[str]) -> Term:
    if len(row) != 3:
        what = f"{len(row)} columns; a list without a header has three: name, ICD-10 code, standard name"
        raise InputError(what, where=f"{path}, line {number}", hint="set `format` if the list is of another kind")
    name, icd10, standard = (clean_name(cell) for cell in row)
    return Term(
        name, "", icd10="" if icd10 in _ABSENT else icd10, standard_name="" if standard in _ABSENT else standard
    )


def _read_rows(path: Path) -> Rows:
    """Rows with their line numbers; workbooks by openpyxl, text by commas or tabs. Empty rows are skipped."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        rows: Iterator[tuple[int, list[str]]] = enumerate(_read_workbook(path), 1)
    else:
        text = read_text(path)
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


def read_text(path: Path) -> str:
    """A text file in UTF-8 or, as spreadsheet programs save it, Shift_JIS."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise explain_os_error(error, path) from error
    for encoding in ("utf-8-sig", "cp932"):  # lists saved by a Japanese spreadsheet program are cp932
        try:
            return data.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    raise InputError("the list is neither UTF-8 nor Shift_JIS", where=str(path), hint="save it as CSV in UTF-8")


def _read_workbook(path: Path) -> Iterator[list[str]]:
    try:
        import openpyxl
    except ImportError as error:
        hint = "pip install 'igakulm[excel]', or save the sheet as CSV in UTF-8"
        raise InputError("reading workbooks needs the package openpyxl", where=str(path), hint=hint) from error
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError as error:
        raise explain_os_error(error, path) from error
    except Exception as error:  # openpyxl documents no exceptions for broken files (zip, XML and key errors)
        hint = "open it in a spreadsheet program and save it as CSV in UTF-8"
        raise InputError(f"the workbook cannot be read: {error}", where=str(path), hint=hint) from error
    try:
        for row in workbook.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in row]
    finally:
        workbook.close()

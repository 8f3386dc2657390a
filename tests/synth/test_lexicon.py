"""Name lists in their published layouts."""

import sys
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import LexiconSection, TermList
from igakulm.synth.lexicon import build_lexicon, build_table, read_terms, select, write_terms
from igakulm.synth.term_lists import Term, read_list

Fields = tuple[str, str, str, str, str]
MANBYO_2019 = (
    "出現形,信頼度LEVEL,しゅつげんけい;icd=ICDコード;lv=信頼度LEVEL/freq=頻度LEVEL;標準病名\n"
    "２型ＤＭ,A,にがたでぃーえむ;icd=E11;lv=A/freq=高;2型糖尿病\n"
)
MANBYO_2021 = (
    "ID,出現形,標準病名,出現形よみ,ICDコード,信頼度レベル,頻度レベル\n"
    "7,２型ＤＭ,2型糖尿病,にがたでぃーえむ,E11,A,高\n"
    "8,謎の病,-1,なぞのやまい,-1,C,低\n"
)
MINI = "出現形\tICDコード\t標準病名\tしゅつげんけい\t東大診療録頻度\n２型ＤＭ\tE11\t2型糖尿病\tにがたでぃーえむ\t42\n"
HEADERLESS = "２型ＤＭ,E11,2型糖尿病\n謎の病,-1,謎の病\n"
OWN = "term\treading\ticd10\tstandard_name\n２型ＤＭ\tニガタディーエム\tE11\t2型糖尿病\n"
OWN_DRUGS = "term\treading\tgeneric\tclass\nテスト錠\tテストジョウ\tテスト塩酸塩\t試験薬\n"
PRICES = (
    "区分,薬価基準収載医薬品コード,成分名,規格,,,,品名,メーカー名\n"
    "内用薬,1121001X1018,テスト塩酸塩,１ｇ,局,,,テスト錠５ｍｇ「甲社」,甲\n"
    "内用薬,1121001X1026,テスト塩酸塩,１ｇ,局,,,テスト錠５ｍｇ「乙社」,乙\n"
    "内用薬,注記,,,,,,この行は品目ではない,\n"
)


def listed(path: Path, **keys: Any) -> TermList:
    return TermList.model_validate({"path": str(path), "source": "list", "licence": "CC0-1.0", **keys})


def written(folder: Path, text: str, name: str = "list.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def built(folder: Path, *lists: TermList, **keys: Any) -> tuple[dict[str, Any], list[Term]]:
    section = LexiconSection(lists=lists, **keys)
    summary = build_lexicon(section, folder, SilentProgress())
    return summary, read_terms(folder)


@pytest.mark.parametrize(
    ("text", "layout", "expected"),
    [
        (MANBYO_2019, "manbyo", ("にがたでぃーえむ", "E11", "2型糖尿病", "A", "高")),
        (MANBYO_2021, "manbyo", ("にがたでぃーえむ", "E11", "2型糖尿病", "A", "高")),
        (MINI, "manbyo_mini", ("にがたでぃーえむ", "E11", "2型糖尿病", "", "42")),
        (HEADERLESS, "headerless", ("", "E11", "2型糖尿病", "", "")),
        (OWN, "igakulm", ("ニガタディーエム", "E11", "2型糖尿病", "", "")),
    ],
)
@pytest.mark.parametrize("automatic", [True, False])
def test_layouts(tmp_path: Path, text: str, layout: str, expected: Fields, automatic: bool) -> None:
    path = written(tmp_path, text)
    first, *_ = read_list(listed(path, format="auto" if automatic else layout))
    assert first == Term("2型DM", "disease", *expected, "list", "CC0-1.0")


def test_absent_codes_are_empty(tmp_path: Path) -> None:
    for text in (MANBYO_2021, HEADERLESS):
        term = list(read_list(listed(written(tmp_path, text))))[1]
        assert (term.term, term.icd10) == ("謎の病", "")
    assert list(read_list(listed(written(tmp_path, MANBYO_2021))))[1].standard_name == ""


def test_drugs_of_our_own_layout(tmp_path: Path) -> None:
    (term,) = read_list(listed(written(tmp_path, OWN_DRUGS, "drugs.tsv"), kind="drug"))
    assert (term.term, term.kind, term.standard_name) == ("テスト錠", "drug", "テスト塩酸塩")


def test_drug_prices_without_makers_and_notes(tmp_path: Path) -> None:
    summary, terms = built(tmp_path, listed(written(tmp_path, PRICES), kind="drug"))
    assert [(term.term, term.standard_name) for term in terms] == [("テスト錠5mg", "テスト塩酸塩")]
    assert summary["lists"][0]["rows"] == 2
    assert summary["lists"][0]["duplicate"] == 1


def test_workbooks(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    for number in (1, 2):
        workbook = openpyxl.Workbook()
        for row in PRICES.replace("テスト錠", f"テスト{number}錠").strip().split("\n"):
            workbook.active.append([cell or None for cell in row.split(",")])
        workbook.save(tmp_path / f"tp20990101-01_0{number}.xlsx")
    terms = list(read_list(listed(tmp_path / "tp*.xlsx", kind="drug", format="drug_price")))
    assert [term.term for term in terms] == ["テスト1錠5mg"] * 2 + ["テスト2錠5mg"] * 2


def test_a_workbook_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match="openpyxl"):
        list(read_list(listed(written(tmp_path, "x", "prices.xlsx"))))


def test_a_broken_workbook(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pytest.raises(InputError, match="cannot be read"):
        list(read_list(listed(written(tmp_path, "no zip", "prices.xlsx"))))


def test_files_of_spreadsheet_programs(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "cp932"):
        text = MANBYO_2021.replace("\n", "\r\n")
        first, *_ = read_list(listed(written(tmp_path, text, encoding=encoding)))
        assert (first.term, first.frequency) == ("2型DM", "高")


def test_bounds_duplicates_and_order(tmp_path: Path) -> None:
    text = "term\n肺炎\n咳\n" + "長" * 41 + "\n肺炎\n胃炎\n\n"
    summary, terms = built(tmp_path, listed(written(tmp_path, text)))
    assert [term.term for term in terms] == ["肺炎", "胃炎"]
    counts = {"rows": 5, "kept": 2, "duplicate": 1, "too_short": 1, "too_long": 1}
    assert summary["lists"][0] == {"source": "list", "licence": "CC0-1.0", "kind": "disease", **counts}
    assert (summary["terms"], summary["diseases"], summary["drugs"]) == (2, 2, 0)


def test_a_name_may_be_disease_and_drug(tmp_path: Path) -> None:
    path = written(tmp_path, "term\n果糖\n")
    summary, _ = built(tmp_path, listed(path), listed(path, kind="drug"))
    assert (summary["diseases"], summary["drugs"]) == (1, 1)


def test_later_lists_fill_what_is_empty_and_are_named(tmp_path: Path) -> None:
    first = listed(written(tmp_path, HEADERLESS, "a.csv"))
    second = listed(written(tmp_path, MINI, "b.txt"), source="mini", licence="CC-BY-4.0")
    _, terms = built(tmp_path, first, second)
    assert terms[0].reading == "にがたでぃーえむ"
    assert (terms[0].source, terms[0].licence) == ("list; mini", "CC0-1.0; CC-BY-4.0")
    assert (terms[1].source, terms[1].licence) == ("list", "CC0-1.0")


def test_names_never_break_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, 'term,reading\n"肺\t炎\n症",a\n')
    _, terms = built(tmp_path, listed(path))
    assert terms[0].term == "肺 炎 症"


def test_no_lists_is_an_empty_table(tmp_path: Path) -> None:
    summary, terms = built(tmp_path)
    assert (summary["terms"], terms) == (0, [])


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("", "auto", "empty"),
        ("甲,乙\n1,2\n", "auto", "not recognised"),
        ("出現形,標準病名\nDM,糖尿病\n", "manbyo_mini", "'ICDコード' is missing"),
        ("品名,成分名\nテスト錠,x\n", "drug_price", "薬価基準収載医薬品コード"),
        ("name\nDM\n", "igakulm", "'term' is missing"),
        ("DM,E11\n", "headerless", "2 columns"),
        ("DM,E11,糖尿病\nDM\n", "auto", "line 2"),
        ("term\nDM\nDM,E11,x\n", "auto", "line 3"),
    ],
)
def test_unreadable_lists_say_why(tmp_path: Path, text: str, layout: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_list(listed(written(tmp_path, text), format=layout)))


def test_other_bytes_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"term\n\x81 \n")
    with pytest.raises(InputError, match="neither"):
        list(read_list(listed(path)))
    with pytest.raises(InputError, match="no file"):
        list(read_list(listed(tmp_path / "none.csv")))


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    write_terms(tmp_path / "terms.tsv", [Term("肺炎", "disease")])
    assert read_terms(tmp_path) == [Term("肺炎", "disease")]
    (tmp_path / "terms.tsv").write_text((tmp_path / "terms.tsv").read_text() + "胃炎\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 3"):
        read_terms(tmp_path)
    (tmp_path / "terms.tsv").write_text("x\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a table"):
        read_terms(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_terms(tmp_path / "nowhere")


def test_samples(samples: Path, tmp_path: Path) -> None:
    folder = samples / "lexicon"
    summary, _ = built(tmp_path, listed(folder / "diseases.tsv"), listed(folder / "drugs.tsv", kind="drug"))
    assert summary["diseases"] > 100
    assert summary["drugs"] > 50
    assert all(one["duplicate"] == 0 for one in summary["lists"])


def test_published_lists(real_data: Path, tmp_path: Path) -> None:
    summary, _ = built(
        tmp_path,
        listed(real_data / "lexicon" / "manbyo_manage_dic.csv"),
        listed(real_data / "lexicon" / "MANBYO_mini.txt"),
        listed(real_data / "drug-prices" / "mhlw_price_20250716.csv", kind="drug"),
    )
    names, mini, prices = summary["lists"]
    # 71 of the 72 names with a voiced mark of its own (ハ ゚ー) stand there a second time, written right.
    assert (names["rows"], names["kept"]) == (73_342, 73_229)
    assert (mini["rows"], mini["kept"]) == (9_122, 0)
    assert (prices["rows"], prices["kept"]) == (12_434, 9_174)


def test_published_workbooks_equal_the_merged_table(real_data: Path) -> None:
    pytest.importorskip("openpyxl")
    merged = listed(real_data / "drug-prices" / "mhlw_price_20250716.csv", kind="drug")
    books = listed(real_data / "drug-prices" / "tp20250716-01_0*.xlsx", kind="drug")
    one, other = ({(term.term, term.standard_name) for term in read_list(each)} for each in (merged, books))
    assert one == other


def named(term: str, **values: str) -> Term:
    return Term(**{"term": term, "kind": "disease", **values})


def test_the_selection_by_level_frequency_and_number() -> None:
    terms = [
        named("甲", confidence="C", frequency="90-95%"),
        named("乙", confidence="S", frequency="10-15%"),
        named("丙", confidence="S", frequency="高"),
        named("丁", frequency="1957360"),
        named("薬", kind="drug"),
    ]

    def chosen(**keys: Any) -> str:
        return "".join(term.term for term in select(terms, LexiconSection(**keys)))

    assert chosen() == "甲乙丙丁薬"
    assert chosen(kinds=("drug",)) == "薬"
    assert chosen(min_confidence="B") == "乙丙薬"
    assert chosen(min_frequency=11) == "甲丁薬"
    assert chosen(max_terms=1) == "乙薬"
    assert chosen(max_terms=3) == "甲乙丙薬"


def test_generic_products_can_be_left_out(tmp_path: Path) -> None:
    header = "薬価基準収載医薬品コード,成分名,品名,診療報酬において加算等の算定対象となる後発医薬品\n"
    text = header + "1121001X1018,塩酸塩,先発錠,\n1121001X1026,塩酸塩,後発錠,後発品\n1121001X1034,塩酸塩,星錠,★\n"
    path = written(tmp_path, text)
    assert [term.term for term in read_list(listed(path, kind="drug"))] == ["先発錠", "後発錠", "星錠"]
    assert [term.term for term in read_list(listed(path, kind="drug", generics=False))] == ["先発錠"]
    with pytest.raises(InputError, match="does not say which products are generic"):
        list(read_list(listed(written(tmp_path, PRICES), kind="drug", generics=False)))


def test_a_table_of_several_lists_without_a_recipe(tmp_path: Path) -> None:
    diseases, drugs = written(tmp_path, MINI, "mini.txt"), written(tmp_path, PRICES, "prices.csv")
    out = tmp_path / "names.tsv"
    summary = build_table([diseases, drugs], ["CC BY 4.0", "Government data"], out, SilentProgress())
    assert (summary["diseases"], summary["drugs"]) == (1, 1)
    rows = [line.split("\t") for line in out.read_text("utf-8").splitlines()]
    assert rows[0] == [
        "term",
        "kind",
        "reading",
        "icd10",
        "standard_name",
        "confidence",
        "frequency",
        "source",
        "licence",
    ]
    assert [(row[0], row[1], row[7], row[8]) for row in rows[1:]] == [
        ("2型DM", "disease", "mini.txt", "CC BY 4.0"),
        ("テスト錠5mg", "drug", "prices.csv", "Government data"),
    ]
    with pytest.raises(InputError, match="1 licences were given for 2 sources"):
        build_table([diseases, drugs], ["CC0"], out, SilentProgress())

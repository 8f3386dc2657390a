from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.text.characters import SEPARATOR, needed
from igakulm.text.cleaning import RULES, Rule, clean_text, clean_texts, rules_table
from igakulm.text.emphasis import RUNS
from igakulm.text.lookalikes import UNIFIED


def load_oracle() -> Callable[[str], str]:
    specification = importlib.util.spec_from_file_location("oracle_clean", Path(__file__).with_name("oracle_clean.py"))
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    clean: Callable[[str], str] = module.clean
    return clean


oracle = load_oracle()

AWKWARD = (
    " \n\t\u3000..,．，、。・ー--―—〜~!?…‥°ºCF℃Wwww笑笑ガギｶﾞﾊﾟ１２12３五AaZéÅ\u3099\u0301\u200b①㉑㊟㎎㎍²³⁻½ⅡⅢⅩⅳ"
    "()（）「」『』“”≦\u2063\ue000\0\ud800\x1e\r\x0b゛゜ﾟ¨가한ٱمン-ッァアイ※++--==##㍉㌔株㈱⻭〇○◯●•·￣／《≪≫"
    "₂₊⁺4kℓ㎡㏠⒈★☆→↑×*:🅰Ⓑ\u20e3\ufe0f\u0336\uf0b1\uf06c\ufffd|😀±"
)
awkward_text = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=60)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_does_what_its_example_says_and_leaves_the_other_alone(rule: Rule) -> None:
    assert clean_text(rule.before) == rule.after
    assert oracle(rule.before) == rule.after
    assert clean_text(rule.untouched) == rule.untouched


@settings(max_examples=300, deadline=None)
@given(st.lists(awkward_text, max_size=6))
def test_equals_the_oracle_and_cleaning_twice_changes_nothing(documents: list[str]) -> None:
    cleaned = clean_texts(documents)
    assert cleaned == [oracle(document) for document in documents]
    assert clean_texts(cleaned) == cleaned


@settings(max_examples=100, deadline=None)
@given(st.lists(awkward_text, max_size=6))
def test_only_needed_characters_are_left(documents: list[str]) -> None:
    assert set("".join(clean_texts(documents))) <= needed()


def test_every_single_character_equals_the_oracle() -> None:
    characters = [chr(code) for code in range(0x30000) if code % 7 == 0 or code < 0x3400 or 0xF900 <= code < 0x10000]
    documents = ["あ" + "あ".join(characters[start : start + 40]) + "あ" for start in range(0, len(characters), 40)]
    assert clean_texts(documents) == [oracle(document) for document in documents]


@pytest.mark.parametrize(
    "text",
    [
        "μg/dL ±5 ≤3 ≥4 2×10^3/μL αβγδ 1.5mg 38.5℃ 7.4%",
        "尿蛋白(++)、CRP 3+、HBs抗原(-)、WBC↑↑、○○病院",
        "1,000mLを0.5mg/分で、10-12回、3〜5日",
        "データ-解析、ケトン-アルデヒド、Guillain-Barré症候群、Sjögren症候群",
        "第1.2版のv1.0.3、ICD-10のE11.9",
        "嚢胞と頬と﨑と𠮟、二〇二四年、人々",
        "5'-末端、Na+、Ca2+",
        "100000、999999、aaaa、AAAA",
    ],
)
def test_medical_text_survives(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("１．５㎎／㎗", "1.5mg/dl"),
        ("WBC 5.2×10³／μL、1.73m²、10⁻⁶", "WBC 5.2×10^3/μL、1.73m2、10^-6"),
        ("37.5ºC、37.5˚C、37.5°C、３６゜", "37.5℃、37.5℃、37.5℃、36°"),
        ("CRP（−）、Na：１４０", "CRP(-)、Na:140"),
        ("第ⅩⅢ因子、ⅡⅢaVF、Ⅱ型", "第XIII因子、II・IIIaVF、II型"),
        ("Ａ，Ｂ，１，０００．", "A、B、1,000。"),
        ("ファイル.txtと、です.次に", "ファイル.txtと、です。次に"),
        ("改行．\r\n\r\n　次の行", "改行。\n次の行"),
        ("⻭科と⻑期", "歯科と長期"),
        ("葛󠄀城市", "葛城市"),
        ("\ufeffはじめ\0に", "はじめに"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("a\x1eb", "ab"),
        ("3，4日、1，000円", "3、4日、1,000円"),
    ],
)
def test_forms_that_are_unified(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_many_documents_keep_their_number_and_order() -> None:
    documents = [f"文書{number}。" * (number % 50) for number in range(3000)] + ["", SEPARATOR]
    cleaned = clean_texts(documents)
    assert cleaned == [*documents[:-1], ""]
    assert clean_texts([]) == []


def test_a_document_is_cleaned_the_same_alone_and_in_a_batch() -> None:
    documents = ["、終わり", "始まり.", "。", "．", "ー", "1ー", "2", " 笑", "笑www", "ア-", "ン"]
    assert clean_texts(documents) == [clean_text(document) for document in documents]


def test_digits_and_letters_are_never_shortened() -> None:
    assert not any(re.fullmatch("[0-9A-Za-z一-鿿]", character) for character in RUNS)


def test_the_tables_agree_with_each_other() -> None:
    assert set(UNIFIED.values()) - {""} <= needed(), "a look-alike becomes a character that is deleted"
    assert not set(UNIFIED) & needed()


def test_real_documents_equal_the_oracle(real_data: Path) -> None:
    from igakulm.corpus.read import read_source
    from igakulm.recipe.schema import Source

    path = str(real_data / "formats" / "*.jsonl.zst")
    source = Source(name="s", path=path, format="oscar", licence="x", max_documents=300)
    documents = [row.text for row in read_source(source)]
    assert clean_texts(documents) == [oracle(document) for document in documents]


def test_the_documentation_holds_the_rules(project: Path) -> None:
    assert rules_table() in (project / "docs" / "cleaning.md").read_text(encoding="utf-8")

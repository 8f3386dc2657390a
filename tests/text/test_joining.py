"""Cleaning makes no number of two and no word of two, over every assigned character; and the kinds of fault it had."""

import re
import unicodedata
from pathlib import Path

import pytest

from igakulm.corpus.filter import drop_reasons
from igakulm.recipe.schema import Filters
from igakulm.text.characters import needed
from igakulm.text.cleaning import clean_text, clean_texts, widths_mapped
from igakulm.text.replacement import unreadable

ASSIGNED = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
ASSIGNED += [chr(code) for code in range(0xE000, 0xF900, 3)]  # some of the private use area


def numbers(text: str) -> list[str]:
    return re.findall("[0-9]+", text)


def test_no_character_joins_two_numbers() -> None:
    own = {character: numbers(unicodedata.normalize("NFKC", character)) for character in ASSIGNED}
    for character, cleaned in zip(ASSIGNED, clean_texts([f"7{one}8" for one in ASSIGNED]), strict=True):
        if unicodedata.category(character) == "Nd":
            assert numbers(cleaned) in ([f"7{own[character][0]}8"] if own[character] else [], ["7", "8"])
        else:
            assert numbers(cleaned)[:1] == ["7"] and numbers(cleaned)[-1:] == ["8"], (character, cleaned)
            assert len(numbers(cleaned)) >= 2, (character, cleaned)


def test_no_character_joins_two_numbers_in_the_form_width() -> None:
    for character in ASSIGNED:
        if unicodedata.category(character) != "Nd" and ord(character) < 0x20000:
            found = numbers(widths_mapped(f"7{character}8")[0])
            assert found[0] == "7" and found[-1] == "8" and len(found) >= 2, character


@pytest.mark.parametrize(("left", "right"), [("a", "b"), ("あ", "い"), ("脳", "b"), ("a", "9")])
def test_what_a_reader_sees_joins_no_words_when_it_is_deleted(left: str, right: str) -> None:
    unseen = {"Mn", "Me", "Cf", "Cc"}
    for character, cleaned in zip(ASSIGNED, clean_texts([left + one + right for one in ASSIGNED]), strict=True):
        if cleaned == left + right:
            filler = "HANGUL" in unicodedata.name(character, "") and "FILLER" in unicodedata.name(character)
            voiced = character in "゛゜ﾞﾟ" and left == "あ"  # a mark on the kana
            assert unicodedata.category(character) in unseen or filler or voiced, character


def test_every_arrow_keeps_its_direction() -> None:
    wanted = {"RIGHTWARDS ARROW": "→", "LEFTWARDS ARROW": "←", "UPWARDS ARROW": "↑", "DOWNWARDS ARROW": "↓"}
    wanted |= {"NORTH EAST ARROW": "↗", "SOUTH EAST ARROW": "↘", "LEFT RIGHT ARROW": "↔"}
    for character in ASSIGNED:
        name = unicodedata.name(character, "")
        plain = re.sub("^(LONG|WHITE|BLACK|HEAVY|WAVE|DASHED|HEAVY WIDE-HEADED) ", "", name)
        if plain in wanted:
            assert clean_text(f"Cr 1.0{character}1.5") == f"Cr 1.0{wanted[plain]}1.5", name
        if "ARROW" in name and "STROKE" in name:
            assert not {*wanted.values()} & set(clean_text(f"1{character}2")), name


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        # digits that NFKC puts beside digits
        ("FiO₂0.4、PaCO₂45", "FiO2 0.4、PaCO2 45"),
        ("H₂O₂3%", "H2O2 3%"),
        ("C₁₂H₂₂", "C12H22"),
        ("⒊20mg", "(3)20mg"),
        ("2️⃣10mL", "(2)10mL"),
        ("体表面積1㎡2回", "体表面積1m2 2回"),
        ("SO₄²⁻", "SO4^2-"),
        ("HCO₃⁻24", "HCO3- 24"),
        ("1⅓錠を3回、⅓3", "1 1/3錠を3回、1/3 3"),
        ("10⁻⁶、10¹²、m²、Ca²⁺", "10^-6、10^12、m2、Ca2+"),
        ("0·5mgを1·25倍", "0.5mgを1.25倍"),
        ("咳·痰", "咳・痰"),
        ("gradeⅢ、NYHAⅣ度、Ⅱa", "grade III、NYHA IV度、IIa"),
        ("血液型🅱、Ⓐ型、A🅱", "血液型B、A型、A B"),
        ("CRP≫10、≪注意≫", "CRP>>10、《注意》"),
        ("１２３と𝟏𝟐", "123と12"),
        ("1，234と5，6日", "1,234と5、6日"),
        # signs that documents need
        ("便潜血⊖、尿蛋白⊕", "便潜血(-)、尿蛋白(+)"),
        ("☑済 ☐未 ❌中止 ⭕可", "✓済 □未 ×中止 ○可"),
        ("体重⬆、Hb⬇、⇨転院", "体重↑、Hb↓、→転院"),
        ("≯5、≮3、≲2、2‱", "≯5、≮3、≲2、2‱"),
        ("♯2 糖尿病", "#2 糖尿病"),
        ("120⧸80、3∗4、5⁓6日", "120/80、3*4、5〜6日"),
        ("ɑ-GI、⊿3kg", "α-GI、Δ3kg"),
        ("〃", "〃"),
        # fonts
        ("\uf0a3 5\uf06dg、\uf044BP\uf0b110", "≤ 5μg、ΔBP±10"),
        ("\uf0fc済\n\uf06c 項目\n\uf06c値", "✓済\n● 項目\n●値"),
        ("1\uf0e02\uf0a7", "1→2■"),
        ("1\uf0312", "1 2"),
        # angles
        ("30°C-arm、60°Flexion、15°Cobb、90°CT", "30°C-arm、60°Flexion、15°Cobb、90°CT"),
        ("45°Cアーム、30°F位", "45°Cアーム、30°F位"),
        ("36.5 °C、4°C-8°C、37°C、98.6°F。", "36.5 ℃、4℃-8℃、37℃、98.6℉。"),
        # runs
        ("****p<0.0001、0.01**", "****p<0.0001、0.01**"),
        ("*****重要*****", "*重要*"),
        ("★★★★★☆、●●●○○、△△△△×", "★★★★★☆、●●●○○、△△△△×"),
        ("満足度：★★★★★", "満足度:★★★★★"),
        ("すごい★★★★", "すごい★"),
        ("++++--、RPR(+++++)", "++++--、RPR(+++++)"),
        ("37.5→→→→38.0", "37.5→→→→38.0"),
        ("1,,,5、1---5、3////4", "1,,,5、1---5、3////4"),
        ("==========", "="),
        # marks
        ("ハ゛ンコマイシン、ホ゜リーフ゜", "バンコマイシン、ポリープ"),
        ("ハ ゚ーキンソン病", "パーキンソン病"),
        ("３６゜５、３７ﾟＣ", "36°5、37℃"),
        ("う゛ぃ、ウ゛ィ", "ゔぃ、ヴィ"),
        # deletion
        ("発熱😀咳", "発熱 咳"),
        ("発熱😀、咳", "発熱、咳"),
        ("5mg💊10mg", "5mg 10mg"),
        ("1.5👍.5", "1.5 .5"),
        ("ab\u200bc\u00add", "abcd"),
        ("1\u00002", "1 2"),
        ("1̶0̶20mg", "20mg"),
        ("ファイル한국어名", "ファイル 名"),
        # one form
        ("囊胞・嚢胞、頰部・頬部、剝離・剥離", "嚢胞・嚢胞、頬部・頬部、剥離・剥離"),
    ],
)
def test_kinds_of_fault(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned", "lost"),
    [
        ("体温37.2\ufffdC。", "体温37.2℃。", 0),
        ("25\ufffdg、10 \ufffdL、5\ufffdmol/L", "25μg、10 μL、5μmol/L", 0),
        ("Sj\ufffdgren、M\ufffdni\ufffdre", "Sjögren、Ménière", 0),
        ("5\ufffd2", "5 2", 1),
        ("発\ufffd熱\ufffd\ufffd", "発 熱", 3),
        ("X\ufffdgren", "X gren", 1),
    ],
)
def test_characters_that_could_not_be_read(text: str, cleaned: str, lost: int) -> None:
    assert clean_text(text) == cleaned
    assert unreadable(text) == lost


def test_a_document_with_unreadable_characters_is_dropped_for_that_reason() -> None:
    texts = ["体温は37.2\ufffdCであった。", "投与量は5\ufffd2であった。"]
    filters = Filters(min_characters=1)
    assert drop_reasons(clean_texts(texts), filters, read=texts) == [None, ("broken_characters", "1 characters")]
    filters = Filters(min_characters=1, max_broken_characters=1)
    assert drop_reasons(clean_texts(texts), filters, read=texts) == [None, None]


def test_the_cases_at_hand(real_data: Path) -> None:
    path = real_data.parent / "cases" / "cleaning.tsv"
    if not path.is_file():
        pytest.skip(f"no cases at {path}")
    pairs = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert [clean_text(text) for text, _ in pairs] == [cleaned for _, cleaned in pairs]


def test_no_needed_character_is_changed_alone() -> None:
    alone = sorted(needed() - {" ", "\n"})
    cleaned = clean_texts([f"「{one}」" for one in alone])
    changed = {one for one, text in zip(alone, cleaned, strict=True) if text != f"「{one}」"}
    # Of the ranges of letters: what NFKC writes with others (ǆ, ϐ, ŀ), and accents by themselves.
    assert all(unicodedata.normalize("NFKC", one) != one for one in changed), changed

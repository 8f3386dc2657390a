"""Markup that carries a number: powers, indices, struck-out text, templates, formulas, tables of doses."""

import pytest

from igakulm.corpus.formulas import formula_text
from igakulm.corpus.html import main_text
from igakulm.corpus.wikicode import body_and_losses, body_text, parsed_body_text
from igakulm.text.cleaning import clean_text
from igakulm.text.inline_markup import with_dose_lines, with_meaning

SENTENCES = (
    ("血小板は10<sup>5</sup>/μLであった。", "血小板は10^5/μLであった。"),
    ("4×10<SUP>3</SUP>と10<sup>-3</sup>と10<sup>−6</sup>である。", "4×10^3と10^-3と10^-6である。"),
    ("SpO<sub>2</sub>98%、CO<sub>2</sub>50である。", "SpO2 98%、CO2 50である。"),
    ("体表面積は1.5m<sup>2</sup>である。", "体表面積は1.5m2である。"),
    ("10<sup>5</sup>3と1<sub>2</sub>である。", "10^5 3と1 2である。"),
    ("HCO<sub>3</sub><sup>-</sup>24、Na<sup>+</sup>140である。", "HCO3- 24、Na+ 140である。"),
    ("<del>5mg</del><ins>10mg</ins>を投与した。", "10mgを投与した。"),
    ("<s>20mg</s>30mg、<strike>7</strike>8日である。", "30mg、8日である。"),
    ("1<del>9</del>2である。", "1 2である。"),
)


@pytest.mark.parametrize(("markup", "text"), SENTENCES)
def test_numbers_of_sentences_in_pages_and_articles(markup: str, text: str) -> None:
    assert clean_text(body_text(markup)) == clean_text(parsed_body_text(markup)) == text
    filler = "この段落は本文として読まれるだけの長さを持ち、患者の経過を述べる文が続いている。" * 4
    page = f"<html><body><article><p>{filler}</p><p>{markup}</p><p>{filler}</p></article></body></html>"
    assert text in clean_text(main_text(page).text)


def test_markup_without_a_number_stays() -> None:
    for markup in ("熱<b>が</b>ある", "a<sup>b</sup>c", "x < 5 <sup", "", "<summary>1</summary>", "<span>5</span>6"):
        assert with_meaning(markup) == markup


@pytest.mark.parametrize(
    ("wikicode", "text", "lost"),
    [
        ("濃度は{{val|1.2|e=-5|u=mol/L}}である。", "濃度は1.2×10^-5mol/Lである。", 0),
        ("{{Val|5|0.2|u=mg|up=kg}}と{{val|40|u=%}}である。", "5±0.2mg/kgと40%である。", 0),
        ("{{frac|1|2}}錠と{{sfrac|1|3}}と{{分数|3|1|4}}である。", "1/2錠と1/3と3 1/4である。", 0),
        ("{{gaps|12|345}}人である。", "12345人である。", 0),
        ("<math>10^5</math>と<math>4 \\times 10^{-3}</math>である。", "10^5と4 × 10^-3である。", 0),
        ("<math>\\sum_{i=1}^{n} \\vec{x}</math>が5である。次の文。", "次の文。", 1),
        ("量は{{謎の数|5}}mgである。次の文。", "次の文。", 1),
        ("量は多い{{謎|要}}。{{Sfn|山田|2010|p=5}}", "量は多い。", 0),
        ("量は5mgである{{要出典|date=2020年5月}}。", "量は5mgである。", 0),
        ("{{箱\n|量=5\n}}\n本文である。", "本文である。", 0),
    ],
)
def test_a_number_in_a_template_stays_or_its_sentence_goes(wikicode: str, text: str, lost: int) -> None:
    assert body_and_losses(wikicode) == (text, lost)
    assert parsed_body_text(wikicode) == text


def test_formulas() -> None:
    assert formula_text(r"\frac{1}{2} \le x^{2}") == "1/2 ≤ x^2"
    assert formula_text(r"37\,^\circ\mathrm{C}") == "37 °C"
    assert formula_text(r"\begin{matrix}1\\2\end{matrix}") == "\ue0ff"


DOSES = (
    "<table><tr><th>薬剤</th><th>用量</th></tr><tr><td>アムロジピン</td><td>2.5〜5mg</td></tr>"
    "<tr><td rowspan='2'>ニフェジピン</td><td>10mg</td></tr><tr><td>20mg</td></tr></table>"
)


def test_a_table_of_doses_becomes_lines() -> None:
    assert with_dose_lines(f"前{DOSES}後") == (
        "前<p>薬剤: アムロジピン, 用量: 2.5〜5mg</p><p>薬剤: ニフェジピン, 用量: 10mg</p>"
        "<p>薬剤: ニフェジピン, 用量: 20mg</p>後"
    )


@pytest.mark.parametrize(
    "table",
    [
        DOSES.replace("<th>", "<td>").replace("</th>", "</td>"),  # no header
        DOSES.replace("mg", ""),  # no dose
        DOSES.replace("<td>10mg", "<td colspan='2'>10mg"),
        DOSES.replace("<td>10mg</td>", ""),  # a cell is missing
        "<table><tr><th>a</th><th>b</th></tr></table>",
        "<table></table>",
    ],
)
def test_other_tables_stay_as_they_are(table: str) -> None:
    assert with_dose_lines(table) == table

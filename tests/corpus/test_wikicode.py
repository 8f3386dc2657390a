from __future__ import annotations

import random

import pytest

from igakulm.corpus.wikicode import body_text, parsed_body_text

ARTICLE = """{{Otheruses|病気|その他}}
{{Infobox 病気
| name = 心不全
| image = [[ファイル:heart.jpg|250px]]
| caption = {{仮リンク|図|en|Figure}}の説明
| list = {{plainlist}}
* [http://example.org/ a], [http://example.org/b b]
| table =
{| class="wikitable"
| 内側
|}
}}
[[ファイル:heart2.png|thumb|200px|[[心臓]]の図。{{lang|en|Heart}} <ref>図の注</ref>]]
'''{{読み仮名|心不全|しんふぜん}}'''（{{lang-en-short|heart failure}}、{{Audio|a.ogg|発音}}）は、\
[[心臓]]の[[ポンプ]]機能が低下した状態である\
<ref name="a/b">{{Cite book|和書|title=内科学|url=http://x.jp/a|isbn=}}</ref><ref name=b />。\
[[1990年]]{{要出典|date=2020年}}には''EF''が{{val|40|u=%}}未満とされた。<!-- 隠し [[x]] {{y -->（{{Audio|b.ogg}}）
:: 字下げされた[[引用|引用文]]である。
* [[急性心不全|急性]]
* 慢性心不全では浮腫が見られる。
{| class="wikitable" style="x"
! 分類 !! 所見
|-
| I || [[症状]]なし。{{efn|注。}}
|-
|
{| 
| 入れ子である。
|}
|}
== 治療 ==
=== 薬物 ===
{{main|利尿薬}}
[[アンジオテンシン変換酵素阻害薬|ACE阻害薬]]と[http://example.com β遮断薬]を用いる。\
体重は&nbsp;50&nbsp;kg、a<sub>1</sub>、x&lt;yである。<br />\
改行後の文。<math>\\frac{a}{b} {{c}}</math>式の後。<nowiki>[[そのまま]]</nowiki>残る。
<gallery>
a.jpg|説明である。
</gallery>
<div style="a">囲まれた文である。</div>
__NOTOC__
== 脚注・出典 ==
{{脚注ヘルプ}}
<references>
<ref name="c">長い注である。</ref>
</references>
=== 注の下 ===
これも注である。
== 関連項目 ==
* [[心筋梗塞]]は別の項目である。
== 疫学 ==
高齢者に多い。
== 外部リンク ==
* [http://example.org 学会]である。
{{循環器}}
{{DEFAULTSORT:しんふせん}}
[[Category:循環器|しん]]
[[en:Heart failure]]
"""

BODY = """心不全（しんふぜん）（heart failure）は、心臓のポンプ機能が低下した状態である。1990年にはEFが40%未満とされた。
字下げされた引用文である。
慢性心不全では浮腫が見られる。
ACE阻害薬とβ遮断薬を用いる。体重は 50 kg、a1、x<yである。
改行後の文。式の後。[[そのまま]]残る。
囲まれた文である。
高齢者に多い。"""


def test_the_body_of_an_article() -> None:
    assert body_text(ARTICLE) == BODY


def test_the_parser_alone_says_the_same() -> None:
    pytest.importorskip("mwparserfromhell")
    assert parsed_body_text(ARTICLE) == BODY


INLINE = (
    "{}{}", "'''{}'''", "''{}''は{}", "[[雨#節|{}]]", "{{{{lang|en|{}}}}}", "{{{{仮リンク|{}|en|x}}}}",
    "{{{{読み仮名|{}|よみ}}}}", "{{{{Unknown|{}|x={}}}}}", "<ref name=x />", "<small>{}</small>", "<!-- {} -->",
    "[[ファイル:a.png|thumb|{}]]", "[[Category:雨]]", '<span class="x">{}</span>', "&lt;{}", "<math>x</math>",
    "。", "{{{{nowrap|{}、{}}}}}", "（{{{{x}}}}、{}）", "[[:en:Rain|{}]]", "<ref>{}</ref>",
)  # fmt: skip
BLOCKS = (
    "\n* {}", "\n: {}。", "\n\n{}", "\n== 節 ==\n", "\n{{|\n! a\n|-\n| {}\n|}}\n", "\n<div>{}</div>\n",
    "\n{{{{Infobox\n| a = {}\n| b = {{{{c}}}}\n}}}}\n", "\n=== 脚注 ===\n{}。", "\n* [http://example.jp/a {}]",
    "__NOTOC__\n", "{}",
)  # fmt: skip


def inline(source: random.Random, depth: int) -> str:
    """Words with markup inside a line, nested at random."""
    if depth == 0 or source.random() < 0.3:
        return source.choice(("心臓", "病気である", "1990年", "a b", "薬。", "[[雨季]]", "[[雨|あめ]]"))
    return source.choice(INLINE).format(inline(source, depth - 1), inline(source, depth - 1))


def generated(source: random.Random) -> str:
    """Well-formed wikicode."""
    count = source.randint(1, 8)
    return "".join(source.choice(BLOCKS).format(inline(source, 3)) for _ in range(count))


def test_replacements_agree_with_the_parser_on_generated_articles() -> None:
    pytest.importorskip("mwparserfromhell")
    source = random.Random(1)
    wrong = []
    for _ in range(400):
        article = generated(source)
        if body_text(article) != parsed_body_text(article):
            wrong.append((article, body_text(article), parsed_body_text(article)))
    assert wrong == []


@pytest.mark.parametrize(
    "unit",
    ["[http://a ", "<ref>", "<nowiki>", "{{x|", "[[a|", "= ", "（、", "、", " ", "{|\n", "<!-- ", "''", "<b", "&"],
)
def test_hostile_repetition_is_read_in_linear_work(unit: str) -> None:
    pytest.importorskip("mwparserfromhell")
    # Quadratic work would take minutes here; the runner's own limit would end it.
    assert isinstance(body_text("= " + unit * 20_000 + "x）"), str)


@pytest.mark.parametrize(
    ("wikicode", "expected"),
    [
        ("前。{{壊れた|表", None),
        ("[[壊れた", None),
        ("文。\n{| 閉じない表\n| 中身\n== 節 ==\n後の文。", "文。\n後の文。"),
        ("<ref>閉じない", None),
        ("}} ]] |} <b>文。", None),
        ("", ""),
        ("#REDIRECT [[雨]]", ""),
        ("{{{1|既定}}}", None),
        ("[[雨]]" * 3000, "雨" * 3000),
        ("{{x|" * 30 + "}}" * 30 + "残り。", "残り。"),
        ("[[雨]]たい。[[:Category:雨]]と[[:en:Rain]]", "雨たい。Category:雨とen:Rain"),
        ("[[Re:ゼロ]]と[[wikt:雨|語]]。", "Re:ゼロと語。"),
        ("{{lang|en|[[雨|a|b]]}}", None),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>である。", "漢字である。"),
    ],
)
def test_broken_and_odd_wikicode(wikicode: str, expected: str | None) -> None:
    pytest.importorskip("mwparserfromhell")
    found = body_text(wikicode)
    assert found == expected if expected is not None else isinstance(found, str)
    assert "<ref" not in found and "{|" not in found

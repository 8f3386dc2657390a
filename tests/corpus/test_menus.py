"""Menus at the edges of pages, and labels without values."""

import pytest

from igakulm.corpus.menus import without_menus, without_skeletons
from igakulm.corpus.personal_data import SourceCleaner
from igakulm.recipe.schema import CorpusSection, Source

MENU = [
    "ホーム",
    "診療案内",
    "カートを見る",
    "続きを読む 》",
    "コメント(0)",
    "Copyright © 2022 All Rights Reserved.",
    "…",
]
BODY = ["高血圧は自覚症状に乏しい。", "減塩と運動が治療の土台である。"]


def test_menus_at_both_edges_go_and_the_middle_stays() -> None:
    middle = [BODY[0], "見出し", "次の見出し", "その次", BODY[1]]
    assert without_menus("\n".join([*MENU, *middle, *MENU[::-1]])) == "\n".join(middle)


@pytest.mark.parametrize(
    "lines",
    [
        ["題名", "著者", *BODY],  # two lines are a title
        [*BODY, "アムロジピン5mg", "ロキソプロフェン60mg", "レバミピド100mg", "各1日3回"],
        [*BODY, "#1 糖尿病", "#2 高血圧症", "#3 脂質異常症"],
        ["排便なし", "発赤あり", "離床を進める", "面会あり", *BODY],
        MENU,  # all menu: list_page judges it
        ["一行だけ"],
        [""],
    ],
)
def test_what_is_no_menu_stays(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert without_menus(text) == text


def test_twice_changes_nothing_more() -> None:
    once = without_menus("\n".join([*MENU, *BODY, *MENU]))
    assert without_menus(once) == once == "\n".join(BODY)


def test_labels_without_values_go() -> None:
    assert without_skeletons("受付は9時。\n電話:FAX:\nTEL / FAX \n終わり") == "受付は9時。\n終わり"
    assert without_skeletons("本院(TEL:/FAX:)へ。\nメール:") == "本院へ。"
    assert without_skeletons("電話で相談した。\n電話相談") == "電話で相談した。\n電話相談"


def test_only_pages_of_oscar_lose_menus_unless_the_source_says_so() -> None:
    text = "\n".join([*MENU[:5], *BODY, "電話:03-1234-5678 FAX:03-1234-5679"])
    for form, asked, lost in (
        ("oscar", None, True),
        ("jsonl", None, False),
        ("oscar", False, False),
        ("jsonl", True, True),
    ):
        source = Source.model_validate({"name": "s", "path": "s", "format": form, "strip_menus": asked})
        (found,) = SourceCleaner(CorpusSection(sources=(source,)))([text], ["s"], ["1"], ["{}"]).texts
        assert found.startswith(BODY[0]) is lost and found.endswith(BODY[1])

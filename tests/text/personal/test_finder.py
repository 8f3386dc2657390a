from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.finder import LAYERS, Finder
from igakulm.text.personal.reading import read
from igakulm.text.personal.spans import Span, settled

FIND = Finder()


def found(text: str, *kinds: Kind) -> list[str]:
    return [text[span.start : span.end] for span in Finder(kinds or FIND.kinds).find(text)]


def all_covered(text: str, wanted: str) -> bool:
    """Whether every place of `wanted` lies in spans."""
    covered = {place for span in FIND.find(text) for place in range(span.start, span.end)}
    starts = [place for place in range(len(text)) if text.startswith(wanted, place)]
    return all(place in covered for start in starts for place in range(start, start + len(wanted)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("氏名：佐々木美咲　72歳", "佐々木美咲"),
        ("患者名 ﾔﾏﾀﾞ ﾀﾛｳ", "ﾔﾏﾀﾞ ﾀﾛｳ"),
        ("｜氏名｜高橋　健一｜性別｜男｜", "高橋　健一"),
        ("担当は渡辺\n健太先生です", "渡辺\n健太"),
        ("山田《やまだ》さんが来院", "やまだ"),
        ("Patient: John Smith, 54M", "John Smith"),
        ("主治医：林", "林"),
        ("森様より電話", "森"),
        ("氏名：泉", "泉"),
        ("看護師の薫さんに申し送り", "薫"),
        ("妻：花子", "花子"),
        ("KP：長男　一郎（同居）", "一郎"),
        ("Dr. Tanaka にコンサルト", "Tanaka"),
        ("髙橋さん、﨑山先生", "髙橋"),
        ("TARO YAMADA 65M", "TARO YAMADA"),
    ],
)
def test_names_in_every_dress(text: str, name: str) -> None:
    assert all_covered(text, name)


@pytest.mark.parametrize(
    "text",
    [
        "橋本病、川崎病、高安動脈炎、福山型筋ジストロフィー、小林製薬の漢方、ハリス骨盤、柴胡桂枝湯",
        "林を散歩した。森の中で転倒。泉のように湧く。",
        "患者さん、奥様、お母さん、看護師さん、主治医の先生、皆様、ご家族様、他院の先生",
        "当院、他院、近医、総合病院、大学病院、A病院、○○クリニック、かかりつけ医院、近くの病院",
        "#1 糖尿病 #2 高血圧症\nA) #市中肺炎 P)\n#糖尿病 #高血圧症",
        "CK 1000 2000 3000、カルテ20240105記載、シリアル番号 090-1234-5678",
        "89歳、90歳以上の高齢者、90代女性",
        "2024年1月5日生検、出生体重 3000g",
        "東京都内の施設、関東地方、アメリカ",
    ],
)
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    assert found(text) == []


def test_a_name_found_once_is_found_everywhere() -> None:
    text = "氏名：長谷川慎也\n経過：長谷川は昨日から咳。慎也も同席。長谷川病棟長ではない。ハセガワではない。"
    spans = [text[span.start : span.end] for span in FIND.find(text)]
    assert spans == ["長谷川慎也", "長谷川", "慎也"]


def test_a_name_that_is_not_sure_enough_is_not_found_again() -> None:
    text = "高橋。\n高橋は帰宅した。"
    unsure = min(span.confidence for span in FIND.find(text))
    assert unsure < 0.9 and len(FIND.find(text)) == 2
    assert Finder(min_confidence=unsure + 0.01).find(text) == []


def test_the_cells_of_the_layers_can_be_switched() -> None:
    text = "氏名：佐藤花子　電話03-5555-0123　加藤さん"
    assert [span.kind for span in Finder(layers=("rules",)).find(text)] == ["telephone"]
    assert [text[span.start : span.end] for span in Finder(layers=("labels",)).find(text)] == ["佐藤花子"]
    assert [text[span.start : span.end] for span in Finder(layers=("titles",)).find(text)] == ["加藤"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="氏名：様山田太郎0123456789-/@.#年月日 \nアｱﾞーab、（）", max_size=60))
def test_spans_are_inside_in_order_and_apart(text: str) -> None:
    spans = FIND.find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= two.start for one, two in pairwise(spans))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_the_reading_has_the_length_of_the_text(text: str) -> None:
    assert len(read(text)) == len(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from([0.5, 0.7, 0.9])), max_size=8))
def test_no_character_that_a_rule_found_comes_free(rows: list[tuple[int, int, float]]) -> None:
    spans = [Span(start, start + size, "name", "r", sure) for start, size, sure in rows]
    wanted = {place for span in spans for place in range(span.start, span.end)}
    kept = settled(spans)
    assert {place for span in kept for place in range(span.start, span.end)} == wanted
    assert all(one.end <= two.start for one, two in pairwise(kept))


@pytest.mark.parametrize(
    "piece", ["山", "1", "a", "あ", "ア", " ", "-", "（", "0-", "様", "市", "山 ", "@", "#", "氏名：", "の"]
)
def test_a_cell_of_50000_characters_ends(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    finder = Finder(layers=tuple(layer for layer in LAYERS if layer != "tagger"))  # it reads parts of 400 characters
    start = time.process_time()
    finder.find(text)
    assert time.process_time() - start < 60  # a guard against rules that take the square of the length: hours

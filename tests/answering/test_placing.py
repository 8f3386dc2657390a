"""Items found in texts: every occurrence, in any width, and nothing lost."""

import random
import unicodedata

import pytest

from igakulm.answering.placing import place_items


def found(items: list[str], text: str) -> tuple[list[str], list[str]]:
    places, unplaced = place_items(items, text)
    return [text[place.start : place.end] for place in places], unplaced


@pytest.mark.parametrize(
    ("items", "text", "placed", "unplaced"),
    [
        (["発熱"], "発熱あり。翌日も発熱。", ["発熱", "発熱"], []),
        (["SpO2"], "ＳｐＯ２ 92%", ["ＳｐＯ２"], []),
        (["ロキソニン"], "ﾛｷｿﾆﾝ服用、ロキソニンで軽快", ["ﾛｷｿﾆﾝ", "ロキソニン"], []),
        (["ﾊﾞｲﾀﾙ"], "バイタル安定", ["バイタル"], []),
        (["右肺炎"], "右\n肺 炎の所見", ["右\n肺 炎"], []),
        (["5 mg"], "５ｍｇを内服", ["５ｍｇ"], []),
        # A number or a Latin word is never cut: another dose would be marked.
        (["5mg"], "15mg、1.5mg、5mgx", [], ["5mg"]),
        (["1.5"], "1.55", [], ["1.5"]),
        (["CT"], "ECTを施行、CTで確認", ["CT"], []),
        # A katakana word is cut only when the item stands nowhere else.
        (["リン"], "インスリン、リンを測定", ["リン"], []),
        (["ウイルス感染"], "サイトメガロウイルス感染", ["ウイルス感染"], []),
        (["肺炎", "細菌性肺炎"], "細菌性肺炎。", ["細菌性肺炎", "肺炎"], []),
        (["肺炎", "細菌性肺炎"], "細菌性肺炎と肺炎", ["細菌性肺炎", "肺炎"], []),
        (["咳嗽", "嗽声"], "咳嗽声", ["咳嗽", "嗽声"], []),
        (["発熱", "発熱", "発 熱"], "発熱", ["発熱"], []),
        (["乙", "甲", "丙"], "丁", [], ["乙", "甲", "丙"]),
        (["。", "("], "発熱。", ["。"], ["("]),
        (["発熱"], "", [], ["発熱"]),
        ([], "発熱", [], []),
    ],
)
def test_places(items: list[str], text: str, placed: list[str], unplaced: list[str]) -> None:
    assert found(items, text) == (placed, unplaced)


def test_offsets_count_code_points() -> None:
    text = "𠮟られ👨‍👩‍👧、発熱"
    (place,), _ = place_items(["発熱"], text)
    assert text[place.start : place.end] == "発熱" and place.start == text.index("発熱")


def test_every_item_is_placed_or_reported_whatever_the_text() -> None:
    draw = random.Random(8)
    letters = "発熱咳ｱﾞパＡa1１.．、。 \u3000\n\u0301゙()+"
    for _ in range(400):
        text = "".join(draw.choices(letters, k=draw.randint(0, 30)))
        items = ["".join(draw.choices(letters, k=draw.randint(1, 4))).strip() or "咳" for _ in range(3)]
        places, unplaced = place_items(items, text)
        assert all(0 <= place.start < place.end <= len(text) for place in places)
        assert places == sorted(set(places), key=lambda place: (place.start, -place.end))
        assert set(unplaced) <= set(items)
        shown = {unicodedata.normalize("NFKC", "".join(text[p.start : p.end].split())) for p in places}
        for item in items:
            plain = unicodedata.normalize("NFKC", "".join(item.split()))
            same = [one for one in unplaced if unicodedata.normalize("NFKC", "".join(one.split())) == plain]
            assert plain in shown or same

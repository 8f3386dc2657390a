from __future__ import annotations

from igakulm.corpus.histograms import Histograms


def test_counts_by_length_and_script() -> None:
    histograms = Histograms()
    histograms.add(["a", "b", "a"], ["熱が38℃、αβ CT", "あ" * 60, ""])
    assert histograms.as_json() == {
        "a": {
            "lengths": {"0": 2},
            "japanese_share": {"0.0": 1, "0.2": 1},
            "scripts": {"space": 1, "hiragana": 1, "kanji": 1, "latin": 2, "greek": 2, "digit": 2, "other": 2},
        },
        "b": {"lengths": {"50": 1}, "japanese_share": {"1.0": 1}, "scripts": {"hiragana": 60}},
    }


def test_parts_add_up() -> None:
    texts = ["血圧を測った。\n脈拍も。", "カルテの記録", "x" * 120, "1234"]
    whole, one, other = Histograms(), Histograms(), Histograms()
    whole.add(["s"] * 4, texts)
    one.add(["s"] * 2, texts[:2])
    other.add(["s"] * 2, texts[2:])
    one.merge(other.as_json())
    assert one.as_json() == whole.as_json()
    one.add([], [])
    assert one.as_json() == whole.as_json()
    one.clear()
    assert one.as_json() == {}

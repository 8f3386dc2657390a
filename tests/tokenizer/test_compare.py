"""Figures of several tokenizers: counted by hand, the same for the same vocabulary, absent where nothing was given."""

from pathlib import Path

import pytest

from foreign_tokenizers import byte_level
from igakulm.synth.term_lists import Term
from igakulm.tokenizer.compare import compare, mecab_agreement, name_figures, text_figures, worst_characters
from igakulm.tokenizer.encode import TextEncoder
from igakulm.tokenizer.foreign import open_tokenizer

TEXTS = ["患者は急性心筋梗塞で入院した。鱻と鱻と囍。", "体温は37.2℃であった。\n血圧は128/76mmHgであった。"]


def test_figures_counted_by_hand(plain: TextEncoder) -> None:
    figures = text_figures(plain, TEXTS)
    tokens = [token for text in TEXTS for token in plain.encode(text)]
    characters = len("".join(TEXTS))
    assert figures["documents"] == 2 and figures["characters"] == characters and figures["tokens"] == len(tokens)
    assert figures["characters_per_token"] == round(characters / len(tokens), 4)
    assert figures["bytes_per_token"] == round(len("".join(TEXTS).encode()) / len(tokens), 4)
    assert figures["fallback_share"] == round(9 / len(tokens), 6)  # three characters of three bytes
    assert figures["worst_characters"] == [
        {"character": "鱻", "code_point": "U+9C7B", "count": 2},
        {"character": "囍", "code_point": "U+56CD", "count": 1},
    ]


def test_nothing_to_measure(plain: TextEncoder) -> None:
    figures = text_figures(plain, [])
    assert figures["characters_per_token"] is None and figures["worst_characters"] == []
    assert name_figures(plain, []) == {"names": 0, "one_token_share": None, "tokens_per_name": None}
    assert mecab_agreement(plain, ["\n"])["same_share"] is None


def test_names(plain: TextEncoder) -> None:
    figures = name_figures(plain, ["急性心筋梗塞", "鱻"])
    assert figures == {"names": 2, "one_token_share": 0.5, "tokens_per_name": 2.0}


def test_ours_beside_others(plain_folder: Path, mecab_folder: Path, tmp_path: Path) -> None:
    paths = {"ours": plain_folder, "mecab": mecab_folder, "stock": plain_folder / "tokenizer.json"}
    paths["bytes"] = byte_level(tmp_path)
    tokenizers = {name: open_tokenizer(path) for name, path in paths.items()}
    terms = [Term("急性心筋梗塞", "disease"), Term("急性心筋梗塞", "disease"), Term("気管支喘息", "disease")]
    ours, mecab, stock, other = compare(tokenizers, {"t": TEXTS}, terms, ["鱻の患者"])
    assert [one["name"] for one in (ours, mecab, stock, other)] == list(paths)
    assert ours["texts"] == stock["texts"] and ours["names"] == stock["names"] and ours["samples"] == stock["samples"]
    assert ours["names"]["disease"] == {"names": 2, "one_token_share": 1.0, "tokens_per_name": 1.0}
    assert "drug" not in ours["names"]
    assert ours["samples"][0][0] == ("鱻", 3)
    assert (ours["runtime"], mecab["runtime"]) == ("plain", "mecab")
    assert ours["mecab_agreement"]["t"]["sentences"] == 4
    assert "mecab_agreement" not in stock and "runtime" not in stock
    assert other["texts"]["t"]["characters_per_token"] < ours["texts"]["t"]["characters_per_token"]


def test_agreement_counts_sentences_that_differ(plain: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igakulm.tokenizer.segment.Segmenter.words", lambda self, text: list(text))
    found = mecab_agreement(plain, ["急性心筋梗塞。患。\n者"])
    assert found["sentences"] == 3 and found["same_share"] == round(2 / 3, 4)
    assert found["tokens_mecab"] > found["tokens_plain"]


def test_worst_characters_are_at_most_twenty_and_most_frequent_first(plain: TextEncoder) -> None:
    text = "".join(chr(0x9F00 + n) * (n + 1) for n in range(30))
    worst = worst_characters(plain, [text])
    assert [entry["count"] for entry in worst] == list(range(30, 10, -1))

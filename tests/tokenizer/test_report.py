"""report.json: held-out figures that agree with the comparison's, and empty samples."""

from pathlib import Path

from igakulm.synth.lexicon import read_terms
from igakulm.tokenizer.compare import text_figures
from igakulm.tokenizer.encode import DICTIONARY_FILE, TextEncoder
from igakulm.tokenizer.report import measure

HELD = {"general": ["朝の市場はにぎやかだ。鱻。"], "medical": ["患者は急性心筋梗塞で入院した。", "気管支喘息の発作。"]}


def test_the_same_figures_as_the_comparison(plain: TextEncoder, lexicon: Path) -> None:
    report = measure(plain, HELD, read_terms(lexicon), plain.folder / DICTIONARY_FILE)
    for kind, texts in HELD.items():
        figures = text_figures(plain, texts)
        assert report["compression"][kind] == {key: figures[key] for key in report["compression"][kind]}
    everything = text_figures(plain, HELD["general"] + HELD["medical"])
    assert report["byte_fallback"]["token_share"] == everything["fallback_share"] > 0
    assert report["byte_fallback"]["worst_characters"] == everything["worst_characters"]
    disease = report["names"]["disease"]
    assert disease["mentions"] == 2 and disease["mentions_one_token_share"] == 1.0
    assert disease["names"] == 7 and disease["one_mecab_word_share"] == 1.0
    assert report["mecab_agreement"]["sentences"] == 4
    assert all(tokens >= 1 for parts in report["samples"] for _, tokens in parts)


def test_without_held_out_text_names_or_dictionary(plain: TextEncoder) -> None:
    report = measure(plain, {"general": [], "medical": []}, [], None)
    assert report["compression"] == {"general": None, "medical": None}
    assert report["byte_fallback"] == {"token_share": None, "worst_characters": []}
    assert report["names"]["drug"]["one_token_share"] is None
    assert report["mecab_agreement"]["same_share"] is None

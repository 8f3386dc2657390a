"""Every key of the corpus has an effect: two values, one small corpus, another result.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.filter import drop_reason
from igakulm.corpus.slurm import script_of
from igakulm.errors import InputError
from igakulm.files import read_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Filters, Privacy, RowTask, Slurm
from igakulm.text.personal.masking import mask_texts
from small_corpus import prose

PROSE = "高血圧症は、安静時の血圧が持続的に高い状態をいう。減塩と運動が治療の土台である。家庭での測定も役に立つ。"
LINES = "\n".join([PROSE, *["おいしいお米を産地から直接お届けします"] * 9])
OPEN = {"max_duplicate_line_share": 1.0, "max_duplicate_sentence_share": 1.0, "max_duplicate_ngram_share": 1.0}
MENU = "診療案内|医師紹介|アクセス|内科外来|一般外科|予防接種|健康診断|お知らせ|採用情報|入院案内|面会時間|交通手段"
FILTERS: dict[str, tuple[object, str, dict[str, Any], dict[str, Any]]] = {
    "min_characters": (1000, PROSE, {}, {}),
    "max_characters": (10, PROSE, {}, {}),
    "max_broken_characters": (5, PROSE + "血圧は\ufffd\ufffdであった。", {}, {}),
    "min_japanese_share": (0.0, "The page has nothing to say about the heart or the lung at all. " * 2, {}, {}),
    "min_kana_share": (
        0.0,
        "本网站将于星期日凌晨进行系统维护、届时部分服务可能无法使用。请各位用户提前保存资料。" * 2,
        {},
        {},
    ),
    "max_symbol_share": (1.0, "あいうえおかきくけこ★→↑≠■" * 12, OPEN, {}),
    "max_digit_share": (
        1.0,
        "検査値 12345 67890 の記録と 11111 22222 の記録を表に示した。今日は 33333 だった。",
        {},
        {},
    ),
    "max_duplicate_line_share": (0.3, LINES, OPEN, {}),
    "max_duplicate_sentence_share": (0.3, "腰痛でお悩みの方は当院へご相談ください。" * 8, OPEN, {}),
    "max_duplicate_ngram_share": (0.3, "朝の体操と夕方の散歩と" * 40, OPEN, {}),
    "max_short_line_share": (1.0, MENU, {}, {}),
    "max_advertisement_words": (
        1000,
        "送料無料の大特価。今だけの限定価格でお買い得。クーポンで即日発送。" + PROSE,
        {},
        {},
    ),
    "max_adult_words": (1000, PROSE + "無修正とエロ動画とデリヘルの案内。", {}, {}),
    "drop_truncated": (False, PROSE + "めん類を食べるときには、汁を", {}, {}),
    "drop_warnings": ((), PROSE, {}, {"warnings": ["adult"]}),
    "drop_categories": ((), PROSE, {}, {"categories": ["adult"]}),
    "min_harmful_perplexity": (25.0, PROSE, {}, {"harmful_pp": 3.0}),
    "min_language_probability": (0.9, PROSE, {}, {"language_probability": 0.3}),
}


@pytest.mark.parametrize("key", Filters.model_fields)
def test_filters(key: str) -> None:
    """One document on which the threshold decides; the other thresholds let it pass."""
    value, text, others, meta = FILTERS[key]
    usual, changed = Filters(**others), Filters(**{**others, key: value})
    found = {drop_reason(text, section, json.dumps(meta)) is None for section in (usual, changed)}
    assert found == {True, False}


PERSONAL = {
    "telephone": "電話は03-1234-5678まで。",
    "mail": "連絡はtaro@example.jpまで。",
    "url": "詳細はhttps://example.jp/aを参照。",
    "account": "投稿は@taro_example による。",
    "tag": "投稿は #風邪 である。",
    "postal_code": "住所は〒123-4567である。",
    "patient_number": "患者番号12345678の記録である。",
}


@pytest.mark.parametrize("key", Privacy.model_fields)
def test_privacy(key: str) -> None:
    nothing = Privacy(**dict.fromkeys(PERSONAL, False))
    one = nothing.model_copy(update={key: True})
    all_others = Privacy(**{**dict.fromkeys(PERSONAL, True), key: False})
    text = PERSONAL[key]
    assert mask_texts([text], nothing).texts == [text]
    assert mask_texts([text], one).texts != [text]
    assert mask_texts([text], Privacy(**dict.fromkeys(PERSONAL, True))).texts != mask_texts([text], all_others).texts


ITEM = "七十四歳の男性は右の下肢に新しい浮腫と発赤を認め、朝から息切れと胸の痛みを訴えて救急外来を受診した。"
LEARNT = "三十六歳の女性は左の上腕に古い瘢痕と腫脹を認め、夜から耳鳴りと目まいを訴えて総合診療科を受診した。"
SHORT = "肝臓の働きを朝に調べること"
PHRASE = "次の文章を読んで最も適切な選択肢を一つだけ選び記号で答えること"
RULES = "このサイトの記事と写真はすべて無断で転載することを固く禁じています。"
REPEATED = [
    "看護師は夜間の巡回で三〇二号室の患者の呼吸の音と寝返りの様子をていねいに記録した。",
    "薬剤師は退院する患者に新しい吸入器の使い方と洗い方を三回くり返して説明した。",
    "栄養士は塩分を控えた献立の作り方を家族にも分かるように写真を添えて紹介した。",
]


def documents() -> list[dict[str, str]]:
    """Two sites, one of them with a line on ten of its twelve pages; texts with planted repetitions and test items."""
    rows = []
    for number in range(12):
        text = prose(100 + number) + ("\n" + RULES if number < 10 else "")
        rows.append({"id": f"rules{number}", "text": text, "url": f"https://rules.example.jp/{number}"})
    for number in range(8):
        rows.append(
            {"id": f"no-url{number}", "text": prose(200 + number) + "\n院内の掲示は毎月の初めに張り替えること。"}
        )
    whole = prose(300, 20)
    sentences = whole.split("。")
    near = "。".join([*sentences[:9], "夕食のあとに歩いた", *sentences[10:]])
    far = "。".join(f"{sentence}という" if place % 4 == 0 else sentence for place, sentence in enumerate(sentences))
    planted = {
        "whole": whole,
        "near": near,
        "far": far,
        "source": prose(301) + "".join(REPEATED),
        "taker": prose(302) + "".join(REPEATED) + prose(303),
        "item": prose(304) + ITEM,
        "part": prose(305) + ITEM[3:26] + "である。",
        "half": prose(306) + ITEM[2:34] + "である。",
        "learnt": prose(307) + LEARNT,
        "short": prose(308) + SHORT + "ために採血した。",
        "phrase": prose(309) + PHRASE + "。",
    }
    rows += [{"id": name, "text": text, "url": f"https://{name}.example.jp/"} for name, text in planted.items()]
    return rows


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    lines = [json.dumps(row, ensure_ascii=False) for row in documents()]
    (folder / "pages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    exam = {"choices": ["正しい", "誤り"], "answer": ["A"]}
    tests = [{"id": "1", "question": ITEM}, {"id": "2", "question": SHORT}]
    tests += [{"id": f"p{n}", "question": f"{PHRASE}。第{n}問は{prose(900 + n, 2)}"} for n in range(3)]
    for name, rows in (("test", tests), ("train", [{"id": "9", "question": LEARNT}])):
        text = "\n".join(json.dumps({**row, **exam}, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def kept(sources: Path, out: Path, **sections: dict[str, object]) -> dict[str, str]:
    """Texts of the corpus that these sections leave, by the ending of their ids."""
    source = {"name": "pages", "path": str(sources / "pages.jsonl"), "licence": "CC0"}
    corpus = CorpusSection.model_validate({"sources": [source], "workers": 1, **sections})
    row = RowTask(name="q", kind="exam", train=str(sources / "train.jsonl"), test=str(sources / "test.jsonl"))
    out.mkdir()
    build_corpus(corpus, BenchmarksSection(rows=(row,)), None, out, SilentProgress())
    return {document.id: document.text for document in read_documents(out / "documents")}


@pytest.fixture(scope="module")
def usual(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return kept(sources, tmp_path_factory.mktemp("usual") / "out")


KEYS = (
    ("near_duplicates.enabled", False),
    ("near_duplicates.ngram", 1),
    ("near_duplicates.bands", 1),
    ("near_duplicates.rows", 2),
    ("repeated.boilerplate", False),
    ("repeated.boilerplate_documents", 50),
    ("repeated.boilerplate_share", 0.99),
    ("repeated.boilerplate_min_characters", 100),
    ("repeated.source_as_site", True),
    ("repeated.sentences", False),
    ("repeated.sentence_min_characters", 200),
    ("repeated.sentence_run", 9),
    ("decontamination.enabled", False),
    ("decontamination.training_rows", True),
    ("decontamination.ngram", 33),
    ("decontamination.min_matches", 15),
    ("decontamination.min_share", 0.05),
    ("decontamination.short_items", False),
    ("decontamination.shared_documents", 1),
)


@pytest.mark.parametrize(("key", "value"), KEYS)
def test_sections(key: str, value: object, sources: Path, usual: dict[str, str], tmp_path: Path) -> None:
    section, name = key.split(".")
    assert kept(sources, tmp_path / "out", **{section: {name: value}}) != usual


def test_quality_is_judged_when_it_is_switched_on(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quality"):
        kept(sources, tmp_path / "out", quality={"enabled": True})


@pytest.mark.parametrize(("key", "value"), [("time", "1:00:00"), ("memory", "9G")])
def test_what_a_cluster_is_asked_for(key: str, value: str, tmp_path: Path) -> None:
    assert script_of(tmp_path, 3, Slurm()) != script_of(tmp_path, 3, Slurm.model_validate({key: value}))

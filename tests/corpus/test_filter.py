from __future__ import annotations

import json
from pathlib import Path

import pytest

from igakulm.corpus.filter import drop_reason, drop_reasons
from igakulm.corpus.filters.registry import all_filters
from igakulm.recipe.schema import Filters, Privacy
from igakulm.text.cleaning import clean_texts
from igakulm.text.personal.masking import mask_texts

PROSE = "高血圧症は、安静時の血圧が持続的に高い状態をいう。減塩と運動が治療の土台である。家庭での測定も役に立つ。"
MENU = "診療案内 医師紹介 アクセス 内科外来 一般外科 予防接種 健康診断 お知らせ 採用情報 入院案内 面会時間 交通手段"


def texts_of(path: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = mask_texts(clean_texts([line["text"] for line in lines]), Privacy()).texts
    return {line["id"]: text for line, text in zip(lines, texts, strict=True)}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("too_short", "短い文である。"),
        ("not_japanese", "This page is only in English and has nothing to say about the heart or the lung." * 2),
        ("not_japanese", "本网站将于星期日凌晨进行系统维护、届时部分服务可能无法使用。请各位用户提前保存资料。" * 2),
        ("not_japanese", "繧ｵ繝ｳ繝励Ν縺ｧ縺吶€縺薙ｌ縺ｯ縺薙■繧峨〒縺吶€縺雁撫縺粋繧上○縺ｯ縺薙■繧峨∪縺ｧ。" * 2),
        ("symbols", "あいうえおかきくけこ★→↑≠■" * 12),
        ("digits", "検査値 12345 67890 の記録と 11111 22222 の記録を表に示した。今日は 33333 だった。" * 2),
        ("repetition", "腰痛でお悩みの方は当院へご相談ください。" * 8),
        ("repetition", "\n".join([PROSE, *["おいしいお米を産地から直接お届けします。"] * 9])),
        ("repetition", PROSE + " 激安な財布を買うならこの店へ" * 20),
        ("adult", PROSE + "無修正とエロ動画とデリヘルの案内。"),
        ("advertisement", "送料無料の大特価。今だけの限定価格でお買い得。クーポンで即日発送。" + PROSE[:30]),
        ("list_page", MENU.replace(" ", "\n")),
        ("list_page", "ホーム|診療案内|医師紹介|アクセス|よくある質問|採用情報|お知らせ|サイトマップ|内科|外科|小児科"),
        ("truncated", PROSE + "詳しい手順は…続きを読む"),
        ("truncated", PROSE + "体を起こすときは、腰が浮きま…"),
        ("truncated", PROSE + "めん類を食べるときには、汁を"),
    ],
)  # fmt: skip
def test_each_reason(reason: str, text: str) -> None:
    found = drop_reason(text, Filters())
    assert found is not None and found[0] == reason and found[1]
    assert reason in [reason for one in all_filters() for reason in one.reasons]


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "CRP 5.2mg/dL、WBC 12,300/μL。胸部X線で右下肺野に浸潤影あり。抗菌薬を開始し、翌日に解熱。SpO2 96%(室内気)",
        "両側胸水貯留。心拡大。右下葉に無気肺を認める。前回と比べ増悪。骨条件で明らかな転移なし。縦隔リンパ節腫大なし",
        "体温36.8度、脈拍72回\n食事は主食8割、副食5割摂取\n排便なし\n腹部膨満あり\n発赤なし\n面会あり\n離床を進める",
        "#1 糖尿病\n#2 高血圧症\n#3 脂質異常症\n内服は継続とし、次回は3か月後に採血を予定する。体重は1kg減少した。",
        "朕惟フニ我カ皇祖皇宗国ヲ肇ムルコト宏遠ニ徳ヲ樹ツルコト深厚ナリ我カ臣民克ク忠ニ克ク孝ニ億兆心ヲ一ニシテ世々厥ノ美ヲ済セルハ",
        "薬が合わなかったのか、夜中に何度も目が覚めました。先生に相談して、来週から別の薬に変えてもらうことになったのですが…",
        "夜間の訪室時は入眠していた。朝方に倦怠感の訴えがあり、検温を実施した。主治医に報告し、経過をみるとのこと",
        "副業による疲労で受診した。月の時間外労働は80時間を超える。副業を減らすよう伝え、産業医に相談する方針とした。副業の内容は運転である。",
        "友よ恨まじ今日よりは\nねたまじ、君は濃き藍の\n底見えわかぬ海原の\n珊瑚の宮に恋を得て\n幸くあり、とに思い止まん。\n濃き藍たたえて見えわかぬ",
    ],
)
def test_terse_medical_notes_and_unusual_prose_are_kept(text: str) -> None:
    assert drop_reason(text, Filters()) is None


def test_thresholds_come_from_the_recipe() -> None:
    assert drop_reason(PROSE, Filters(min_characters=1000)) == ("too_short", f"{len(PROSE)} characters")
    assert drop_reason(PROSE, Filters(max_characters=10)) is not None
    cut = PROSE + "めん類を食べるときには、汁を"
    assert drop_reason(cut, Filters(drop_truncated=False)) is None


def test_an_empty_document_breaks_nothing() -> None:
    everything = Filters(min_characters=0, min_japanese_share=0.0, min_kana_share=0.0)
    assert drop_reasons(["", "\n", " "], everything) == [None, None, None]


def test_a_batch_judges_each_document_by_itself() -> None:
    texts = [PROSE, "短い", PROSE + "無修正とエロ動画とデリヘル", PROSE]
    assert drop_reasons(texts, Filters()) == [drop_reason(text, Filters()) for text in texts]


@pytest.mark.parametrize("name", ["diseases_1", "diseases_2", "drugs", "tests_nursing", "everyday"])
def test_sample_prose_is_kept(samples: Path, name: str) -> None:
    texts = list(texts_of(samples / "corpus" / f"{name}.jsonl").values())
    dropped = [(reason, text) for text in texts if (reason := drop_reason(text, Filters()))]
    assert len(dropped) <= 0.01 * len(texts), dropped


def test_sample_web_pages_lose_their_rubbish_and_keep_their_articles(samples: Path) -> None:
    texts = texts_of(samples / "corpus" / "web.jsonl")
    kept = {name for name, text in texts.items() if drop_reason(text, Filters()) is None}
    articles = {f"web-{number:03d}" for number in (*range(1, 17), *range(55, 65))}
    assert articles <= kept, sorted(articles - kept)
    assert len(kept - articles) <= 2, {name: texts[name] for name in kept - articles}


def test_real_medical_text_is_kept(real_data: Path) -> None:
    from igakulm.corpus.read import read_source
    from igakulm.recipe.schema import Source

    path = str(real_data / "corpus" / "medical.jsonl.zst")
    rows = list(read_source(Source(name="m", path=path, max_documents=2000)))
    texts = [text for text in clean_texts([row.text for row in rows]) if len(text) >= 50]
    reasons = drop_reasons(texts, Filters())
    assert sum(reason is None for reason in reasons) >= 0.98 * len(texts)


def test_every_key_belongs_to_one_filter_and_every_reason_too() -> None:
    keys = [key for one in all_filters() for key in one.keys]
    assert sorted(keys) == sorted(Filters.model_fields)
    reasons = [reason for one in all_filters() for reason in one.reasons]
    assert len(set(reasons)) == len(reasons)


def test_the_first_finding_counts() -> None:
    orders = [one.order for one in all_filters()]
    assert orders == sorted(set(orders))
    assert drop_reason("12345", Filters()) == ("too_short", "5 characters")  # not "not_japanese", "digits"

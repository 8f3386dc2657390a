"""What models, metrics, ways of answering and splits are called in the report, and how a score is written.

Does: hold names and one-line definitions in Japanese. Does not: know any figure.
"""

from __future__ import annotations

import re

from igakulm.report.page import decimal, finite

NAMES = {
    "chance": "無作為",
    "always-a": "常にA",
    "majority": "最頻の答え",
    "nearest": "最も近い訓練例",
    "ngram": "文字n-gram分類器",
    "dictionary": "辞書引き",
    "base": "事前学習モデル",
    "tuned": "調整後モデル",
}
METRICS = {
    "accuracy": ("正解率", "正しく答えた問題の割合。複数選択の問題はすべて合ってはじめて正解とする。"),
    "kappa": (
        "κ",
        "コーエンのκ係数。偶然の一致を除いた一致度で、0 は偶然と同じ、1 は完全一致。"
        "順序のある選択肢には一次の重みを付ける。",
    ),
    "score_share": ("得点率", "年度ごとの「得点÷配点」の平均。"),
    "overlap_f1": (
        "部分一致F1",
        "一方が他方を含み、長さが2倍以内の語句を一致とみなしたF1。1対1に対応させ、文書ごとのF1を平均する。",
    ),
    "exact_f1": ("完全一致F1", "語句が完全に一致したものだけを数えたF1。文書ごとのF1を平均する。"),
    "character_f1": ("文字F1", "共通する最長の部分文字列の長さで数えたF1。文書ごとのF1を平均する。"),
    "partial_f1_upstream": (
        "公表版の部分F1",
        "公表されたJMED-LLMの採点プログラムの計算をそのまま再現した値。1 を超えることがあり、"
        "公表値との比較にだけ使う。",
    ),
    "exact_f1_upstream": ("公表版の完全F1", "公表されたJMED-LLMの採点プログラムによる完全一致F1。"),
    "kappa_upstream": ("公表版のκ", "公表されたJMED-LLMの採点プログラムによる答えの読み取りとκ係数。"),
    "accuracy_upstream": ("公表版の正解率", "公表されたJMED-LLMの採点プログラムによる答えの読み取りと正解率。"),
}
MODES = {
    "options-letter": ("記号の尤度", "選択肢の記号（A、B …）のうち、モデルが次に書く確率の最も高いものを答えとする。"),
    "options-text": ("選択肢の尤度", "選択肢の文のうち、モデルが続けて書く確率の最も高いものを答えとする。"),
    "options-text-normalised": (
        "選択肢の尤度（長さで補正）",
        "選択肢の文の対数確率をUTF-8のバイト数で割って比べる。長い選択肢が不利にならない。",
    ),
    "generate": ("自由生成", "モデルが書いた文から答えを読み取る。読み取れない答えは不正解とする。"),
    "baseline": ("基準線", "言語モデルを使わない答え方。"),
}
STYLES = {
    "chat": ("対話形式", "指示調整と同じ短い対話の形で問う。"),
    "base": ("続きを書く形式", "「答え：」で終わる平文を示し、続きを書かせる。"),
    "published": ("公表と同じ指示文", "公表された順位表と同じ配置の指示文で問う。"),
    "published-3-shot": ("公表と同じ指示文、例3問", "公表された配置の指示文に、答えの付いた例を3問添えて問う。"),
}
SPLITS = {
    "published": (
        "公表どおりの分割",
        "公表されたテスト問題のすべて。訓練例と文書を共有する問題を含むため、記憶による正答がありうる。",
    ),
    "published-unshared": (
        "公表分割のうち文書を共有しない問題",
        "公表されたテスト問題のうち、その文書がどの課題の訓練例にも現れないもの。答えは公表どおりの分割と同じ。",
    ),
    "document-disjoint": (
        "文書が重ならない分割",
        "テスト問題と同じ文書から作られた訓練例を、訓練に使わない分割。",
    ),
    "all questions": ("全問（画像問題も含む）", "画像を見なければ解けない問題も、文章だけで問う。"),
    "text-only": ("画像を使わない問題", "問題文と選択肢だけで解ける問題。"),
    "test": ("試験問題", "与えられた試験ファイルの全問。"),
}
_FOLD = re.compile(r"fold-(\d+)-of-(\d+)")
_FOLDS = re.compile(r"(\d+)-fold")
MAX_NAME = 64
"""Names longer than this are shortened: a model may be called anything."""


def model_name(model: str) -> str:
    """A model or baseline as it is called in the report; of "tuned @ first-run" the part before the @ is translated.

    >>> model_name("tuned"), model_name("tuned @ first-run"), model_name("gemma")
    ('調整後モデル', '調整後モデル（first-run）', 'gemma')
    """
    name, at, source = model.partition(" @ ")
    if at and name in NAMES:
        return shortened(f"{NAMES[name]}（{source}）")
    return shortened(NAMES.get(model, model))


def shortened(text: str, limit: int = MAX_NAME) -> str:
    """A text of at most `limit` characters.

    >>> shortened("発熱と咳嗽", 3)
    '発熱と…'
    """
    return text if len(text) <= limit else text[:limit] + "…"


def metric_name(metric: str) -> str:
    """A metric as it is called in the report; the micro average of a known one is marked."""
    name = metric.removesuffix("_micro")
    known = METRICS[name][0] if name in METRICS else shortened(name)
    return f"{known}（全体で集計）" if metric.endswith("_micro") else known


def mode_name(mode: str) -> str:
    """A way of answering as it is called in the report."""
    return MODES[mode][0] if mode in MODES else shortened(mode)


def style_name(style: str) -> str:
    """A layout of the prompt as it is called in the report."""
    return STYLES[style][0] if style in STYLES else shortened(style)


def split_name(split: str) -> str:
    """A split as it is called in the report.

    >>> split_name("fold-2-of-5"), split_name("5-fold"), split_name("test @ ward")
    ('5分割の2番目', '5分割交差検証', '試験問題（ward）')
    """
    name, at, source = split.partition(" @ ")
    if at:
        return f"{split_name(name)}（{shortened(source)}）"
    if fold := _FOLD.fullmatch(name):
        return f"{fold[2]}分割の{fold[1]}番目"
    if folds := _FOLDS.fullmatch(name):
        return f"{folds[1]}分割交差検証"
    return SPLITS[name][0] if name in SPLITS else shortened(name)


def split_meaning(split: str) -> str:
    """What a split consists of, in one sentence; empty when it is not one of ours."""
    name, at, _ = split.partition(" @ ")
    if at:
        return f"{split_meaning(name)}問題が異なるため、ほかの表の値とは比べない。"
    if fold := _FOLD.fullmatch(name):
        return f"全問を文書が分かれるように{fold[2]}組に分け、その{fold[1]}番目をテストにした分割。"
    if folds := _FOLDS.fullmatch(name):
        return f"文書が分かれるように{folds[1]}組に分け、各組をほかの組で訓練したモデルで解いた結果をまとめたもの。"
    return SPLITS[name][1] if name in SPLITS else ""


def figure_text(value: object) -> str:
    """A score: three digits up to 1, one digit beyond (per cent and points)."""
    number = finite(value)
    return decimal(number, 3 if number is None or abs(number) <= 2 else 1)

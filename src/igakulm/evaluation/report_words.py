"""What models, metrics, ways of answering and splits are called in the report, and how a score is written.

Does: hold names and one-line definitions in Japanese. Does not: know any figure.
"""

from __future__ import annotations

from igakulm.evaluation.report_page import decimal, finite

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
MODES = {"options-letter": "選択肢の記号の尤度", "generate": "自由生成", "baseline": "基準線"}
SPLITS = {
    "published": "公表どおりの分割",
    "document-disjoint": "文書が重ならない分割",
    "all questions": "全問（画像問題も含む）",
    "text-only": "画像を使わない問題",
}


def model_name(model: str) -> str:
    """A model or baseline as it is called in the report."""
    return NAMES.get(model, model)


def metric_name(metric: str) -> str:
    """A metric as it is called in the report; the micro average of a known one is marked."""
    name = metric.removesuffix("_micro")
    known = METRICS[name][0] if name in METRICS else name
    return f"{known}（全体で集計）" if metric.endswith("_micro") else known


def figure_text(value: object) -> str:
    """A score: three digits up to 1, one digit beyond (per cent and points)."""
    number = finite(value)
    return decimal(number, 3 if number is None or abs(number) <= 2 else 1)

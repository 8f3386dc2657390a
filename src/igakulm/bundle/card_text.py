"""The words of the model card, in Japanese and English.

Does: hold them. Does not: put them together (card.py does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The card's words in one language; texts with braces are filled by card.py."""

    heading: str
    introduction: str
    limits_heading: str
    limits: tuple[str, ...]
    data_heading: str
    data_columns: tuple[str, ...]
    no_data: str
    tuning_text: str
    tuning_columns: tuple[str, ...]
    lists_text: str
    terms: str
    training_heading: str
    training_columns: tuple[str, ...]
    stages: Mapping[str, str]
    no_training: str
    scores_heading: str
    scores_text: str
    scores_columns: tuple[str, ...]
    no_scores: str
    files_heading: str
    huggingface: str
    llama: str
    gguf: str
    divergence: str
    options: str
    answer_lists: str
    text: str
    comma: str
    ids: str


JAPANESE = Words(
    heading="日本語",
    introduction=(
        "IgakuLM {version} で作った日本語医療言語モデル（{architecture}、{parameters} パラメーター、語彙 {vocabulary}、"
        "文脈長 {context} トークン）。"
    ),
    limits_heading="限界",
    limits=(
        "これは医療機器ではありません。診断、治療、投薬の判断に使わないでください。",
        "もっともらしい誤りを出力することがあります。出力は必ず医療従事者が原典と照合してください。",
        "学習データにない疾患、薬剤、新しい診療ガイドラインについては知りません。",
        "下の点数は、この評価での点数です。実際の診療での性能を示すものではありません。",
        "学習データの個人情報は規則で除いていますが、完全に除けたことは保証されません。",
    ),
    data_heading="学習データとライセンス",
    data_columns=("出典", "種類", "ライセンス", "文書", "文字"),
    no_data="データの記録がありません。",
    tuning_text="調整に使った問答（unknown は、ライセンスが記録されていないこと）：",
    tuning_columns=("課題", "ライセンス", "行"),
    lists_text="トークナイザーに入れた用語集：",
    terms="重みの利用条件は、上のデータのライセンスから利用者が確かめてください（`LICENCES.md`）。",
    training_heading="学習",
    training_columns=("段階", "ステップ", "トークン", "最後の損失", "計算機"),
    stages={"pretrain": "事前学習", "finetune": "調整"},
    no_training="学習の記録がありません。",
    scores_heading="評価",
    scores_text="値 [95 % 信頼区間]。基準（ベースライン）も同じ表にあります。\n",
    scores_columns=("課題", "分割", "モデル", "値", "n"),
    no_scores="この成果物は評価されていません。",
    files_heading="ファイル",
    huggingface="：transformers がそのまま読める形式（safetensors）",
    llama="：同じ値を計算する Llama 形式（vLLM などの実行環境用）",
    gguf="：llama.cpp 用（{kind}）",
    divergence="元のモデルとの KL 平均 {mean} nat、首位の一致 {same:.1%}",
    options=(
        "選択問題 {n} 問のうち元のモデルと答えが違うもの {changed}（{share:.1%}、正答率 {before:.3f} → {after:.3f}）"
    ),
    answer_lists=(
        "抽出 {n} 件のうち元のモデルと答えが違うもの {changed}（{share:.1%}、部分一致 F1 {before:.3f} → {after:.3f}）"
    ),
    text="自由回答 {n} 件のうち冒頭 {tokens} トークンまでに違いが出るもの {changed}（{share:.1%}）",
    comma="、",
    ids=(
        "llama.cpp には文字列ではなくトークン番号を渡してください（`igakulm chat`、`igakulm serve` はそうします）。"
        "llama.cpp 自身の分かち方は、文によって異なることがあります。"
    ),
)
ENGLISH = Words(
    heading="English",
    introduction=(
        "A Japanese medical language model made with IgakuLM {version} ({architecture}, {parameters} parameters, "
        "vocabulary {vocabulary}, context {context} tokens)."
    ),
    limits_heading="Limits",
    limits=(
        "This is not a medical device. Do not use it to decide on diagnosis, treatment or medication.",
        "It can state errors convincingly. A clinician must check every output against its source.",
        "It knows nothing of diseases, drugs and guidelines that its training data lack.",
        "The scores below hold for this evaluation. They do not show performance in clinical practice.",
        "Personal data were removed from the training text by rules, which cannot be guaranteed to find all.",
    ),
    data_heading="Training data and licences",
    data_columns=("source", "kind", "licences", "documents", "characters"),
    no_data="No record of the data is present.",
    tuning_text="Rows of the tuning (unknown: no licence is recorded):",
    tuning_columns=("task", "licence", "rows"),
    lists_text="Term lists in the tokenizer: ",
    terms="Check the terms of the weights yourself against the licences above (`LICENCES.md`).",
    training_heading="Training",
    training_columns=("stage", "steps", "tokens", "last loss", "machine"),
    stages={"pretrain": "pretraining", "finetune": "tuning"},
    no_training="No record of the training is present.",
    scores_heading="Evaluation",
    scores_text="Value [95 % confidence interval]; baselines stand in the same table.\n",
    scores_columns=("task", "split", "model", "value", "n"),
    no_scores="This bundle has not been evaluated.",
    files_heading="Files",
    huggingface=": stock transformers folder (safetensors)",
    llama=": a Llama that computes the same values, for vLLM and other runtimes",
    gguf=": for llama.cpp ({kind})",
    divergence="mean KL to the original {mean} nats, same first choice {same:.1%}",
    options=(
        "{changed} of {n} answers to choice items differ from the original's ({share:.1%}, accuracy {before:.3f} -> "
        "{after:.3f})"
    ),
    answer_lists=(
        "{changed} of {n} extractions differ from the original's ({share:.1%}, overlap F1 {before:.3f} -> {after:.3f})"
    ),
    text="{changed} of {n} free answers differ within {tokens} tokens ({share:.1%})",
    comma=", ",
    ids=(
        "Send token ids to llama.cpp, not text (`igakulm chat` and `igakulm serve` do): its own tokenizer can split "
        "texts differently."
    ),
)

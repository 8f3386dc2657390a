"""MODEL_CARD.md in Japanese and English, written from what the stages recorded.

Does: list data with licences, sizes, scores with intervals, limits. Does not: compute anything, or claim what was not
measured: a table without numbers says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igakulm import __version__


@dataclass(frozen=True)
class CardFacts:
    """What the card tells.

    `model` is the result of `copy_folder`; `sources` is sources.json of the corpus stage; `rows` are the rows of
    scoreboard.json; `gguf` maps file names to their entries in bundle.json.
    """

    name: str
    model: Mapping[str, Any]
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    gguf: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


LIMITS_JA = (
    "これは医療機器ではありません。診断、治療、投薬の判断に使わないでください。",
    "もっともらしい誤りを出力することがあります。出力は必ず医療従事者が原典と照合してください。",
    "学習データにない疾患、薬剤、新しい診療ガイドラインについては知りません。",
    "下の点数は、この評価での点数です。実際の診療での性能を示すものではありません。",
    "学習データの個人情報は規則で除いていますが、完全に除けたことは保証されません。",
)
LIMITS_EN = (
    "This is not a medical device. Do not use it to decide on diagnosis, treatment or medication.",
    "It can state errors convincingly. A clinician must check every output against its source.",
    "It knows nothing of diseases, drugs and guidelines that its training data lack.",
    "The scores below hold for this evaluation. They do not show performance in clinical practice.",
    "Personal data were removed from the training text by rules, which cannot be guaranteed to find all.",
)


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with the header that model hubs read."""
    parts = [_header(facts), f"# {_cell(facts.name)}\n", _japanese(facts), _english(facts)]
    return "\n".join(parts)


def _header(facts: CardFacts) -> str:
    return (
        "---\nlanguage: [ja]\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "license: other\nlicense_name: see-data-table\ntags: [medical, japanese]\n---\n"
    )


def _japanese(facts: CardFacts) -> str:
    model = facts.model
    lines = [
        "## 日本語\n",
        f"IgakuLM {__version__} で作った日本語医療言語モデル"
        f"（{model['architecture']}、{_number(model['parameters'])} パラメーター、"
        f"語彙 {_number(model['vocabulary'])}、文脈長 {_number(model['context_length'])} トークン）。\n",
        "### 限界\n",
        *(f"- {line}" for line in LIMITS_JA),
        "\n### 学習データとライセンス\n",
        _data(facts, ("出典", "種類", "ライセンス", "文書", "文字"), "データの記録がありません。"),
        "\n重みの利用条件は、上のデータのライセンスから利用者が確かめてください。\n",
        "### 評価\n",
        "値 [95 % 信頼区間]。基準（ベースライン）も同じ表にあります。\n",
        _scores(facts, ("課題", "分割", "モデル", "値", "n"), "この成果物は評価されていません。"),
        "\n### ファイル\n",
        "- `huggingface/`：transformers がそのまま読める形式（safetensors）",
        *(f"- `gguf/{name}`：llama.cpp 用（{_gguf(entry)}）" for name, entry in facts.gguf.items()),
        "\nllama.cpp には文字列ではなくトークン番号を渡してください（`igakulm chat`、`igakulm serve` はそうします）。"
        "llama.cpp 自身の分かち方は、一部の文で異なります。\n",
    ]
    return "\n".join(lines)


def _english(facts: CardFacts) -> str:
    model = facts.model
    lines = [
        "## English\n",
        f"A Japanese medical language model made with IgakuLM {__version__} "
        f"({model['architecture']}, {_number(model['parameters'])} parameters, vocabulary "
        f"{_number(model['vocabulary'])}, context {_number(model['context_length'])} tokens).\n",
        "### Limits\n",
        *(f"- {line}" for line in LIMITS_EN),
        "\n### Training data and licences\n",
        _data(facts, ("source", "kind", "licences", "documents", "characters"), "No record of the data is present."),
        "\nCheck the terms of the weights yourself against the licences above.\n",
        "### Evaluation\n",
        "Value [95 % confidence interval]; baselines stand in the same table.\n",
        _scores(facts, ("task", "split", "model", "value", "n"), "This bundle has not been evaluated."),
        "\n### Files\n",
        "- `huggingface/`: stock transformers folder (safetensors)",
        *(f"- `gguf/{name}`: for llama.cpp ({_gguf(entry)})" for name, entry in facts.gguf.items()),
        "\nSend token ids to llama.cpp, not text (`igakulm chat` and `igakulm serve` do): its own tokenizer splits "
        "some texts differently.\n",
    ]
    return "\n".join(lines)


def _data(facts: CardFacts, heads: Sequence[str], empty: str) -> str:
    rows = [
        (
            name,
            entry.get("kind", ""),
            ", ".join(entry.get("licences", ())),
            entry.get("documents"),
            entry.get("characters"),
        )
        for name, entry in facts.sources.items()
    ]
    return _table(heads, rows) if rows else empty


def _scores(facts: CardFacts, heads: Sequence[str], empty: str) -> str:
    """The columns in which a model was scored; those of baselines alone stay in the scoreboard."""
    scored = {(row["task"], row.get("split", "")) for row in facts.rows if row.get("role", "model") == "model"}
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in facts.rows:
        if (row["task"], row.get("split", "")) in scored:
            mode = f" ({row['answer_mode']})" if row.get("role") == "model" and row.get("answer_mode") else ""
            groups.setdefault((row["task"], row.get("split", ""), row["model"] + mode), []).append(row)
    rows = [(*key, "; ".join(map(_score, group)), group[0].get("n")) for key, group in groups.items()]
    return _table(heads, rows) if rows else empty


def _score(row: Mapping[str, Any]) -> str:
    value, low, high = row.get("value"), row.get("low"), row.get("high")
    if not isinstance(value, int | float):
        return f"{row['metric']} -"
    interval = f" [{low:.3f}, {high:.3f}]" if isinstance(low, int | float) and isinstance(high, int | float) else ""
    return f"{row['metric']} {value:.3f}{interval}"


def _gguf(entry: Mapping[str, Any]) -> str:
    return f"{entry['kind']}, {entry['architecture']}/{entry['encoding']}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_number(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else _cell("-" if value is None else str(value))


def _cell(text: str) -> str:
    r"""Text that cannot break out of a table cell.

    >>> _cell("a|b\nc<script>")
    'a\\|b c&lt;script>'
    """
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

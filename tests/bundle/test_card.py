"""The card tells what was recorded, in both languages, and nothing else."""

from typing import Any

import yaml

from igakulm.bundle.answer_change import AnswerChange, Kind
from igakulm.bundle.card import CardFacts, model_card

MODEL = {"architecture": "ArceeForCausalLM", "parameters": 1_191_282_688, "vocabulary": 32_771, "context_length": 2048}
ROW = {"model": "tuned", "task": "crade", "split": "published", "n": 100, "metric": "kappa", "value": 0.41}


def test_a_full_card() -> None:
    sources: dict[str, Any] = {
        "wiki|pedia\n# x": {"kind": "general", "licences": ["CC BY-SA 4.0"], "documents": 1200, "characters": 5}
    }
    rows = [
        {**ROW, "low": 0.3, "high": 0.5},
        {**ROW, "metric": "accuracy", "value": 0.5, "low": None, "high": None},
        {**ROW, "model": "majority", "value": None},
    ]
    change = AnswerChange(
        options=Kind(n=8, changed=2, original=0.75, quantised=0.5),
        lists=Kind(n=236, changed=52, original=0.9, quantised=0.85),
        text=Kind(n=10, changed=1),
    )
    file = {"kind": "q8_0", "architecture": "llama", "encoding": "one-expert", "answers": change.model_dump()}
    gguf = {"m-q8_0.gguf": file}
    card = model_card(CardFacts("医学", MODEL, sources, rows, gguf))
    assert yaml.safe_load(card.split("---")[1])["language"] == ["ja"]
    for text in (
        "これは医療機器ではありません",
        "not a medical device",
        "1,191,282,688",
        "| wiki\\|pedia # x | general | CC BY-SA 4.0 | 1,200 | 5 |",
        "| crade | published | tuned | kappa 0.410 [0.300, 0.500]; accuracy 0.500 | 100 |",
        "| crade | published | majority | kappa - | 100 |",
        "`gguf/m-q8_0.gguf`",
        "選択問題 8 問のうち元のモデルと答えが違うもの 2（25.0%、正答率 0.750 → 0.500）",
        "抽出 236 件のうち元のモデルと答えが違うもの 52（22.0%、部分一致 F1 0.900 → 0.850）",
        "52 of 236 extractions differ from the original's (22.0%, overlap F1 0.900 -> 0.850)",
        "1 of 10 free answers differ within 48 tokens (10.0%)",
    ):
        assert text in card
    assert card.count("kappa 0.410") == 2


def test_an_empty_record_is_said_to_be_empty() -> None:
    card = model_card(CardFacts("m", MODEL))
    for text in ("データの記録がありません", "No record of the data", "評価されていません", "has not been evaluated"):
        assert text in card
    assert "|---|" not in card

"""The card tells what was recorded, in both languages, and nothing else."""

import yaml

from igakulm.bundle.card import CardFacts, model_card
from igakulm.corpus.records import SourceEntry
from igakulm.evaluation.scoreboard import Score

MODEL = {"architecture": "ArceeForCausalLM", "parameters": 1_191_282_688, "vocabulary": 32_771, "context_length": 2048}
ROW = {"model": "tuned", "task": "crade", "split": "published", "n": 100, "metric": "kappa", "value": 0.41}


def test_a_full_card() -> None:
    sources = {"wiki|pedia\n# x": SourceEntry(kind="general", licences=("CC BY-SA 4.0",), documents=1200, characters=5)}
    rows = [
        {**ROW, "low": 0.3, "high": 0.5},
        {**ROW, "metric": "accuracy", "value": 0.5, "low": None, "high": None},
        {**ROW, "model": "majority", "role": "baseline", "value": 0.1},
    ]
    scores = [Score.model_validate(row) for row in rows]
    gguf = {"m-q8_0.gguf": {"kind": "q8_0", "architecture": "llama", "encoding": "one-expert"}}
    card = model_card(CardFacts("医学", MODEL, sources, scores, gguf))
    assert yaml.safe_load(card.split("---")[1])["language"] == ["ja"]
    for text in (
        "これは医療機器ではありません",
        "not a medical device",
        "1,191,282,688",
        "| wiki\\|pedia # x | general | CC BY-SA 4.0 | 1,200 | 5 |",
        "| crade | published | tuned | kappa 0.410 [0.300, 0.500]; accuracy 0.500 | 100 |",
        "| crade | published | majority | kappa 0.100 | 100 |",
        "個人情報は規則で除いています",
        "`gguf/m-q8_0.gguf`",
    ):
        assert text in card
    assert card.count("kappa 0.410") == 2


def test_an_empty_record_is_said_to_be_empty() -> None:
    card = model_card(CardFacts("m", MODEL))
    for text in ("データの記録がありません", "No record of the data", "評価されていません", "has not been evaluated"):
        assert text in card
    assert "|---|" not in card
    assert "規則で除いています" not in card and "removed from the training text" not in card  # there was no text

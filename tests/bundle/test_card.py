"""The card tells what was recorded, in both languages, and nothing else."""

import yaml

from igakulm.bundle.card import CardFacts, model_card
from igakulm.corpus.records import SourceEntry
from igakulm.evaluation.scoreboard import Score
from igakulm.inference.bundle_file import AnswerChange, KindChange

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
    change = AnswerChange(
        options=KindChange(n=8, changed=2, original=0.75, quantised=0.5),
        lists=KindChange(n=236, changed=52, original=0.9, quantised=0.85),
        text=KindChange(n=10, changed=1, tokens=48),
    )
    file = {"kind": "q8_0", "architecture": "llama", "encoding": "one-expert", "answers": change.model_dump()}
    gguf = {"m-q8_0.gguf": file}
    card = model_card(CardFacts("医学", MODEL, sources, scores, gguf))
    assert yaml.safe_load(card.split("---")[1])["language"] == ["ja"]
    for text in (
        "これは医療機器ではありません",
        "not a medical device",
        "1,191,282,688",
        "| wiki\\|pedia # x | general | CC BY-SA 4.0 | 1,200 | 5 |",
        "| crade | published | tuned | kappa 0.410 [0.300, 0.500]; accuracy 0.500 | 100 |",
        "| crade | published | majority | kappa 0.100 | 100 |",
        "個人情報の除去は行っていません。",
        "No personal data were removed.",
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
    assert "個人情報の除去は行っていません。" in card and "再現率" not in card

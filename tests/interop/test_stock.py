"""What pretraining, tuning and export write, as stock transformers read it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from igakulm.bundle.export import export
from igakulm.model.exact import _laid_out
from igakulm.model.init import embedding_of, embedding_scale, unfold
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import load_encoder

from .conftest import Trained

TURN = [{"role": "user", "content": "糖尿病の治療は？"}, {"role": "assistant", "content": "食事と運動。"}]


def stock(folder: Path) -> Any:
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(folder, local_files_only=True, dtype=torch.float32).train(False)


@pytest.mark.parametrize("kind", ["base", "tuned"])
def test_stock_logits_give_the_loss_of_training(trained: Trained, kind: str) -> None:
    folder: Path = getattr(trained, kind)
    encoder = load_encoder(folder)
    ids = torch.tensor([*encoder.begin, *encoder.encode("糖尿病の治療にはインスリンを用いる。"), encoder.eos])
    with torch.no_grad():
        logits = stock(folder)(input_ids=ids[None]).logits[0, :-1]
        expected = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum")
        model = load_folder(folder)
        scale = embedding_scale(model.config.hidden_size)
        folded = embedding_of(model).weight.detach().clone()
        unfold(model, scale)
        assert torch.allclose(embedding_of(model).weight * scale, folded, rtol=2e-7, atol=0)
        found = Objective(model, scale=scale).train(False)(_laid_out([ids]))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_the_exported_folder_has_identical_logits_and_nothing_that_holds_code(trained: Trained, tmp_path: Path) -> None:
    export(ExportSection(gguf=(), name="small"), trained.tuned, None, None, tmp_path, SilentProgress())
    folder = tmp_path / "huggingface"
    encoder = load_encoder(folder)
    ids, _ = render_chat(encoder, TURN, add_generation_prompt=False)
    with torch.no_grad():
        one, other = (stock(place)(input_ids=torch.tensor([ids])).logits for place in (trained.tuned, folder))
    assert torch.equal(one, other)
    names = {path.name for path in folder.iterdir()}
    assert "model.safetensors" in names and not any(name.endswith((".bin", ".pt", ".pkl", ".py")) for name in names)
    config = json.loads((folder / "config.json").read_text())
    assert config["rms_norm_eps"] == 1e-5 and "auto_map" not in config
    assert config["vocab_size"] == 576 and encoder.size == 515  # 512 entries and three chat tokens, padded


def test_the_template_gives_the_ids_and_the_mask_of_training(trained: Trained) -> None:
    encoder = load_encoder(trained.tuned)
    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(trained.tuned, local_files_only=True)
    more = [{"role": "system", "content": "短く。"}, *TURN, *TURN]
    for messages in (TURN, more):
        ids, mask = render_chat(encoder, messages, add_generation_prompt=False)
        found = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
        assert found["input_ids"] == ids
        assert [bool(learnt) for learnt in found["assistant_masks"]] == mask


def test_a_base_model_has_no_chat_template(trained: Trained) -> None:
    loader: Any = AutoTokenizer
    assert not loader.from_pretrained(trained.base, local_files_only=True).chat_template
    assert stock(trained.base).config.vocab_size == 512

"""Open model classes: the training form against each class's own code, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from igakulm.errors import InputError
from igakulm.model import attention, attention_cpu, exact, init
from igakulm.model.batch import Batch
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder

SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "pad_token_id": None,
}
CLASSES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 12},
    "qwen2": {},
    "qwen3": {"head_dim": 24},
    "olmo2": {},
    "gemma3_text": {"sliding_window": 12, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16},
    "arcee": {},
}
DOCUMENTS = [list(range(3, 20)), list(range(40, 45)), list(range(60, 95))]


def made(kind: str, **sizes: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    loader: Any = AutoModelForCausalLM
    model: PreTrainedModel = loader.from_config(
        AutoConfig.for_model(kind, **{**SIZES, **CLASSES.get(kind, {}), **sizes})
    )
    for weight in model.parameters():  # norms and biases other than what they begin with
        if weight.dim() == 1:
            torch.nn.init.uniform_(weight, 0.2, 1.2)
    return model


def laid_out(documents: list[list[int]]) -> Batch:
    return exact._laid_out([torch.tensor(document) for document in documents])


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_packed_loss_and_gradients_are_the_stock_ones(kind: str) -> None:
    model = made(kind).train(False)
    expected = exact.stock_loss(model, [torch.tensor(document) for document in DOCUMENTS])
    stock = made(kind).train(False)
    for document in DOCUMENTS:
        ids = torch.tensor([document])
        logits = stock(input_ids=ids).logits[0, :-1]
        torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").backward()  # type: ignore[no-untyped-call]
    loss: torch.Tensor = Objective(model)(laid_out(DOCUMENTS))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {name: weight.grad for name, weight in stock.named_parameters()}
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_known_classes_pass_the_probe_and_drop_what_they_add(kind: str, tmp_path: Path) -> None:
    made(kind).save_pretrained(tmp_path)
    model = load_folder(tmp_path)
    exact.refuse_inexact(model, "here")
    names = [name for name, _ in model.named_parameters()]
    objective = Objective(model, dropout=1.0 - 1e-4)
    batch = laid_out(DOCUMENTS)
    assert [name for name, _ in model.named_parameters()] == names
    with torch.no_grad():
        whole, again = float(objective.train(False)(batch)), float(objective(batch))
        torch.manual_seed(0)
        body = objective.train(True).model.model
        dropped = body(inputs_embeds=torch.ones(1, 5, 64), document_lengths=torch.tensor([5]))
        plain = objective.model.model.norm(torch.ones(1, 5, 64))
    assert whole == again
    # Nearly all that layers add is dropped: the residual stream passes almost unchanged.
    assert float((dropped.last_hidden_state - plain).abs().gt(1e-3).float().mean()) < 0.4


@pytest.mark.parametrize(
    ("kind", "sizes", "said"),
    [
        ("gemma2", {"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ("granite", {"logits_scaling": 8.0}, "logits_scaling"),
        ("mixtral", {}, "mixture of experts"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "'dynamic'"),
    ],
)
def test_classes_that_would_be_trained_wrongly_are_refused(kind: str, sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        exact.refuse_inexact(made(kind, **sizes), "here")


def test_a_difference_that_no_key_names_is_found_by_the_probe() -> None:
    model = made("llama")
    model.lm_head.register_forward_hook(lambda _module, _inputs, output: output + torch.arange(120))
    with pytest.raises(InputError, match="another loss"):
        exact.refuse_inexact(model, "here")


def test_windows() -> None:
    assert exact.attention_window(made("mistral")) == 12
    assert exact.attention_window(made("mistral", sliding_window=None)) is None
    assert exact.attention_window(made("qwen2", sliding_window=16)) is None  # not used without use_sliding_window
    assert exact.attention_window(made("qwen2", sliding_window=16, use_sliding_window=True, max_window_layers=1)) == 16
    assert exact.attention_window(made("gemma3_text")) == 12


def test_a_window_that_is_not_seen_is_found_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = attention_cpu.attend_on_cpu
    monkeypatch.setattr(attention, "attend_on_cpu", lambda *given: everything(*given[:-1]))
    with pytest.raises(InputError, match="another loss"):
        exact.refuse_inexact(made("mistral"), "here")


@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_growth_keeps_old_rows_and_draws_fresh_ones_anew(kind: str) -> None:
    model = made(kind)
    before = init.embedding_of(model).weight.detach().clone()
    init.grow_vocabulary(model, 128, seed=0, fresh=(5, 118, 121))
    after = init.embedding_of(model).weight
    changed = (after[:120] != before).any(1).nonzero().flatten().tolist()
    assert after.shape == (128, 64) and changed == [5, 118]
    assert (init.head_of(model).weight is after) is (kind == "gemma3_text")
    assert float(after[[5, 118]].std()) == pytest.approx(float(before.std()), rel=0.2)
    assert model(input_ids=torch.tensor([[127]])).logits.shape[-1] == 128

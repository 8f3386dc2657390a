"""The training form of a model against the stock class: loss, packing, scale, dropout, NEFTune."""

import math

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from igakulm.model import init
from igakulm.model.batch import Batch
from igakulm.model.objective import Objective, drop, neftune_noise
from igakulm.model.presets import model_config, new_model
from igakulm.recipe.schema import ModelSection

ENTRIES, WIDTH = 120, 64


def small(layers: int = 2) -> PreTrainedModel:
    section = ModelSection(preset=None, hidden_size=WIDTH, layers=layers, heads=4, key_value_heads=2)
    model = new_model(model_config(section, ENTRIES, 64, bos=1, eos=2))
    init.initialise(model, 0)
    return model


def batch(documents: list[list[int]], learnt_from: int = 0) -> Batch:
    tokens = [token for document in documents for token in document]
    where, targets, place = [], [], 0
    for document in documents:
        for number in range(len(document) - 1):
            if number >= learnt_from:
                where.append(place + number)
                targets.append(document[number + 1])
        place += len(document)
    return Batch(
        torch.tensor(tokens),
        torch.cat([torch.arange(len(document)) for document in documents]),
        torch.tensor([len(document) for document in documents]),
        torch.tensor(where),
        torch.tensor(targets),
        torch.tensor([max(0, len(document) - 1 - learnt_from) for document in documents]),
    )


DOCUMENTS = [list(range(3, 20)), list(range(40, 45)), list(range(60, 90))]


@pytest.mark.parametrize("learnt_from", [0, 3])
def test_packed_loss_is_the_stock_loss_of_each_document(learnt_from: int) -> None:
    model = small()
    stock = 0.0
    with torch.no_grad():
        for document in DOCUMENTS:
            ids = torch.tensor([document])
            logits = model(input_ids=ids).logits[0, learnt_from:-1]
            stock += float(torch.nn.functional.cross_entropy(logits, ids[0, learnt_from + 1 :], reduction="sum"))
    found = Objective(model).eval()(batch(DOCUMENTS, learnt_from))
    assert float(found) == pytest.approx(stock, rel=1e-5)


def test_gradients_reach_every_weight_and_equal_the_stock_ones() -> None:
    stock, ours = small(), small()
    for document in DOCUMENTS:
        ids = torch.tensor([document])
        logits = stock(input_ids=ids).logits[0, :-1]
        torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").backward()  # type: ignore[no-untyped-call]
    loss: torch.Tensor = Objective(ours).train()(batch(DOCUMENTS))
    loss.backward()  # type: ignore[no-untyped-call]
    expected = dict(stock.named_parameters())
    for name, weight in ours.named_parameters():
        assert weight.grad is not None and expected[name].grad is not None
        torch.testing.assert_close(weight.grad, expected[name].grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scale", [math.sqrt(WIDTH), math.sqrt(192), 1.0])
def test_folded_weights_give_bit_identical_logits(scale: float) -> None:
    ids = torch.tensor(list(range(3, 60)))
    packed = batch([ids.tolist()])
    model = small()
    embedded = Objective(model, scale=scale).eval().embed(packed)
    stock = small()
    with torch.no_grad():
        expected = stock(inputs_embeds=embedded[None]).logits
        init.embedding_of(stock).weight.copy_(init.folded(init.embedding_of(stock).weight, scale))
        assert torch.equal(stock(input_ids=ids[None]).logits, expected)


def test_bf16_is_near_fp32() -> None:
    model = small()
    exact = float(Objective(model, scale=8.0).eval()(batch(DOCUMENTS)))
    rough = float(Objective(model, scale=8.0, bf16=True).eval()(batch(DOCUMENTS)))
    assert rough == pytest.approx(exact, rel=5e-3)
    assert rough != exact


def test_dropout_changes_training_only_and_keeps_names() -> None:
    model = small()
    names = [name for name, _ in model.named_parameters()]
    objective = Objective(model, dropout=0.3)
    assert [name for name, _ in model.named_parameters()] == names
    packed = batch(DOCUMENTS)
    with torch.no_grad():
        assert float(objective.eval()(packed)) == float(objective(packed))
        objective.train()
        torch.manual_seed(0)
        first, second = float(objective(packed)), float(objective(packed))
        torch.manual_seed(0)
        assert first != second
        assert float(objective(packed)) == first


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_mean(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = drop(torch.ones(1000, 301, dtype=dtype), 0.1)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.1, abs=0.003)
    assert float(dropped.float().mean()) == pytest.approx(1.0, abs=0.005)
    assert dropped.dtype == dtype


def test_neftune_noise_follows_each_documents_own_length() -> None:
    torch.manual_seed(0)
    lengths, alpha = torch.tensor([4, 100]), 5.0
    noise = neftune_noise(lengths, alpha, torch.zeros(104, WIDTH))
    for part, length in ((noise[:4], 4), (noise[4:], 100)):
        bound = alpha / math.sqrt(length * WIDTH)
        assert float(part.abs().max()) <= bound
        assert float(part.abs().max()) > 0.9 * bound
        assert abs(float(part.mean())) < bound / 4


def test_neftune_only_while_training() -> None:
    objective = Objective(small(), neftune_alpha=5.0)
    packed = batch(DOCUMENTS)
    with torch.no_grad():
        quiet = float(objective.eval()(packed))
        assert float(objective(packed)) == quiet
        assert float(objective.train()(packed)) != quiet


@pytest.mark.parametrize(("width", "entries"), [(192, 4096), (256, 1024), (64, 8192)])
def test_the_first_loss_is_what_the_initialisation_predicts(width: int, entries: int) -> None:
    """Normalised states of length sqrt(d) meet head rows of variance 2 / (d + V): logits of variance s = 2 d / (d + V),
    independent of the target, so the expected loss is ln V + s / 2."""
    section = ModelSection(preset=None, hidden_size=width, layers=3)
    model = new_model(model_config(section, entries, 64, bos=1, eos=2))
    init.initialise(model, 0)
    objective = Objective(model, scale=init.embedding_scale(width)).eval()
    rng = np.random.default_rng(0)
    packed = batch([rng.integers(4, entries, 500).tolist() for _ in range(3)])
    with torch.no_grad():
        loss = float(objective(packed)) / len(packed.targets)
    assert loss == pytest.approx(math.log(entries) + width / (width + entries), abs=0.06)


def test_the_residual_stream_begins_at_the_scale_of_its_embedding() -> None:
    """Small init times sqrt(d) is sqrt(2 / 5); residual outputs / sqrt(2N) keep the stream within a factor of 1.5."""
    section = ModelSection(preset=None, hidden_size=256, layers=12)
    model = new_model(model_config(section, 1000, 64, bos=1, eos=2))
    init.initialise(model, 0)
    objective = Objective(model, scale=init.embedding_scale(256)).eval()
    seen: list[float] = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _module, _inputs, output: seen.append(float(output.float().std())))
    packed = batch([np.random.default_rng(0).integers(4, 1000, 300).tolist()])
    with torch.no_grad():
        begin = float(objective.embed(packed).std())
        objective(packed)
    assert begin == pytest.approx(math.sqrt(2 / 5), rel=0.02)
    assert all(begin * 0.98 < size < begin * 1.5 for size in seen), seen

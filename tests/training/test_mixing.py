"""How rows and tasks are weighed: shares of the loss, mixtures of tasks, classes, early stopping, adapters."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from igakulm.errors import InputError
from igakulm.model import init
from igakulm.model.adapters import AdaptedLinear, add_adapters, freeze_ends, merge_adapters
from igakulm.model.batch import NO_TARGET, Batch, Row, collate
from igakulm.model.objective import Objective
from igakulm.model.presets import model_config, new_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import FinetuneSection, ModelSection
from igakulm.training.loop import History, Job, Validation, identity_of, train
from igakulm.training.mixture import UNIT, Mixture, by_class, mixture, task_shares
from igakulm.training.objectives import OBJECTIVES, objective_maker
from igakulm.training.row_shares import with_shares
from igakulm.training.tuning_rows import TuningRow
from small_training import CountingRows, UnevenRows, kill_after, run, small_job

QUIET = SilentProgress()


def made(seed: int = 0) -> Any:
    shape = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1)
    model = new_model(model_config(shape, 50, 64, bos=1, eos=2))
    init.initialise(model, seed)
    return model


def learnt(number: int, tokens: int, share: float = 1.0) -> Row:
    ids = (np.arange(12, dtype=np.int64) * (number + 3)) % 46 + 4
    targets = np.full(12, NO_TARGET, np.int64)
    targets[11 - tokens : 11] = ids[12 - tokens :]
    return Row(ids, targets, (12,), share)


def test_the_mean_counts_tokens_or_rows() -> None:
    """Against the plain formula: every row alone, its tokens summed or averaged."""
    objective = Objective(made())
    sizes = [1, 2, 9]
    alone = [float(objective(collate([learnt(n, size)])).detach()) for n, size in enumerate(sizes)]
    for by_row in (False, True):
        rows = [learnt(n, size, 1 / size if by_row else 1.0) for n, size in enumerate(sizes)]
        total = float(objective(objective.collate(rows)).detach())
        mean = total / sum(map(objective.amount, rows))
        wanted = (
            sum(loss / size for loss, size in zip(alone, sizes, strict=True)) / 3 if by_row else sum(alone) / sum(sizes)
        )
        assert mean == pytest.approx(wanted, rel=1e-5)
    several = objective(collate([learnt(n, size, 0.1) for n, size in enumerate(sizes)]), by_row=True).detach()
    assert several.tolist() == pytest.approx(alone, rel=1e-5)


def test_shares_reach_the_gradients_of_body_and_head() -> None:
    objective = Objective(made())
    rows = [learnt(0, 2, 3.0), learnt(1, 5, 0.25)]
    objective(collate(rows)).backward()
    found = {name: weight.grad for name, weight in objective.model.named_parameters()}
    objective.zero_grad(set_to_none=True)
    for row in rows:
        (objective(collate([replace(row, share=1.0)])) * row.share).backward()
    for name, weight in objective.model.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, rtol=1e-4, atol=1e-6)


def tuning_row(task: str, label: str, tokens: int = 2, repeats: int = 1) -> TuningRow:
    row = learnt(0, tokens)
    return TuningRow(task, f"{task}/{label}", row.tokens, row.targets, label=label, repeats=repeats)


@pytest.mark.parametrize("by_row", [False, True])
def test_classes_of_a_task_count_alike_when_they_are_balanced(by_row: bool) -> None:
    rows = [
        *(tuning_row("a", "A") for _ in range(8)),
        tuning_row("a", "B"),
        tuning_row("a", "B", repeats=2),
        tuning_row("b", "A"),
        tuning_row("list", "", 9),
    ]
    found = with_shares(rows, by_row=by_row, class_balance=1.0)
    amounts = Counter[tuple[str, str]]()
    for row in found:
        amounts[row.task, row.label] += round(1e6 * row.repeats * row.share * row.row().learnt)
    unit = 1 if by_row else 2
    assert amounts["a", "A"] == pytest.approx(amounts["a", "B"], abs=9)
    assert amounts["a", "A"] + amounts["a", "B"] == pytest.approx(11e6 * unit, abs=20)  # the task's own weight stays
    assert amounts["b", "A"] == 1e6 * unit and amounts["list", ""] == (1e6 if by_row else 9e6)
    assert [row.share for row in with_shares(rows, by_row=False, class_balance=0.0)] == [1.0] * len(rows)


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    parts=st.lists(st.integers(1, 1000), min_size=6, max_size=6),
    batch=st.integers(1, 17),
    steps=st.integers(1, 40),
)
def test_every_task_gets_its_share_of_any_run_of_steps(
    sizes: list[int], parts: list[int], batch: int, steps: int
) -> None:
    names = [f"t{number}" for number in range(len(sizes))]
    tasks = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    total = sum(parts[: len(sizes)])
    shares = {name: part / total for name, part in zip(names, parts, strict=False)}
    found = mixture(tasks, shares, 5)
    drawn = [found.rows(step, batch) for step in range(steps)]
    assert all(len(rows) == batch for rows in drawn)
    counts = Counter(tasks[row] for rows in drawn for row in rows)
    for name, size in zip(names, sizes, strict=True):
        assert abs(counts[name] - shares[name] * batch * steps) < 1 + 0.5 * math.log2(1 + batch * steps)
        each = Counter(row for rows in drawn for row in rows if tasks[row] == name)
        epochs = counts[name] // size
        assert all(epochs <= each[row] <= epochs + 1 for row in range(len(tasks)) if tasks[row] == name)


def test_shares_by_size_temperature_and_weight() -> None:
    sizes = {"a": 800, "b": 200}
    assert task_shares(sizes, {}, 1.0) == {"a": 0.8, "b": 0.2}
    assert task_shares(sizes, {}, None) == {"a": 0.5, "b": 0.5}
    assert task_shares(sizes, {"b": 3.0}, None) == {"a": 0.25, "b": 0.75}
    assert task_shares(sizes, {}, 2.0)["a"] == pytest.approx(2 / 3)
    assert mixture(["a", "b"], task_shares(sizes, {"a": 0.0}, None), 0).rows(0, 3) == [1, 1, 1]
    assert sum(mixture(["a"] * 3 + ["b"], {"a": 1 / 3, "b": 2 / 3}, 0).shares) == UNIT
    with pytest.raises(InputError, match="no such task"):
        task_shares(sizes, {"aa": 1.0}, 1.0)
    with pytest.raises(InputError, match="weight 0"):
        task_shares(sizes, {"a": 0.0, "b": 0.0}, 1.0)


@given(
    rows=st.lists(st.sampled_from([("a", "X"), ("a", "Y"), ("a", "Z"), ("b", "X"), ("c", "")]), min_size=1),
    power=st.floats(0, 1),
)
def test_classes_share_what_their_task_has(rows: list[tuple[str, str]], power: float) -> None:
    tasks, labels = [task for task, _ in rows], [label for _, label in rows]
    shares = task_shares(Counter(tasks), {}, 2.0)
    groups, found = by_class(tasks, labels, shares, power)
    assert groups == [f"{task}/{label}" for task, label in rows]
    sizes = Counter(rows)
    for task, share in shares.items():
        own = {label: count for (name, label), count in sizes.items() if name == task}
        assert math.fsum(found[f"{task}/{label}"] for label in own) == pytest.approx(share)
        for label, count in own.items():
            for other, more in own.items():
                ratio = found[f"{task}/{label}"] / found[f"{task}/{other}"]
                assert ratio == pytest.approx((count / more) ** (1 - power))
    assert sum(mixture(groups, found, 1).shares) == UNIT


def mixed(folder: Path, **keys: Any) -> Job:
    job = small_job(folder, UnevenRows(), **keys)
    shares = Mixture(1, (tuple(range(15)), tuple(range(15, 20))), (300_000, 700_000))
    return replace(job, mixture=shares)


def test_a_mixture_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = train(mixed(tmp_path / "whole"), QUIET)
    train(mixed(tmp_path / "cut"), QUIET)
    for step in (9, 12):
        shutil.rmtree(tmp_path / "cut" / "checkpoints" / f"step-{step:07d}")
    shutil.copytree(tmp_path / "whole" / "checkpoints" / "step-0000009", tmp_path / "cut/checkpoints/step-0000009")
    again = train(mixed(tmp_path / "cut"), QUIET)
    assert (again.loss_last, again.tokens) == (whole.loss_last, whole.tokens)


def judged(folder: Path, losses: list[float], monkeypatch: pytest.MonkeyPatch, patience: int, **keys: Any) -> Any:
    """A training whose validation loss after each look is the next of `losses`."""
    from igakulm.training import loop

    job = replace(small_job(folder, validate_every=2, **keys), patience=patience)

    def loss(self: Any, step: int, _: Validation) -> dict[str, Any]:
        return {"step": step, "loss": losses[step // 2], "bits_per_byte": 0.0}

    monkeypatch.setattr(loop._Trainer, "_validation_loss", loss)
    return job, train(job, QUIET)


def test_early_stopping_keeps_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [5.0, 4.0, 3.0, 3.5, 3.1, 9.0, 9.0]
    job, history = judged(tmp_path / "a", losses, monkeypatch, 2)
    assert (history.best_step, history.stopped, [row["step"] for row in history.validation]) == (
        4,
        True,
        [0, 2, 4, 6, 8],
    )
    found = {name: weight.detach().clone() for name, weight in job.objective.model.named_parameters()}
    kept = load_file(tmp_path / "a" / "checkpoints" / "best" / "model.safetensors")
    longer = small_job(tmp_path / "b", validate_every=2, checkpoint_every=4, keep_last=9)
    train(longer, QUIET)
    after_four = load_file(tmp_path / "b" / "checkpoints" / "step-0000004" / "model.safetensors")
    for name, weight in found.items():
        assert torch.equal(weight, kept[name]) and torch.equal(weight, after_four[name]), name
    again, resumed = judged(tmp_path / "a", losses, monkeypatch, 2)  # the finished training is not trained on
    assert resumed == history
    for name, weight in again.objective.model.named_parameters():
        assert torch.equal(weight, found[name])
    for file in (tmp_path / "a" / "checkpoints" / "best").glob("*.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(InputError, match="best weights, after step 4"):
        judged(tmp_path / "a", losses, monkeypatch, 2)


def test_validation_counts_every_task_and_row_alike(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    rows = [learnt(0, 1), learnt(1, 9), learnt(2, 3)]
    job = replace(job, validation=Validation(rows, 10.0, ["a", "b", "b"]), section=job.section)
    history = train(job, QUIET)
    last = history.validation[-1]
    job.objective.eval()
    each = [float(job.objective(collate([row])).detach()) / row.learnt for row in rows]
    assert last["tasks"] == pytest.approx({"a": each[0], "b": (each[1] + each[2]) / 2}, rel=1e-5)
    assert last["rows_loss"] == pytest.approx((each[0] + (each[1] + each[2]) / 2) / 2, rel=1e-5)
    tokens = sum(loss * row.learnt for loss, row in zip(each, rows, strict=True))
    assert last["loss"] == pytest.approx(tokens / 13, rel=1e-5)
    assert last["bits_per_byte"] == pytest.approx(tokens / math.log(2) / 10, rel=1e-5)


class Pairs(Objective):
    """A toy of another kind: of a row's two documents the first must be likelier (the loss of preference tuning)."""

    def amount(self, row: Row) -> float:
        return 1.0

    def forward(self, batch: Batch, *, by_row: bool = False) -> torch.Tensor:
        states, head, _ = self._targets_states(batch)
        scores = -torch.nn.functional.cross_entropy(states @ head.T, batch.targets, reduction="none")
        better, worse = scores.view(-1, 2, 2).sum(-1).T
        return -nn.functional.logsigmoid(better - worse).sum()


class PairRows(CountingRows):
    fingerprint = "pairs"

    def row(self, index: int) -> Row:
        better, worse = learnt(index, 2), learnt(index + 7, 2)
        tokens = np.concatenate([better.tokens, worse.tokens])
        return Row(tokens, np.concatenate([better.targets, worse.targets]), (12, 12))


def test_the_loop_does_not_know_the_loss(tmp_path: Path) -> None:
    """Another objective is another class and its rows: the loop trains it as it is."""
    job = small_job(tmp_path, PairRows(4), steps=30, micro_batch=2, global_batch=4)
    objective = Pairs(made())
    job = replace(job, objective=objective, validation=None, token_budget=48)
    rows = [PairRows().row(number) for number in range(4)]
    before = float(objective(objective.collate(rows)).detach()) / 4
    history = train(job, QUIET)
    assert history.loss_first == pytest.approx(before, rel=1e-5)
    assert history.loss_last is not None and history.loss_last < 0.1 * before


def test_objectives_are_known_by_name() -> None:
    assert objective_maker("answers") is OBJECTIVES["answers"]
    with pytest.raises(InputError, match="did you mean 'answers'"):
        objective_maker("answer")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_adapters_begin_with_the_bases_function_and_merge_into_their_own(precision: str, tmp_path: Path) -> None:
    bf16 = precision == "bf16"
    model = made()
    base = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    batch = collate([learnt(n, 5) for n in range(3)])
    stock = float(Objective(made(), bf16=bf16)(batch).detach())
    add_adapters(model, rank=4, alpha=8.0, dropout=0.0, seed=0)
    assert float(Objective(model, bf16=bf16)(batch).detach()) == stock
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert all("lora_" in name for name in trained) and len(trained) == 2 * 2 * 6
    job = small_job(tmp_path, precision=precision)
    job = replace(job, objective=Objective(model, bf16=bf16))
    train(job, QUIET)
    model.train(False)
    with torch.no_grad():
        adapted = float(Objective(model)(batch))
        merge_adapters(model)
        merged = float(Objective(model)(batch))
    assert merged == pytest.approx(adapted, rel=1e-5) and merged != pytest.approx(stock, rel=1e-3)
    assert [name for name, _ in model.named_parameters()] == list(base)
    assert not any(isinstance(module, AdaptedLinear) for module in model.modules())
    assert torch.equal(model.get_input_embeddings().weight, base["model.embed_tokens.weight"])


def lora_job(folder: Path, **keys: Any) -> Job:
    job = small_job(folder, **keys)
    add_adapters(job.objective.model, rank=2, alpha=4.0, dropout=0.1, seed=1)
    return job


def test_adapters_go_on_as_if_they_had_never_stopped(tmp_path: Path) -> None:
    whole, cut = lora_job(tmp_path / "whole"), lora_job(tmp_path / "cut")
    train(whole, QUIET)
    train(cut, QUIET)
    kept = sorted(path.name for path in (tmp_path / "cut" / "checkpoints").glob("step-*"))
    (tmp_path / "cut" / "checkpoints" / kept[-1] / "model.safetensors").write_bytes(b"")
    again = lora_job(tmp_path / "cut")
    train(again, QUIET)
    for (name, one), (_, other) in zip(
        whole.objective.model.named_parameters(), again.objective.model.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name
    small = (tmp_path / "whole" / "checkpoints" / kept[-1] / "model.safetensors").stat().st_size
    assert small < 0.5 * sum(4 * weight.numel() for weight in whole.objective.model.parameters())


def test_frozen_ends_stay_bit_for_bit(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    model = job.objective.model
    before = [init.embedding_of(model).weight.detach().clone(), init.head_of(model).weight.detach().clone()]
    freeze_ends(model)
    train(job, QUIET)
    assert torch.equal(init.embedding_of(model).weight, before[0]) and torch.equal(
        init.head_of(model).weight, before[1]
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"early_stopping": 2}, "validation_share"),
        ({"method": "lora", "freeze_embeddings": False}, "freeze_embeddings"),
        ({"sampling_temperature": 0.5}, "sampling_temperature"),
        ({"class_balance": 1.5}, "class_balance"),
        ({"class_sampling": -0.1}, "class_sampling"),
        ({"weights": {"a": -1}}, "weights"),
        ({"epochs": 0}, "epochs"),
        ({"loss": "mean"}, "loss"),
    ],
)
def test_keys_that_cannot_be(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FinetuneSection.model_validate(keys)


def test_every_new_key_but_none_of_speed_is_part_of_the_identity() -> None:
    plain = identity_of(FinetuneSection())
    changes: dict[str, Any] = {
        "loss": "row",
        "sampling": "equal",
        "sampling_temperature": 3.0,
        "weights": {"a": 2.0},
        "class_balance": 0.5,
        "class_sampling": 0.5,
        "method": "lora",
        "lora_rank": 8,
        "lora_alpha": 8.0,
        "lora_dropout": 0.1,
        "freeze_embeddings": True,
        "objective": "other",
    }
    for key, value in changes.items():
        assert identity_of(FinetuneSection.model_validate({key: value})) != plain, key


def test_a_killed_training_with_a_history_of_today_is_read(tmp_path: Path) -> None:
    kill_after(tmp_path, 6)
    weights, history = run(tmp_path)
    assert isinstance(history, History) and not history.stopped and weights

"""The loop: what it computes, what it logs, and when it stops."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from igakulm.errors import InputError
from igakulm.model.batch import NO_TARGET, Row, collate
from igakulm.progress import SilentProgress
from igakulm.training import loop
from igakulm.training.loop import TrainingStoppedError, train
from small_training import CountingRows, UnevenRows, run, small_job


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "logs" / "steps.jsonl").read_text().splitlines()]


def test_it_learns_and_reports(tmp_path: Path) -> None:
    _, history = run(tmp_path, steps=30, learning_rate=1e-2)
    assert history.loss_first is not None and history.loss_last is not None
    assert history.loss_first == pytest.approx(math.log(50), rel=0.25)
    assert history.loss_last < 0.7 * history.loss_first
    log = log_of(tmp_path)
    assert [row["step"] for row in log] == list(range(1, 31))
    assert history.tokens == sum(row["tokens"] for row in log) == 30 * 6 * 23
    assert history.loss_tokens == 30 * 6 * 21
    assert [row["step"] for row in history.validation] == [0, 4, 8, 12, 16, 20, 24, 28, 30]
    assert history.validation[0]["loss"] == pytest.approx(math.log(50), rel=0.25)
    final = history.validation[-1]
    assert final["bits_per_byte"] == pytest.approx(final["loss"] * 42 / math.log(2) / 120)


def test_micro_batches_do_not_change_the_result(tmp_path: Path) -> None:
    def weights(micro: int) -> dict[str, torch.Tensor]:
        job = small_job(tmp_path / str(micro), micro_batch=micro, steps=3, dropout=0.0)
        job.objective.neftune_alpha = 0.0
        train(job, SilentProgress())
        return dict(job.objective.model.named_parameters())

    one, six = weights(1), weights(6)
    for name, weight in one.items():
        torch.testing.assert_close(weight, six[name], rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_mean_over_the_tokens_of_the_whole_batch(tmp_path: Path) -> None:
    rows = UnevenRows(6)
    job = small_job(tmp_path, rows=rows, steps=1, micro_batch=1, dropout=0.0)
    job.objective.eval()
    job.objective.neftune_alpha = 0.0
    total, count = 0.0, 0
    with torch.no_grad():
        for index in range(6):
            batch = collate([rows.row(index)])
            total += float(job.objective(batch))
            count += len(batch.targets)
    history = train(job, SilentProgress())
    assert history.loss_first == pytest.approx(total / count, rel=1e-5)
    assert history.loss_tokens == count


def test_bf16_learns_too(tmp_path: Path) -> None:
    _, history = run(tmp_path, steps=30, learning_rate=1e-2, precision="bf16")
    assert history.loss_last is not None and history.loss_first is not None
    assert history.loss_last < 0.7 * history.loss_first


def test_nan_stops_before_the_update_and_names_the_documents(tmp_path: Path) -> None:
    job = small_job(tmp_path, steps=5)
    with torch.no_grad():
        weight = next(job.objective.model.parameters())
        weight[:, 0] = float("nan")
    with pytest.raises(TrainingStoppedError, match="step 1:") as caught:
        train(job, SilentProgress())
    assert isinstance(caught.value, InputError)
    stopped = json.loads((tmp_path / "logs" / "stopped.json").read_text())
    assert stopped["step"] == 1 and stopped["loss"] == "nan"
    assert len(stopped["rows"]) == 6 and stopped["rows"][0]["documents"][0].startswith("document ")
    assert not list((tmp_path / "checkpoints").iterdir())
    other = list(job.objective.model.parameters())[-1]
    assert bool(torch.isfinite(other).all())


class NoiseLater(CountingRows):
    """Learnable rows first; the rows of number 40 and above are noise."""

    def row(self, index: int) -> Row:
        row = super().row(index % 2)
        if index >= 40:
            rng = np.random.default_rng(index)
            return replace(row, targets=np.where(row.targets >= 0, rng.integers(4, 50, len(row.targets)), NO_TARGET))
        return row


def test_a_spike_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_order(seed: int, step: int, rows: int, batch: int) -> list[int]:
        return list(range(100, 106)) if step == 59 else [step % 40] * batch

    monkeypatch.setattr(loop, "rows_of_step", in_order)
    keys: dict[str, Any] = {"steps": 80, "learning_rate": 2e-2, "checkpoint_every": 50}
    with pytest.raises(TrainingStoppedError, match="step 60: the loss jumped"):
        train(small_job(tmp_path / "on", NoiseLater(200), spike_factor=2.0, **keys), SilentProgress())
    assert [path.name for path in (tmp_path / "on" / "checkpoints").iterdir()] == ["step-0000050"]
    train(small_job(tmp_path / "off", NoiseLater(200), **keys), SilentProgress())


def test_utilisation_is_logged_where_the_peak_is_known(tmp_path: Path) -> None:
    job = replace(small_job(tmp_path, steps=2), flops_per_token=100.0, peak_flops=1e6)
    train(job, SilentProgress())
    assert all(row["mfu"] > 0 for row in log_of(tmp_path))
    run(tmp_path / "unknown", steps=2)
    assert not any("mfu" in row for row in log_of(tmp_path / "unknown"))


@pytest.mark.slow
def test_compiled_layers_learn_the_same(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"steps": 3, "precision": "fp32"}
    weights, history = run(tmp_path / "compiled", compile=True, **keys)
    plain, other = run(tmp_path / "plain", **keys)
    assert history.loss_first == pytest.approx(other.loss_first, abs=0.05)  # dropout draws other numbers
    assert weights.keys() == plain.keys()

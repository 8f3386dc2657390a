"""The training benchmarks run, name what is missing, and their sides train the same model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run_script(name: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_on_a_cpu_all_sides_of_the_stock_model_have_the_same_losses(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    out = tmp_path / "cpu.json"
    text = run_script("train_cpu.py", "--modes", "fp32", "--steps", "1", "--warmup", "1", "--out", str(out))
    results = json.loads(out.read_text())
    ours = results["ours, fp32"][0]["losses"]
    assert len(ours) == 2
    for peer in ("HF Trainer, fp32", "Accelerate, fp32"):
        assert results[peer][0]["losses"] == pytest.approx(ours, rel=1e-4)
    if "litgpt, fp32" not in json.loads(text[text.index("\n{") :])["ratios"]:
        assert "litgpt, fp32: skipped" in text or "tokens_per_second" in results["litgpt, fp32"][0]


@pytest.mark.slow
def test_the_gpu_script_runs_small_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    size = [
        "--shape",
        "toy",
        "--device",
        "cpu",
        "--steps",
        "1",
        "--warmup",
        "1",
        "--micro-batch",
        "2",
        "--out",
        str(out),
    ]
    first = run_script("train_gpu.py", *size, "--only", "ours, eager")
    assert "| ours, eager |" in first
    second = run_script("train_gpu.py", *size, "--only", "ours, eager", "HF, by hand")
    assert second.count("round 1") == 1 and "| HF, by hand |" in second
    assert out.with_suffix(".md").read_text() in second
    losses = [runs[0]["losses"] for runs in json.loads(out.read_text()).values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_the_checks_pass_here(tmp_path: Path) -> None:
    """Attention and loss against double precision; training and resume are in this folder's other tests."""
    code = (
        "import torch, training_check as c; c.CHECKS = (c.attention, c.loss);"
        "raise SystemExit(0 if c.check(torch.device('cpu')) else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and "all checks passed" in done.stdout, done.stdout + done.stderr

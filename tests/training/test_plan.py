"""The plan's arithmetic against the paper's own figures; it must not need torch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from igakulm.model.presets import PRESETS
from igakulm.recipe import load_recipe
from igakulm.training.plan import activation_bytes_per_token, flops_per_token, plan, render_plan


@pytest.fixture
def paper(project: Path) -> dict[str, Any]:
    return plan(load_recipe(project / "recipes" / "paper-1b.yaml"), unique_tokens=8_990_000_000)


def test_the_papers_figures(paper: dict[str, Any]) -> None:
    assert paper["model"]["parameters"] == 1_191_282_688
    assert paper["pretrain"]["tokens"] == 24_000 * 1024 * 2048 == 50_331_648_000
    assert paper["pretrain"]["epochs"] == pytest.approx(5.6, abs=0.01)
    assert paper["finetune"]["rows"] == 890 * 256
    ada = next(row for row in paper["devices"] if row["device"] == "RTX 6000 Ada")
    assert ada["days"]["4"] == pytest.approx(14.0, abs=0.2)
    assert ada["tokens_per_second"] == pytest.approx(10_400, rel=0.01)
    h100 = next(row for row in paper["devices"] if row["device"] == "H100")
    assert h100["tokens_per_second"] == pytest.approx(62_000, rel=0.01)


def test_the_text_says_them(paper: dict[str, Any]) -> None:
    text = render_plan(paper)
    for said in ("1.19 B", "50.3 B tokens", "4 x 14.0 days", "FLOP a token = 6", "epochs          5.6"):
        assert said in text
    assert max(len(line) for line in text.splitlines()) < 140


def test_memory_has_its_parts(paper: dict[str, Any]) -> None:
    memory = paper["memory"]
    assert memory["states_gib"] == pytest.approx(1.191282688e9 * 18 / 2**30, abs=0.01)
    assert memory["checkpoint_gib"] == pytest.approx(13.31, abs=0.01)
    assert memory["total_gib"] == pytest.approx(memory["states_gib"] + memory["activations_gib"], abs=0.02)
    assert activation_bytes_per_token(PRESETS["paper-1b"], 32_768) < 3e6


@pytest.mark.parametrize("name", ["quickstart", "real-cpu", "small-110m", "paper-1b"])
def test_every_recipe_has_a_plan(project: Path, name: str) -> None:
    path = project / "recipes" / f"{name}.yaml"
    if not path.exists():
        pytest.skip(f"there is no recipe {name}")
    estimate = plan(load_recipe(path))
    assert estimate["pretrain"]["epochs"] is None
    assert render_plan(estimate).startswith(name)


def test_flops_grow_with_the_context() -> None:
    short, long = (flops_per_token(PRESETS["paper-1b"], 32_768, length) for length in (1024, 2048))
    assert long - short == 12 * 24 * 1024 * 2048


def test_planning_needs_no_torch() -> None:
    code = "import sys; import igakulm.training.plan; assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

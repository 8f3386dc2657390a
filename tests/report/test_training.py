"""The report's section on training, from logs and metrics as runs of today and of earlier versions leave them."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.files import write_json, write_jsonl
from igakulm.report.charts import line_chart
from igakulm.report.record import RunRecord
from igakulm.report.training import training_section


def section(folder: Path, steps: list[dict[str, Any]], **metrics: Any) -> str:
    write_jsonl(folder / "logs" / "steps.jsonl", steps)
    write_json(folder / "metrics.json", metrics)
    return training_section(RunRecord.read({"pretrain": folder}), "ja")


def log(count: int = 40, **more: Any) -> list[dict[str, Any]]:
    return [
        {"step": step, "loss": 5 - step / 20, "tokens": 100, "seconds": 0.5, **more} for step in range(1, count + 1)
    ]


def test_every_quantity_of_the_log_has_its_curve(tmp_path: Path) -> None:
    rows = log(learning_rate=1e-3, gradient_norm=0.7, mfu=0.5)
    html = section(tmp_path, rows, validation=[{"step": 0, "loss": 6.0}, {"step": 40, "loss": 3.0}])
    for title in ("学習率", "勾配のノルム", "トークン／秒", "演算利用率（MFU）"):
        assert f"事前学習：{title}" in html
    assert "50.0 %" in html and html.count("<svg") == 5


def test_a_log_without_them_has_only_what_is_there(tmp_path: Path) -> None:
    html = section(tmp_path, log())
    assert "事前学習：トークン／秒" in html and "勾配のノルム" not in html and html.count("<svg") == 2


def test_samples_of_the_end_and_on_the_way(tmp_path: Path) -> None:
    on_the_way = [
        {"step": step, "prompt": prompt, "text": f"{prompt}{step}番<b>"} for step in range(20) for prompt in "甲乙"
    ]
    html = section(tmp_path, log(), samples=[*on_the_way, {"prompt": "甲", "text": "終わり"}])
    assert "終わり" in html and "事前学習中の生成例の推移" in html
    shown = [int(number) for number in re.findall(r"甲(\d+)番&lt;b&gt;", html)]
    assert len(shown) == 8 and shown[0] == 0 and shown[-1] == 19 and shown == sorted(shown)


def test_samples_that_all_have_a_step(tmp_path: Path) -> None:
    html = section(tmp_path, log(), samples=[{"step": 3, "prompt": "甲", "text": "早い"}])
    assert "早い" in html and "推移" not in html.split("早い")[1]


def test_odd_samples_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)metrics.json, samples.0.step"):
        section(tmp_path, log(), samples=[{"step": "x", "text": "3"}])


def test_a_chart_of_one_value_or_none() -> None:
    assert line_chart([], "ja") is None and line_chart([(1.0, math.nan)], "ja") is None
    chart = line_chart([(1.0, 0.0)], "ja")
    assert chart is not None and "nan" not in str(chart)

"""The whole way of a ward with a tiny base, by the commands of docs/own-task: rows to a model in use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import openpyxl
import pytest

from igakulm.report.own_errors import COLUMNS
from small_evaluation import igakulm
from tiny_bundle import write_model

TINY = ["--base", "base", *(part for key in ("steps=3", "validate_every=3") for part in ("--set", f"finetune.{key}")),
        "--set", "export.gguf=[]"]  # fmt: skip


def run(*arguments: str | Path) -> str:
    done = igakulm("task", *arguments)
    assert done.code == 0, (arguments, done.err)
    return done.out


@pytest.mark.slow
def test_from_the_spreadsheet_to_the_table_of_answers(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(project / "samples" / "own-task" / "notes.xlsx", tmp_path)
    write_model(tmp_path / "base", max_position_embeddings=1024, hidden_size=32, intermediate_size=48)
    run("init", "notes.xlsx", "--out", "task.yaml", "--yes")
    done = igakulm("task", "train", "task.yaml", "--dry-run", *TINY)
    assert done.code == 0 and "parameters are trained; on" in done.err and not Path("runs/notes/latest").exists()
    said = run("train", "task.yaml", *TINY)
    assert said.count("学習に使っていない 59 件（患者 15 人）") == 2 and "--baseline tagger" in said
    assert run("train", "task.yaml", *TINY) == said  # all is there
    for rows in ("60", "120"):
        run("train", "task.yaml", "--rows", rows, *TINY)
    found = json.loads(run("evaluate", "task.yaml", "--model", "runs/notes/latest/export", "--json"))
    curves = {
        (one["task"], one["model"]): [point["rows"] for point in one["points"]] for one in found["learning_curve"]
    }
    assert curves["items", "tuned"] == [60, 120, 240] and curves["items", "tagger"] == [30, 60, 120, 240]
    folder = Path(found["folder"])
    sheet = openpyxl.load_workbook(folder / "errors.xlsx").active
    assert sheet is not None
    header, *errors = sheet.iter_rows(values_only=True)
    assert header == COLUMNS and 59 < len(errors) <= 118
    assert "2倍" in (folder / "report.html").read_text(encoding="utf-8")
    for out, way in (
        ("model.jsonl", ("--bundle", "runs/notes/latest/export")),
        ("tagger.jsonl", ("--baseline", "tagger")),
    ):
        run("apply", "task.yaml", "notes.xlsx", *way, "--out", out)
        answered = [json.loads(line) for line in Path(out).read_text(encoding="utf-8").splitlines()]
        assert len(answered) == 300 and all(row["記録"] for row in answered)
    assert 0 <= float(json.loads(Path("model.jsonl").read_text(encoding="utf-8").splitlines()[0])["症状（確率）"]) <= 1

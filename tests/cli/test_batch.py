"""`igakulm extract` and `igakulm ask` as a stranger uses them, with a random model."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.tasks.layouts import default_tasks, write_tasks
from small_evaluation import igakulm
from tiny_bundle import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("batch") / "model", max_position_embeddings=512)
    write_tasks(folder / "tasks.json", default_tasks()[:2])
    return folder


def test_extract_writes_the_same_bytes_again(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    source.write_bytes("番号,記録\n1,発熱あり。\n=2,\n3,咳が続く。\n".encode("cp932"))
    wanted = ["--bundle", model, "--column", "記録", "--id-column", "番号", "--max-tokens", "16"]
    refused = igakulm("extract", source, "--out", tmp_path / "a.csv", *wanted)
    assert refused.code == 2 and "--encoding cp932" in refused.err and "Traceback" not in refused.err
    wanted += ["--encoding", "cp932"]
    first = igakulm("extract", source, "--out", tmp_path / "a.csv", *wanted, "--json")
    assert first.code == 3, first.err  # a record has no text: the result is whole, and a script learns of it
    assert first.json["records"] == 3 and first.json["broken"] == 1 and first.json["tasks"] == ["finding", "medicine"]
    second = igakulm("extract", source, "--out", tmp_path / "b.csv", *wanted)
    assert second.code == 3 and "3 records" in second.out
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert {row["id"] for row in rows} == {"1", "'=2", "3"}
    assert {(row["row"], row["task"]) for row in rows} >= {
        ("1", "finding"),
        ("1", "medicine"),
        ("2", ""),
        ("3", "finding"),
    }
    fhir = igakulm("extract", source, "--out", tmp_path / "c.jsonl", *wanted, "--format", "fhir", "--task", "finding")
    assert fhir.code == 3, fhir.err
    bundles = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [bundle["identifier"]["value"] for bundle in bundles] == ["1", "=2", "3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "findings"], "did you mean 'finding'"),
        (["--format", "xml"], "no format"),
        (["--column", "nota"], "did you mean 'note'"),
        (["--engine", "llamacpp"], "GGUF"),
    ],
)
def test_extract_refuses_in_one_message(options: list[str], message: str, model: Path, tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    source.write_text("note\n発熱\n", encoding="utf-8")
    done = igakulm("extract", source, "--bundle", model, "--out", tmp_path / "a.csv", *options)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.csv"]


def test_a_batch_with_llama_cpp_needs_no_torch() -> None:
    heavy = "{'torch', 'transformers'} & {*sys.modules}"
    program = f"import sys, igakulm.serving.batch_extract, igakulm.serving.questions; print({heavy})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_ask(model: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text("病名は？\n薬は？\n", encoding="utf-8")
    done = igakulm("ask", "--bundle", model, "--file", questions, "--max-tokens", "4", "--json")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["question"] for row in rows] == ["病名は？", "薬は？"]
    alone = igakulm("ask", "病名は？", "--bundle", model, "--max-tokens", "4")
    assert alone.code == 0 and alone.out.strip() == rows[0]["answer"].strip()
    both = igakulm("ask", "病名は？", "--bundle", model, "--file", questions)
    assert both.code == 2 and "not both" in both.err

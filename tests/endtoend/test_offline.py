"""The quickstart's stages, offline, on the sample data."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from igakulm.manifest import read_manifest
from igakulm.pipeline.stages import STAGES
from small_quickstart import GUARD, FinishedRun, command


def test_every_stage_is_finished(small_run: FinishedRun) -> None:
    for stage in STAGES:
        manifest = read_manifest(small_run.folder / "latest" / stage.name)
        assert manifest is not None, stage.name
        assert manifest.stage == stage.name


def test_nothing_touched_the_network(small_run: FinishedRun) -> None:
    assert small_run.network_log.read_text() == ""


def test_the_guard_does_refuse(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(GUARD), "IGAKULM_TEST_NETWORK_LOG": str(log)}
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "PermissionError" in done.stderr
    assert "192.0.2.1" in log.read_text()


def test_documents_are_neither_lost_nor_invented(small_run: FinishedRun) -> None:
    funnel = json.loads((small_run.folder / "latest/corpus/funnel.json").read_text())
    read = sum(step["documents"] for source in funnel["sources"] for step in source["steps"] if step["step"] == "read")
    sources = json.loads((small_run.folder / "latest/corpus/sources.json").read_text())
    kept = sum(source["documents"] for source in sources.values())
    assert read == kept + sum(funnel["reasons"].values())
    assert kept > 400
    for reason in ("exact_duplicate", "near_duplicate", "not_japanese", "too_short"):
        assert funnel["reasons"][reason] > 0


def test_scores_carry_what_honest_science_wants(small_run: FinishedRun) -> None:
    rows = json.loads((small_run.folder / "latest/evaluate/scoreboard.json").read_text())["rows"]
    assert {row["task"] for row in rows} == {"exam", "nursing", "posts", "similarity"}
    assert {"base", "tuned", "chance", "majority", "ngram"} <= {row["model"] for row in rows}
    for row in rows:
        assert row["low"] <= row["value"] <= row["high"]
        assert row["n"] == 6
        assert row["split"]
        assert (row["role"] == "baseline") == (row["prompt_sha256"] == "")
        assert re.fullmatch(r"[0-9a-f]{64}|", row["prompt_sha256"])


def test_report_opens_without_network(small_run: FinishedRun) -> None:
    page = (small_run.folder / "latest/report/report.html").read_text()
    assert '<html lang="ja"' in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "url(" not in page
    assert "<script src" not in page


def test_bundle_loads_in_stock_transformers_and_verifies(small_run: FinishedRun) -> None:
    code = (
        "import sys; from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "m = AutoModelForCausalLM.from_pretrained(sys.argv[1]); t = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "ids = t('高血圧症とは', return_tensors='pt').input_ids\n"
        "assert m.get_input_embeddings().num_embeddings == -(-len(t) // 64) * 64, (m.config.vocab_size, len(t))\n"
        "print(type(m).__name__, m.generate(ids, max_new_tokens=2, do_sample=False).shape[1] > ids.shape[1])"
    )
    bundle = small_run.folder / "latest/export"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    folder = str(bundle / "huggingface")
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["ArceeForCausalLM", "True"], done.stderr
    verify = [sys.executable, "-m", "igakulm", "verify", str(bundle)]
    assert subprocess.run(verify, capture_output=True).returncode == 0


def test_chat_answers(small_run: FinishedRun) -> None:
    words = [sys.executable, "-m", "igakulm", "chat", "--bundle", str(small_run.folder / "latest/export")]
    done = subprocess.run([*words, "--max-tokens", "8"], input="高血圧とは何ですか。\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1  # one answer to one question; after four steps of tuning it may be empty


def test_a_second_run_builds_nothing(small_run: FinishedRun, project: Path) -> None:
    done = subprocess.run(
        command(project / "recipes/quickstart.yaml", small_run.folder.parent), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done before") == len(STAGES)

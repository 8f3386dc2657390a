"""The command line: quick help, clear refusals, exit codes."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [
    "run",
    "status",
    "doctor",
    "plan",
    "lexicon",
    "corpus",
    "synth",
    "tokenizer",
    "pack",
    "pretrain",
    "finetune",
    "evaluate",
    "export",
    "report",
    "serve",
    "chat",
    "verify",
]


def igakulm(*words: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "igakulm", *words], capture_output=True, text=True, cwd=cwd, input=stdin
    )


def test_help_lists_every_command() -> None:
    text = igakulm("--help").stdout
    for command in COMMANDS:
        assert f" {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = igakulm(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert len(done.stdout.splitlines()) >= 8


def test_help_is_quick() -> None:
    """Processor time, which other programs on the machine hardly change; heavy imports cost over 2 s."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        igakulm("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_bad_input_is_exit_code_2_without_a_traceback(project: Path, tmp_path: Path) -> None:
    quickstart = str(project / "recipes" / "quickstart.yaml")
    for words in (
        ("run", "missing.yaml"),
        ("run", quickstart, "--set", "tokenizer.vocabulary_sise=9"),
        ("run", quickstart, "--until", "tokeniser"),
        ("corpus", "--recipe", quickstart, "--set", "corpus.sources.0.path=/nowhere/*.jsonl"),
        ("status", quickstart, "--set", "benchmarks.rows.0.test=/nowhere.jsonl"),
    ):
        done = igakulm(*words, cwd=tmp_path)
        assert done.returncode == 2, (words, done)
        assert "Traceback" not in done.stderr
        message = done.stderr[done.stderr.index("igakulm: ") :]  # progress may stand before it
        assert len(message.splitlines()) <= 3
    assert not list(tmp_path.rglob("*.partial"))


def test_suggestions(project: Path, tmp_path: Path) -> None:
    done = igakulm("run", str(project / "recipes/quickstart.yaml"), "--until", "tokeniser", cwd=tmp_path)
    assert "did you mean 'tokenizer'" in done.stderr


def test_empty_corpus_vocabulary_too_large_and_no_test_rows(project: Path, tmp_path: Path) -> None:
    quickstart = str(project / "recipes" / "quickstart.yaml")
    (tmp_path / "empty.jsonl").touch()
    cases = {
        ("corpus", "corpus.filters.min_characters=100000"): "too_short",
        ("tokenizer", "tokenizer.vocabulary_size=60000"): "vocabulary",
        ("corpus", f"benchmarks.rows.0.test={tmp_path}/empty.jsonl"): "no ",
    }
    for number, ((stage, change), words) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = igakulm(stage, "--recipe", quickstart, "--set", change, cwd=folder)
        assert done.returncode == 2, done
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert not [path for path in folder.rglob(f"{stage}-*") if path.suffix != ".partial"]


def test_doctor_and_status(project: Path, tmp_path: Path) -> None:
    quickstart = str(project / "recipes" / "quickstart.yaml")
    findings = json.loads(igakulm("doctor", "--recipe", quickstart, "--json").stdout)
    assert {"Python", "cores", "memory", "disk", "packages", "GPU", "offline", "data"} <= {
        f["subject"] for f in findings
    }
    sources = [finding for finding in findings if finding["subject"].startswith("source ")]
    assert sources and all(finding["state"] == "ok" for finding in sources)
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"{no json\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: trial\ncorpus:\n  sources: [{{name: notes, path: {broken}, licence: CC0}}]\n")
    found = json.loads(igakulm("doctor", "--recipe", str(recipe), "--json").stdout)
    (bad,) = (finding for finding in found if finding["subject"] == "source notes")
    assert bad["state"] == "bad" and "0 can be read" in bad["found"] and "line 1 is not JSON" in bad["advice"]
    rows = json.loads(igakulm("status", quickstart, "--json", cwd=tmp_path).stdout)
    assert [row["stage"] for row in rows][-1] == "report"
    assert rows[0]["state"] == "missing"
    assert not (tmp_path / "runs").exists()

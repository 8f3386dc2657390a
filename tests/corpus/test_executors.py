from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from igakulm.corpus import build_corpus as build
from igakulm.corpus import executors
from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.executors import run_parts, work_share
from igakulm.corpus.part import part_file, work_part
from igakulm.corpus.plan import Plan, make_plan, save_plan
from igakulm.corpus.slurm import script_of
from igakulm.errors import InputError
from igakulm.files import files_below, read_documents, read_json, sha256_file
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Slurm, Source
from small_corpus import write_sources

PART_BYTES = 6_000


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusSection:
    return write_sources(tmp_path / "raw")


def planned(corpus: CorpusSection, folder: Path) -> Plan:
    plan = make_plan(corpus, BenchmarksSection(), None, PART_BYTES)
    save_plan(folder, plan)
    return plan


def hashes(folder: Path) -> dict[str, str]:
    found = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files_below(folder)}
    return {name: digest for name, digest in found.items() if name.startswith("parts/")}


def test_processes_give_the_bytes_of_one(
    corpus: CorpusSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "POOL_BYTES", 0)
    for name, workers in (("one", 1), ("two", 2)):
        plan = planned(corpus, tmp_path / name)
        run_parts(plan, tmp_path / name, corpus.model_copy(update={"workers": workers}), SilentProgress())
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert len(plan.parts) > 8


def test_finished_parts_are_not_worked_on_again_and_damaged_ones_are(corpus: CorpusSection, tmp_path: Path) -> None:
    plan = planned(corpus, tmp_path)
    run_parts(plan, tmp_path, corpus, SilentProgress())
    before = hashes(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    part_file(tmp_path, 1, "passed.parquet").write_bytes(b"cut off")
    part_file(tmp_path, 2, "json").write_text("{")
    part_file(tmp_path, 3, "npz").unlink()
    records = run_parts(plan, tmp_path, corpus, SilentProgress())
    assert hashes(tmp_path) == before and len(records) == len(plan.parts)
    again = {path.name[:5] for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert again == {"00001", "00002", "00003"}


def test_parts_of_other_rules_are_worked_on_again(corpus: CorpusSection, tmp_path: Path) -> None:
    run_parts(planned(corpus, tmp_path), tmp_path, corpus, SilentProgress())
    strict = corpus.model_copy(update={"filters": corpus.filters.model_copy(update={"min_characters": 10_000})})
    records = run_parts(planned(strict, tmp_path), tmp_path, strict, SilentProgress())
    assert sum(record["passed"] for record in records) == 0


def test_shares_of_a_cluster_cover_all_parts(corpus: CorpusSection, tmp_path: Path) -> None:
    plan = planned(corpus, tmp_path / "local")
    run_parts(plan, tmp_path / "local", corpus, SilentProgress())
    planned(corpus, tmp_path / "cluster")
    assert sum(work_share(tmp_path / "cluster", task, 3) for task in range(3)) == len(plan.parts)
    assert hashes(tmp_path / "cluster") == hashes(tmp_path / "local")
    with pytest.raises(InputError, match="task 3"):
        work_share(tmp_path / "cluster", 3, 3)


def test_bad_input_on_a_cluster_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "本文"}\n')
    corpus = CorpusSection(sources=(Source(name="s", path=str(path)),), executor="slurm")
    plan = planned(corpus, tmp_path / "plan")
    work_share(tmp_path / "plan", 0, 1)
    error = part_file(tmp_path / "plan", 0, "error")
    assert "has no licence" in error.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no sbatch on this machine"):
        run_parts(plan, Path("plan"), corpus, SilentProgress())
    assert f" {tmp_path}/plan " in (tmp_path / "plan" / "corpus.sbatch").read_text("utf-8")  # wherever it is submitted
    assert not error.exists()  # the next try starts without the old message


def fake_slurm(folder: Path, environment: pytest.MonkeyPatch, body: str) -> None:
    folder.mkdir()
    (folder / "sbatch").write_text(f"#!/bin/bash\nset -e\n{body}\n")
    (folder / "sbatch").chmod(0o755)
    environment.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_slurm_script_runs(corpus: CorpusSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igakulm.corpus.slurm.ARRAY_TASKS", 2)
    folder = tmp_path / "with space"
    plan = planned(corpus, folder)
    # What Slurm does with an array job: run the script once for each index.
    body = 'grep -q -- "--array=0-1%" "$2"\nfor n in 0 1; do SLURM_ARRAY_TASK_ID=$n bash "$2" >&2; done'
    fake_slurm(tmp_path / "bin", monkeypatch, body)
    cluster = corpus.model_copy(update={"executor": "slurm"})
    records = run_parts(plan, folder, cluster, SilentProgress())
    script = folder / "corpus.sbatch"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    local = planned(corpus, tmp_path / "local")
    assert run_parts(local, tmp_path / "local", corpus, SilentProgress()) == records
    assert hashes(folder) == hashes(tmp_path / "local")


def test_a_slurm_job_that_fails(corpus: CorpusSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(corpus, tmp_path / "plan")
    cluster = corpus.model_copy(update={"executor": "slurm"})
    fake_slurm(tmp_path / "bin", monkeypatch, "echo no such partition >&2; exit 1")
    with pytest.raises(InputError, match="no such partition"):
        run_parts(plan, tmp_path / "plan", cluster, SilentProgress())
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/bash\n")
    work_part(tmp_path / "plan", 0)
    with pytest.raises(InputError, match="part 1 of the sources was not finished"):
        run_parts(plan, tmp_path / "plan", cluster, SilentProgress())


def test_options_of_the_slurm_script(tmp_path: Path) -> None:
    settings = Slurm(partition="cpu", account="ward", time="1:00:00", tasks_at_once=7, setup="module load python")
    script = script_of(tmp_path, 5000, settings)
    assert script.startswith("#!/bin/bash\n#SBATCH --job-name=igakulm-corpus\n#SBATCH --array=0-999%7\n")
    assert "#SBATCH --partition=cpu\n" in script and "\nmodule load python\n" in script
    assert '--task "$SLURM_ARRAY_TASK_ID" --tasks 1000' in script
    with pytest.raises(InputError, match="line break in the option account"):
        script_of(tmp_path, 1, Slurm(account="a\n#SBATCH --uid=0"))


@pytest.mark.slow
def test_ray_gives_the_bytes_of_local(corpus: CorpusSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(build, "PART_BYTES", PART_BYTES)
    for name in ("local", "ray"):
        (tmp_path / name).mkdir()
        section = corpus.model_copy(update={"executor": name, "workers": 2})
        build_corpus(section, BenchmarksSection(), None, tmp_path / name, SilentProgress())
    found = [
        {path.relative_to(tmp_path / name).as_posix(): sha256_file(path) for path in files_below(tmp_path / name)}
        for name in ("local", "ray")
    ]
    assert found[0] == found[1]


def test_ids_are_unique_over_parts(corpus: CorpusSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(build, "PART_BYTES", PART_BYTES)
    build_corpus(corpus, BenchmarksSection(), None, tmp_path / "out", SilentProgress())
    dropped = pq.read_table(tmp_path / "out" / "dropped").to_pylist()
    names = [document.id for document in read_documents(tmp_path / "out" / "documents")]
    names += [row["id"] for row in dropped]
    assert len(names) == len(set(names)) == read_json(tmp_path / "out" / "checkpoints/finished.json")["summary"]["read"]
    assert {"web:0", "web:0#repeat-2", "web:5", "web:5#repeat-2"} <= set(names)

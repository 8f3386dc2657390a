"""Read + clean + personal data + filters + write: the corpus stage's work on a part, beside datatrove.

    python benchmarks/corpus_throughput.py --text FILE [--text FILE ...] [--megabytes 20] [--runs 3] [--files 8]

The documents of the files are written once as JSON Lines (zstd) in `--files` files. Each side then reads them, cleans,
deletes personal data, filters, and writes Parquet (zstd):
- ours: `corpus.part.work_part`, part after part in one process, without and with what the later steps need
  (signatures, benchmark n-grams, hashes of lines), and in two processes;
- datatrove: its JsonlReader, a formatter and a filter that call the same functions of ours on each document, its
  ParquetWriter; and its reader and writer alone.
Each run is a process of its own; runs alternate. MB are those of the texts' UTF-8. CPU seconds count on one core, wall
seconds for two cores; the start of Python and imports are left out. Medians, ratios and peak memory are printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES = ("ours", "ours, all later steps", "ours, two processes", "datatrove", "datatrove, no cleaning")
CORES = {"ours, two processes": 2}


def write_input(files: list[Path], folder: Path, megabytes: float, count: int) -> int:
    """Fill `count` files with the documents, again and again with new ids; returns bytes of UTF-8 of the texts."""
    import zstandard

    from igakulm.corpus.read import read_source
    from igakulm.recipe.schema import Source

    texts: list[str] = []
    for path in files:  # the first documents of each file; "oscar" takes `content` as well as `text`
        left = megabytes * 1e6 / len(files)
        for row in read_source(Source(name="s", path=str(path), format="oscar", licence="none")):
            if row.error is None and left > 0:
                texts.append(row.text)
                left -= len(row.text.encode())
    goal, done, number = megabytes * 1e6 / count, 0, 0
    folder.mkdir(parents=True)
    for place in range(count):
        own = 0.0
        with (
            (folder / f"{place:03d}.jsonl.zst").open("wb") as raw,
            zstandard.ZstdCompressor(3).stream_writer(raw) as out,
        ):
            while own < goal:
                text = texts[number % len(texts)]
                out.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False).encode() + b"\n")
                own += len(text.encode())
                number += 1
        done += int(own)
    return done


def ours(folder: Path, out: Path, later_steps: bool, processes: int) -> None:
    from igakulm.corpus.executors import run_processes
    from igakulm.corpus.part import work_part
    from igakulm.corpus.plan import make_plan, save_plan
    from igakulm.recipe.schema import BenchmarksSection, CorpusSection

    source = {"name": "s", "path": str(folder), "licence": "none"}
    off: dict[str, Any] = {
        "near_duplicates": {"enabled": False},
        "decontamination": {"enabled": False},
        "repeated": {"boilerplate": False, "sentences": False},
    }
    corpus = CorpusSection.model_validate({"sources": [source], **({} if later_steps else off)})
    plan = make_plan(corpus, BenchmarksSection(), None, 1)
    save_plan(out, plan)
    run_processes(work_part, [(out, number) for number in range(len(plan.parts))], processes, lambda _: None)


def datatrove(folder: Path, out: Path, clean: bool) -> None:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.pipeline.formatters.base import BaseFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import ParquetWriter

    from igakulm.corpus.filter import drop_reasons
    from igakulm.recipe.schema import Filters, Privacy
    from igakulm.text.cleaning import clean_texts
    from igakulm.text.personal.masking import mask_texts

    class Clean(BaseFormatter):  # type: ignore[misc]
        name = "clean"

        def format(self, text: str) -> str:
            return mask_texts(clean_texts([text]), Privacy()).texts[0]

    class Keep(BaseFilter):  # type: ignore[misc]
        name = "keep"

        def filter(self, doc: Document) -> bool:
            return drop_reasons([doc.text], Filters())[0] is None

    steps = [JsonlReader(str(folder), compression="zstd"), *([Clean(), Keep()] if clean else [])]
    steps.append(ParquetWriter(str(out / "documents"), compression="zstd"))
    LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(out / "logs")).run()


def run_side(side: str, folder: Path, out: Path) -> dict[str, float]:
    """One run in this process. Everything is imported and built once on a tiny input before the clock starts."""
    tiny = out / "tiny"
    tiny.mkdir(parents=True)
    line = json.dumps({"id": "1", "text": "安静時の血圧が持続的に高い状態を高血圧症という。" * 4}, ensure_ascii=False)
    (tiny / "a.jsonl").write_text(line + "\n", encoding="utf-8")

    def work(source: Path, target: Path) -> None:
        if side.startswith("ours"):
            ours(source, target, side == "ours, all later steps", CORES.get(side, 1))
        else:
            datatrove(source, target, side == "datatrove")

    if side.startswith("ours"):
        work(tiny, out / "warm")
    else:
        import zstandard

        (tiny / "a.jsonl.zst").write_bytes(zstandard.compress((tiny / "a.jsonl").read_bytes()))
        (tiny / "a.jsonl").unlink()
        work(tiny, out / "warm")
    wall, cpu = time.perf_counter(), time.process_time()
    work(folder, out / "full")
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**found, "peak_mib": max(own.ru_maxrss, children.ru_maxrss) / 1024}


def measure(folder: Path, size: int, runs: int, work: Path) -> dict[str, Any]:
    sides = [side for side in SIDES if not side.startswith("datatrove") or importlib.util.find_spec("datatrove")]
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for run in range(runs):
        for side in sides if run % 2 == 0 else reversed(sides):
            out = work / "out"
            shutil.rmtree(out, ignore_errors=True)
            command = [sys.executable, __file__, "--side", side, "--input", str(folder), "--out", str(out)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{side}: {done.stderr[-2000:]}")
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
    table = {}
    for side, rows in found.items():
        clock = "wall" if side in CORES else "cpu"
        rates = [size / 1e6 / row[clock] for row in rows]
        table[side] = {
            "mb_per_second": round(statistics.median(rates), 1),
            "lowest": round(min(rates), 1),
            "highest": round(max(rates), 1),
            "wall_mb_per_second": round(statistics.median(size / 1e6 / row["wall"] for row in rows), 1),
            "peak_mib_per_process": round(max(row["peak_mib"] for row in rows)),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, action="append", help="JSON Lines (.zst, .gz or plain)")
    parser.add_argument("--megabytes", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options.side, options.input, options.out)))
        return
    if not options.text:
        parser.error("--text is needed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "input"
        size = write_input(options.text, folder, options.megabytes, options.files)
        table = measure(folder, size, options.runs, Path(name))
    if "datatrove" not in table:
        print("datatrove is not installed: left out", file=sys.stderr)
    rate = {side: row["mb_per_second"] for side, row in table.items()}
    ratios = {f"ours / {side}": round(rate["ours"] / rate[side], 2) for side in rate if side.startswith("datatrove")}
    two = table["ours, two processes"]["wall_mb_per_second"] / table["ours"]["wall_mb_per_second"]
    ratios["two processes / one (wall)"] = round(two, 2)
    print(
        json.dumps(
            {"megabytes": round(size / 1e6, 1), "runs": options.runs, "sides": table, "ratios": ratios}, indent=1
        )
    )


if __name__ == "__main__":
    main()

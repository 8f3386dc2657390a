"""Peak memory of the whole corpus stage for a number of documents: does a million fit in 4 GB?

    python benchmarks/corpus_scaling.py [--documents 20000] [--sentences 30] [--workers 1]

Documents of random sentences are generated as JSON Lines, a tenth of them duplicates or nearly so, from 50 sites with
a footer of their own. The stage runs on them twice, on half of them first; the difference gives the bytes that a
further document costs, and with these the peak at a million documents is reckoned unless so many were run. Peaks are
resident memory of the largest process, those of its children included one by one.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MILLION = 1_000_000
CHARACTERS = "".join(map(chr, range(0x4E00, 0x4E00 + 2000)))
PARTICLES = "はがをにへとも"


def sentence(chance: random.Random) -> str:
    words = ("".join(chance.choices(CHARACTERS, k=2)) + chance.choice(PARTICLES) for _ in range(6))
    return "".join(words) + "ことである。"


def write_documents(path: Path, documents: int, sentences: int) -> None:
    chance = random.Random(1)
    pool = [sentence(chance) for _ in range(200_000)]
    recent: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(documents):
            site = number % 50
            body = "".join(chance.choices(pool, k=sentences))
            if recent and number % 10 == 0:
                body = chance.choice(recent) + (sentence(chance) if number % 20 == 0 else "")
            recent = [*recent[-99:], body]
            text = f"{body}\nこのページは第{site}病院が運営しており転載はご遠慮いただいています"
            row = {"id": number, "text": text, "url": f"https://site{site}.example/{number}"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def run_stage(path: Path, out: Path, workers: int) -> dict[str, float]:
    from igakulm.corpus.build_corpus import build_corpus
    from igakulm.progress import SilentProgress
    from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Source

    source = Source(name="s", path=str(path), licence="none")
    start = time.perf_counter()
    summary = build_corpus(
        CorpusSection(sources=(source,), workers=workers), BenchmarksSection(), None, out, SilentProgress()
    )
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "read": summary["read"],
        "kept": summary["documents"],
        "characters": summary["characters"],
        "seconds": round(time.perf_counter() - start, 1),
        "peak_mib": round(own.ru_maxrss / 1024),
        "peak_mib_of_a_child": round(children.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--sentences", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.input:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(run_stage(options.input, Path(name) / "out", options.workers)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for count in (options.documents // 2, options.documents):
            path = Path(name) / f"{count}.jsonl"
            write_documents(path, count, options.sentences)
            command = [sys.executable, __file__, "--input", str(path), "--workers", str(options.workers)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(done.stderr[-2000:])
            found[count] = json.loads(done.stdout.splitlines()[-1])
    small, large = found.values()
    growth = (large["peak_mib"] - small["peak_mib"]) * 2**20 / (large["read"] - small["read"])
    million = large["peak_mib"] + growth * max(MILLION - large["read"], 0) / 2**20
    reckoned = {"bytes_a_document": round(growth), "peak_mib_at_a_million": round(million)}
    print(json.dumps({"runs": list(found.values()), "reckoned": reckoned}, indent=1))


if __name__ == "__main__":
    main()

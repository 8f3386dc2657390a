"""Near-duplicates: ours beside datatrove and datasketch on the same documents with planted duplicates of nine kinds.

    python benchmarks/near_duplicates.py [--text FILE ...] [--documents 2000] [--runs 3] [--skip NAME ...]
    python benchmarks/near_duplicates.py --memory 1000000

Each side runs in a process of its own, reads the same cleaned documents, and names those it would drop. Printed are
the median CPU seconds (all threads, without start-up and reading), the ratio to ours, the peak memory, the share of
each kind that is found, and how many dropped documents are like none that stays (true Jaccard below .4). Without
`--text` the documents are generated. Sides: ours; datatrove with its default Japanese setting (words, 5-grams, 14 x 8);
datatrove with character 5-grams of ours; datasketch with character 5-grams. A side that is not installed is named and
skipped; `--peer-python` runs the peers with another interpreter, which must have igakulm too.

`--stored N` writes the files of parts with signatures of N documents, a tenth of them near-duplicates of documents of
the same part or of the first, and prints the peak memory and the seconds of the decision, in a process of its own.

`--memory N` makes signatures and marked sentences for N documents of 30 sentences and prints the peak memory and the
seconds of both decisions over all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
for threads in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

BATCH = 1000


def find_ours(texts: list[str], _: Path) -> set[int]:
    import numpy as np

    from igakulm.corpus.dedup import digests_of, find_duplicates, signatures_of
    from igakulm.recipe.schema import NearDuplicates
    from igakulm.text.ngrams import letters_of

    config = NearDuplicates()
    digests: list[bytes] = []
    signatures = []
    for start in range(0, len(texts), BATCH):
        letters = letters_of(texts[start : start + BATCH])
        digests += digests_of(letters)
        signatures.append(signatures_of(letters, config))
    found = find_duplicates(digests, np.concatenate(signatures), config)
    own = np.arange(len(texts))
    return set(np.flatnonzero((found.exact != own) | (found.near != own)).tolist())


def _datatrove(texts: list[str], folder: Path, signature_step: Callable[..., Any]) -> set[int]:
    import numpy as np
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    config = MinhashConfig(hash_config=HashConfig(precision=64))
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    steps: list[tuple[list[Any], int]] = [
        ([documents, signature_step(str(folder / "signatures"), config=config)], 1),
        ([MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)], config.num_buckets),
        ([MinhashDedupCluster(str(folder / "buckets"), str(folder / "removed"), config=config)], 1),
    ]
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(folder / f"log{number}")).run()
    removed = folder / "removed" / "000000.remove"
    return set(np.frombuffer(removed.read_bytes(), "<u4").tolist()) if removed.exists() else set()


def find_datatrove(texts: list[str], folder: Path) -> set[int]:
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
    from datatrove.utils.typeshelper import Languages

    return _datatrove(
        texts, folder, lambda *args, **keys: MinhashDedupSignature(*args, **keys, language=Languages.japanese)
    )


def find_datatrove_characters(texts: list[str], folder: Path) -> set[int]:
    from datatrove.pipeline.dedup import minhash

    from igakulm.text.ngrams import letters_of, ngrams_of

    minhash.load_word_tokenizer = lambda language: None  # characters need none

    class Characters(minhash.MinhashDedupSignature):  # type: ignore[misc]
        def get_shingles(self, text: str) -> Any:
            return ngrams_of(letters_of([text]), self.config.n_grams).hashes.reshape(-1, 1)

    return _datatrove(texts, folder, Characters)


def find_datasketch(texts: list[str], _: Path) -> set[int]:
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    index = MinHashLSH(num_perm=160, params=(20, 8))
    dropped = set()
    for number, text in enumerate(texts):
        signature = MinHash(num_perm=160)
        signature.update_batch([text[start : start + 5].encode() for start in range(max(len(text) - 4, 1))])
        if index.query(signature):
            dropped.add(number)
        else:
            index.insert(number, signature)
    return dropped


SIDES: dict[str, Callable[[list[str], Path], set[int]]] = {
    "ours": find_ours,
    "datatrove": find_datatrove,
    "datatrove-characters": find_datatrove_characters,
    "datasketch": find_datasketch,
}


def run_side(name: str, documents: Path) -> None:
    """In a process of its own: print what was dropped and what it cost."""
    texts = json.loads(documents.read_text("utf-8"))
    warm = texts[:3]
    with tempfile.TemporaryDirectory() as folder:
        SIDES[name]([*warm, *warm], Path(folder) / "warm")  # imports and models
        start, wall = _cpu_seconds(), time.perf_counter()
        dropped = SIDES[name](texts, Path(folder) / "run")
        seconds, wall = _cpu_seconds() - start, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_seconds": seconds, "wall_seconds": wall, "mebibytes": peak, "dropped": sorted(dropped)}))


def _cpu_seconds() -> float:
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in usage)


def originals(paths: list[Path], count: int) -> list[str]:
    """The first documents of 400 to 20,000 characters, or generated ones."""
    from igakulm.tokenizer.sample_texts import read_sample
    from planted_duplicates import prose, words

    found = [text for path in paths for text in read_sample(path, 256 * 2**20) if 400 <= len(text) <= 20_000]
    if not paths:
        chooser, vocabulary = random.Random(1), words(0)
        found = [prose(chooser, vocabulary, chooser.randrange(300, 1500)) for _ in range(count)]
    return list(dict.fromkeys(found))[:count]


def compare(paths: list[Path], count: int, runs: int, skip: list[str], python: str) -> dict[str, Any]:
    from planted_duplicates import KINDS, plant

    texts, of, kinds = plant(chosen := originals(paths, count), max(len(chosen) // 10, 1), seed=2)
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "documents.json"
        documents.write_text(json.dumps(texts), "utf-8")
        sides = [name for name in SIDES if name not in skip]
        for run in range(runs):
            for name in sides if run % 2 == 0 else reversed(sides):
                if run and name not in results:
                    continue
                interpreter = sys.executable if name == "ours" else python
                command = [interpreter, __file__, "--side", name, "--input", str(documents)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    reason = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
                    print(f"{name} is left out: {reason[-1]}", file=sys.stderr)
                    continue
                results.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    ours = statistics.median(one["cpu_seconds"] for one in results["ours"])
    table = {}
    for name, measured in results.items():
        seconds = statistics.median(one["cpu_seconds"] for one in measured)
        dropped = set(measured[0]["dropped"])
        members = {kind: [index for index, one in enumerate(kinds) if one == kind] for kind in KINDS}
        wrong = [index for index in dropped if of[index] < 0 and not _like_one_that_stays(index, texts, dropped)]
        table[name] = {
            "cpu_seconds": round(seconds, 2),
            "times_ours": round(seconds / ours, 1),
            "mebibytes": round(max(one["mebibytes"] for one in measured)),
            "found": {kind: round(sum(i in dropped for i in place) / len(place), 3) for kind, place in members.items()},
            "dropped_unlike_all": len(wrong),
        }
    megabytes = round(sum(len(text.encode()) for text in texts) / 1e6, 1)
    return {"documents": len(texts), "megabytes": megabytes, "runs": runs, "sides": table}


def _like_one_that_stays(index: int, texts: list[str], dropped: set[int]) -> bool:
    """Compares in full with those documents only that share a piece of 12 characters."""
    from planted_duplicates import true_jaccard

    text = texts[index]
    pieces = {text[start : start + 12] for start in range(0, max(len(text) - 12, 1), 40)}
    stay = (other for number, other in enumerate(texts) if number not in dropped)
    return any(true_jaccard(text, other) >= 0.4 for other in stay if any(piece in other for piece in pieces))


def measure_memory(count: int) -> dict[str, Any]:
    """Both decisions over `count` documents: signatures with 5 % planted pairs, and 30 marked sentences each."""
    import numpy as np

    from igakulm.corpus.dedup import find_duplicates
    from igakulm.corpus.repeated import Marks, decide
    from igakulm.recipe.schema import NearDuplicates, RepeatedText

    config = NearDuplicates()
    source = np.random.default_rng(0)
    signatures = np.empty((count, config.bands * config.rows), np.uint16)
    for start in range(0, count, 10_000):
        block = signatures[start : start + 10_000]
        block[:] = source.integers(1, 1 << 16, block.shape, np.uint16)
        block[1::20] = block[: len(block[1::20]) * 20 : 20]
        block[1::20, ::10] += 1
    digests = [number.to_bytes(16, "big") for number in range(count)]
    empty = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    marks = []
    for start in range(0, count, 1000):
        documents = min(1000, count - start)
        hashes = np.sort(source.integers(0, 1 << 64, documents * 30, np.uint64))
        numbers = source.integers(0, documents, hashes.size).astype(np.int32)
        marks.append(Marks(np.ones(documents, np.uint64), *empty, hashes, numbers))
    begun = time.process_time()
    found = find_duplicates(digests, signatures, config)
    compared = time.process_time()
    decide(marks, found.near == np.arange(count), RepeatedText())
    decided = time.process_time()
    return {
        "documents": count,
        "near_duplicates": int((found.near != np.arange(count)).sum()),
        "seconds_near_duplicates": round(compared - begun, 1),
        "seconds_sentences": round(decided - compared, 1),
        "peak_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


STORED_PART = 200_000


def write_stored(folder: Path, count: int) -> None:
    """What the parts of `count` documents leave for the decision about near-duplicates."""
    import numpy as np

    from igakulm.corpus.dedup import band_keys, has_ngrams
    from igakulm.corpus.shards import save_arrays
    from igakulm.corpus.signatures import keys_name
    from igakulm.recipe.schema import NearDuplicates

    config = NearDuplicates()
    source = np.random.default_rng(0)
    first: np.ndarray | None = None
    for part, start in enumerate(range(0, count, STORED_PART)):
        size = min(STORED_PART, count - start)
        signatures = source.integers(1, 1 << 16, (size, config.bands * config.rows), np.uint16)
        first = signatures[:20_000].copy() if first is None else first
        copies = np.arange(1, size, 10)
        near = signatures[source.integers(0, size, copies.size)]
        near[::2] = first[source.integers(0, len(first), len(near[::2]))]
        near[source.random(near.shape, np.float32) < 0.05] += 1
        signatures[copies] = near
        digests = np.zeros((size, 16), np.uint8)
        digests[:, :8] = np.arange(start, start + size, dtype=np.int64)[:, None].view(np.uint8)
        arrays = {"digests": digests, "signatures": signatures, "long_enough": has_ngrams(signatures)}
        arrays |= {keys_name(band): keys for band, keys in enumerate(band_keys(signatures, config))}
        save_arrays(folder / f"{part:05d}.npz", arrays)


def decide_stored(folder: Path) -> dict[str, Any]:
    """The decision over all parts in a folder."""
    import numpy as np

    from igakulm.corpus.dedup import find_duplicates
    from igakulm.corpus.shards import arrays_of
    from igakulm.corpus.signatures import PartSignatures
    from igakulm.recipe.schema import NearDuplicates

    config = NearDuplicates()
    files = sorted(folder.glob("*.npz"))
    digests = np.concatenate([arrays_of(file, ("digests",))["digests"] for file in files])
    starts = np.minimum(np.arange(len(files) + 1) * STORED_PART, len(digests)).astype(np.int64)
    begun, wall = time.process_time(), time.monotonic()
    found = find_duplicates(digests, PartSignatures(files, starts, config.bands * config.rows), config)
    return {
        "documents": len(digests),
        "near_duplicates": int((found.near != np.arange(len(digests))).sum()),
        "seconds": round(time.process_time() - begun, 1),
        "wall_seconds": round(time.monotonic() - wall, 1),
        "peak_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def measure_stored(count: int) -> None:
    """Write and decide, each in a process of its own, so that the peak is that of the decision."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("--write-stored", "--decide-stored"):
            subprocess.run([sys.executable, __file__, step, folder, "--stored", str(count)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, action="append", default=[])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--skip", action="append", default=[], choices=list(SIDES))
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--memory", type=int)
    parser.add_argument("--stored", type=int)
    parser.add_argument("--write-stored", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--decide-stored", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run_side(options.side, options.input)
    elif options.write_stored:
        write_stored(options.write_stored, options.stored)
    elif options.decide_stored:
        print(json.dumps(decide_stored(options.decide_stored), indent=1), flush=True)
    elif options.stored:
        measure_stored(options.stored)
    elif options.memory:
        print(json.dumps(measure_memory(options.memory), indent=1))
    else:
        result = compare(options.text, options.documents, options.runs, options.skip, options.peer_python)
        print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()

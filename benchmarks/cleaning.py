"""Cleaning of section 2.2.1 on one core: ours beside plain regular expressions, HojiChar and NFKC alone.

    python benchmarks/cleaning.py --text FILE [--text FILE ...] [--mebibytes 20] [--runs 3] [--peer-python PYTHON]

The peers do the same chain: `plain re` applies compiled patterns and translation tables rule by rule to a document,
HojiChar composes the same rules as filters (`--peer-python`: an interpreter that has hojichar and numpy). The hash of
every side's output is compared. Each run is a process of its own; runs alternate; a time is CPU time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("ours", "plain re", "HojiChar", "NFKC alone")
Clean = Callable[[list[str]], list[str]]


def ours() -> Clean:
    from igakulm.text.cleaning import clean_texts

    def clean(texts: list[str]) -> list[str]:
        return [one for start in range(0, len(texts), 512) for one in clean_texts(texts[start : start + 512])]

    clean(["暖機"])
    return clean


class Needed(dict[int, str | None]):
    """Table for `str.translate`: look-alikes unified, what no document needs deleted."""

    def __init__(self, oracle: Any) -> None:
        super().__init__()
        self.unified, self.kept = oracle.UNIFIED, oracle.KEEP

    def __missing__(self, code: int) -> str | None:
        written = self.unified.get(chr(code), chr(code))
        self[code] = written if written in self.kept else None
        return self[code]


def rules() -> list[tuple[str, Callable[[str], str]]]:
    """The chain as one would write it: compiled patterns and `str.translate`, one rule after the other."""
    import oracle_clean as oracle

    def replace(pattern: str, by: str) -> Callable[[str], str]:
        compiled = re.compile(pattern)
        return lambda text: compiled.sub(by, text)

    lines, table = re.compile(" ?\n[ \n]*"), Needed(oracle)
    runs: dict[int, str] = {}
    for character, least in oracle.RUNS.items():
        runs[least] = runs.get(least, "") + re.escape(character)
    return [
        ("Separator", lambda text: text.replace(oracle.SEPARATOR, "")),
        ("Numbers", oracle.numbers),
        ("Nfkc", oracle.normalise),
        ("Needed", lambda text: text.translate(table)),
        ("Dots", replace(r"．[.．]+|\.[.．]{2,}", "…")),
        ("MiddleDots", replace("・・・+", "…")),
        ("Celsius", lambda text: text.replace("°C", "℃")),
        ("Fahrenheit", lambda text: text.replace("°F", "℉")),
        ("Laughs", replace(r"(?<=[ぁ-ゖァ-ヺー々㐀-䶿一-鿿!?])[wW]{2,}(?![A-Za-z0-9.])", "")),
        ("Smiles", replace("笑笑+", "笑")),
        ("Spaces", replace(" +", " ")),
        ("Lines", lambda text: lines.sub("\n", text).strip(" \n")),
        ("Stops", oracle.stops),
        ("SpacesAfterStops", replace("([、。]) ", r"\1")),
        *((f"Runs{least}", replace(f"([{some}])\\1{{{least - 1},}}", r"\1")) for least, some in runs.items()),
        ("HyphenOut", replace("(?<=[0-9A-Za-z])ー(?=[0-9A-Za-z])", "\ue000")),
        ("LongVowel", replace(f"(?<=[ァ-ヺ])-(?=[{oracle.NEVER_FIRST}])", "ー")),
        ("HyphenIn", lambda text: text.replace("\ue000", "-").strip(" \n")),
    ]


def plain_re() -> Clean:
    chain = [edit for _, edit in rules()]

    def clean(texts: list[str]) -> list[str]:
        cleaned = []
        for text in texts:
            for edit in chain:
                text = edit(text)
            cleaned.append(text)
        return cleaned

    clean(["暖機"])
    return clean


def hojichar() -> Clean:
    """One HojiChar filter for each rule, in their order."""
    from hojichar import Compose, Document, Filter

    def as_filter(name: str, edit: Callable[[str], str]) -> Any:
        def apply(self: Any, document: Any) -> Any:
            document.text = edit(document.text)
            return document

        return type(name, (Filter,), {"apply": apply})()

    composed = Compose([as_filter(name, edit) for name, edit in rules()])
    composed.apply(Document("暖機"))
    return lambda texts: [composed.apply(Document(text)).text for text in texts]


def nfkc() -> Clean:
    return lambda texts: [unicodedata.normalize("NFKC", text) for text in texts]


def run_one(side: str, path: Path) -> None:
    texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
    clean = {"ours": ours, "plain re": plain_re, "HojiChar": hojichar, "NFKC alone": nfkc}[side]()
    start = time.process_time()
    cleaned = clean(texts)
    seconds = time.process_time() - start
    digest = hashlib.sha256("\x1e".join(cleaned).encode()).hexdigest()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "sha256": digest, "peak_mebibytes": round(peak)}))


def child(side: str, path: Path, peer_python: str | None) -> dict[str, Any] | str:
    python = peer_python if side == "HojiChar" and peer_python else sys.executable
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests/text'}", "OMP_NUM_THREADS": "1"}
    command = [python, __file__, "--one", side, "--texts", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(texts: list[str], runs: int, peer_python: str | None) -> dict[str, Any]:
    size = sum(len(text.encode()) for text in texts) / 1e6
    found: dict[str, list[dict[str, Any]]] = {}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
        for run in range(runs):
            for side in SIDES if run % 2 == 0 else SIDES[::-1]:
                result = child(side, path, peer_python) if side not in skipped else ""
                if isinstance(result, str):
                    skipped.setdefault(side, result)
                else:
                    found.setdefault(side, []).append(result)
    rates = {side: size / statistics.median(one["seconds"] for one in results) for side, results in found.items()}
    return {
        "documents": len(texts),
        "megabytes": round(size, 2),
        "runs": runs,
        "mb_per_second": {side: round(rate, 1) for side, rate in rates.items()},
        "ours_is_times": {side: round(rates["ours"] / rate, 1) for side, rate in rates.items() if side != "ours"},
        "peak_mebibytes": {side: max(one["peak_mebibytes"] for one in results) for side, results in found.items()},
        "same_output_as_ours": {
            side: results[0]["sha256"] == found["ours"][0]["sha256"] for side, results in found.items()
        },
        "skipped": skipped,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", action="append", type=Path, default=[], help="JSON Lines (.zst, .gz) with `text`")
    parser.add_argument("--mebibytes", type=float, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", help="interpreter that has hojichar")
    parser.add_argument("--one", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.texts)
        return
    from igakulm.corpus.read import read_source
    from igakulm.recipe.schema import Source

    limit, texts = options.mebibytes * 2**20 / max(len(options.text), 1), []
    for path in options.text:
        size = 0
        for row in read_source(Source(name="text", path=str(path), licence="unknown")):
            texts.append(row.text)
            size += len(row.text.encode("utf-8", "ignore"))
            if size >= limit:
                break
    print(json.dumps(measure(texts, options.runs, options.peer_python), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()

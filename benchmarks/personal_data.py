"""Recall and precision of the personal data rules on the project's labelled notes, and their speed on one core.

    python benchmarks/personal_data.py [--text FILE ...] [--write]

The notes are those of tests/clinical_notes; tests/labelled_notes.py says which sets were looked at and which is not.
`--write` stores the result in src/igakulm/evaluation/personal_spans.json, which the card of a model quotes; a test
measures again and compares. `--text` names JSON Lines (.zst) whose text is read for the speed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))


def speed(paths: list[Path], megabytes: float) -> dict[str, float]:
    from igakulm.corpus.read import read_source
    from igakulm.recipe.schema import Source
    from igakulm.text.personal.finder import Finder

    texts: list[str] = []
    for path in paths:
        size = 0
        for row in read_source(Source(name="s", path=str(path), format="oscar", licence="none")):
            texts.append(row.text)
            size += len(row.text.encode())
            if size > megabytes * 1e6:
                break
    size = sum(len(text.encode()) for text in texts)
    found = {}
    for name, finder in (("rules", Finder(layers=("rules",))), ("all layers", Finder())):
        finder.find("氏名：佐藤花子")
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            for text in texts:
                finder.find(text)
            best = min(best, time.process_time() - start)
        found[name] = round(size / 1e6 / best, 1)
    return found


def main() -> None:
    import labelled_notes
    from igakulm.evaluation.personal_spans import MEASURED_FILE
    from igakulm.files import write_json
    from igakulm.text.personal.finder import Finder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, action="append", default=[])
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--half", choices=labelled_notes.HALVES, action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    results = [labelled_notes.measure_half(half, Finder()) for half in options.half or labelled_notes.HALVES]
    for one in results:
        print(f"\n## {one.labelled_set}: {one.notes} notes\n\n| kind | found | recall | precision |\n|---|---|---|---|")
        rows = [("all", one.recall, one.precision)]
        rows += [(kind, share, one.precision_by_kind.get(kind)) for kind, share in one.recall_by_kind.items()]
        for name, recall, precision in rows:
            right = f"{precision.value:.3f} [{precision.low:.3f}, {precision.high:.3f}]" if precision else "-"
            left = f"{recall.value:.3f} [{recall.low:.3f}, {recall.high:.3f}]"
            print(f"| {name} | {recall.right}/{recall.n} | {left} | {right} |")
        print(f"\nTexts without personal data that were left alone: {one.negatives.right}/{one.negatives.n}.")
    if options.text:
        print(json.dumps({"MB/s": speed(options.text, options.megabytes)}))
    if options.write:
        write_json(PROJECT / "src" / "igakulm" / "evaluation" / MEASURED_FILE, [one.model_dump() for one in results])


if __name__ == "__main__":
    main()

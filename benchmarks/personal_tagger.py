"""Train the tagger of personal data that the package ships, from invented notes alone.

    python benchmarks/personal_tagger.py [--leave e] [--write]

The notes are those of tests/clinical_notes in many variations (tests/varied_notes.py) and the project's sample texts;
all are invented and CC0, and so is what is learnt. `--leave` keeps a set out and measures on it, for choices; `--write`
puts the file into src/igakulm/text/personal. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))


def main() -> None:
    import labelled_notes
    from igakulm.text.personal.learnt import LEARNT_KINDS, MODEL_FILE, clues
    from igakulm.text.tagger import Mark, Tagger
    from varied_notes import sample_texts, training_notes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leave", action="append", default=[])
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--l1", type=float, default=0.4)
    parser.add_argument("--l2", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    halves = [half for half in labelled_notes.HALVES if half not in (labelled_notes.HELD_OUT, *options.leave)]
    texts: list[str] = []
    marks: list[list[Mark]] = []
    for text, own in [*training_notes(halves, options.times), *sample_texts(PROJECT / "samples")]:
        texts.append(text)
        marks.append([mark for mark in own if mark.kind in LEARNT_KINDS])
    size = sum(map(len, texts))
    print(f"{len(texts):,} notes, {size:,} characters, {sum(map(len, marks)):,} marks, sets {', '.join(halves)}")
    start = time.process_time()
    tagger = Tagger.train(texts, marks, clues, l1=options.l1, l2=options.l2, rounds=options.rounds)
    print(f"{len(tagger.model):,} bytes, {time.process_time() - start:.0f} s")
    target = PROJECT / "src" / "igakulm" / "text" / "personal" / MODEL_FILE if options.write else options.out
    if target:
        target.write_bytes(tagger.model)


if __name__ == "__main__":
    main()

"""The step `quality`: the candidates that a model judges good enough become the corpus, the others are dropped.

Does: ask quality.py for a verdict, and write shards and counts by it. Does not: judge.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.corpus.funnel import Funnel
from igakulm.corpus.histograms import Histograms
from igakulm.corpus.quality_keys import check_keys
from igakulm.corpus.shards import DROPPED_COLUMNS, read_column, read_rows, row_writer
from igakulm.errors import InputError, did_you_mean
from igakulm.progress import Progress
from igakulm.recipe.schema import CorpusSection, Quality

_ALL = 1 << 62


def check_quality(corpus: CorpusSection, generated: Path | None) -> None:
    """Find what is missing before a long pass over the sources; `generated` holds shards of other names, if any.

    Raises:
        InputError: as quality.check_keys, or a name in `sources` that no source has.
    """
    if not corpus.quality.enabled:
        return
    check_keys(corpus.quality)
    known = {source.name for source in corpus.sources}
    if generated is not None:
        known.update(*(read_column(path, "source") for path in sorted(generated.glob("*.parquet"))))
    for name in corpus.quality.sources:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean {near!r}?" if near else f"the sources are {', '.join(sorted(known))}"
            raise InputError(f"no source is named {name!r}", where="corpus.quality.sources", hint=hint)


def apply_quality(
    section: Quality,
    candidates: Path,
    out_dir: Path,
    work_dir: Path,
    funnel: Funnel,
    histograms: Histograms,
    progress: Progress,
) -> None:
    """Write the shards of `candidates` without what is not good enough; quality.py writes its own report.

    Raises:
        InputError: as quality.judge_documents.
    """
    from igakulm.corpus.quality import judge_documents

    verdict = judge_documents(
        section, candidates, work_dir / "quality", out_dir / "quality", progress, logs_dir=out_dir / "logs"
    )
    start = 0
    for path in sorted(candidates.glob("*.parquet")):
        with (
            row_writer(out_dir / "documents" / path.name) as kept,
            row_writer(out_dir / "dropped" / f"quality-{path.name}", DROPPED_COLUMNS) as gone,
        ):
            for rows in read_rows(path, 0, _ALL):
                stay = [row for place, row in enumerate(rows, start) if verdict.keep[place]]
                for row in stay:
                    kept.add(row)
                    funnel.sources[row[2]].passed("quality", len(row[1]))
                histograms.add([row[2] for row in stay], [row[1] for row in stay])
                for place, row in enumerate(rows, start):
                    if not verdict.keep[place]:
                        funnel.drop(row[2], "quality", row[0], row[1])
                        gone.add((row[0], row[2], "quality", f"score {float(verdict.scores[place]):.3f}", row[1], ""))
                start += len(rows)

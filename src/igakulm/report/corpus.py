"""The report's section on the corpus: what each step left, what was dropped and why, licences, synthetic text.

Does: gather funnel.json, sources.json, statistics.json, yield.json and tokens by source. Does not: count or judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from igakulm.corpus.funnel import STEPS
from igakulm.corpus.histograms import LENGTHS
from igakulm.corpus.records import (
    FUNNEL,
    SOURCES,
    STATISTICS,
    FunnelFile,
    StepCount,
    read_sources,
    read_statistics,
)
from igakulm.evaluation.corpus_tokens import table_one, tokens_by_source
from igakulm.files import read_jsonl
from igakulm.report.numbers import Language, count
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words
from igakulm.synth.records import YIELD, Counted, Positions, YieldFile
from igakulm.synth.set_checks import position_bias
from igakulm.synth.yields import KINDS

UNEVEN = 0.01


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a source (of all: no name) after each step; `read`: its characters at the beginning."""

    name: str
    kind: str
    after: Mapping[str, StepCount]
    read: int


def corpus_section(record: RunRecord, language: Language) -> Markup:
    """Funnel, reasons with samples, licences, synthetic text, decontamination."""
    t = words(language)
    funnel = record.stored("corpus", FUNNEL, FunnelFile)
    if funnel is None:
        return render("corpus.html.j2", language, funnel=None)
    corpus = record.folders["corpus"]
    tokens = tokens_by_source(corpus, record.folders["tokenizer"]) if "tokenizer" in record.folders else {}
    steps = {name: t.named("step", name) for name in _step_names(funnel)}
    short = funnel.benchmark_items_too_short
    lengths, scripts = _histograms(record)
    return render(
        "corpus.html.j2",
        language,
        funnel=funnel,
        steps=steps,
        rows=_remaining(funnel, next(iter(steps), "")),
        table_one=table_one(funnel, tokens),
        counted=bool(tokens),
        lengths=lengths,
        scripts=[(t.named("script", name), number) for name, number in scripts.items()],
        reasons=sorted(funnel.reasons.items(), key=lambda pair: (-pair[1], pair[0])),
        dropped=sum(funnel.reasons.values()),
        sources=read_sources(corpus) if record.path("corpus", SOURCES) else {},
        decontaminated=[(task, count(n), count(short.get(task, 0))) for task, n in funnel.decontamination.items()],
        personal=[(t.named("personal", kind), count(n)) for kind, n in funnel.personal_data_deleted.items()],
        **_synthetic(record),
    )


def _step_names(funnel: FunnelFile) -> list[str]:
    names = dict.fromkeys(step.step for source in funnel.sources for step in source.steps)
    return sorted(names, key=lambda name: STEPS.index(name) if name in STEPS else len(STEPS))


def _remaining(funnel: FunnelFile, first: str) -> list[Remaining]:
    found = [(source.name, source.kind, {step.step: step for step in source.steps}) for source in funnel.sources]
    if len(found) > 1:
        sums: dict[str, StepCount] = {}
        for step in (step for source in funnel.sources for step in source.steps):
            so_far = sums.get(step.step, StepCount(step=step.step))
            documents, characters = so_far.documents + step.documents, so_far.characters + step.characters
            sums[step.step] = StepCount(step=step.step, documents=documents, characters=characters)
        found.append(("", "", sums))
    return [
        Remaining(name, kind, after, after[first].characters if first in after else 0) for name, kind, after in found
    ]


def _histograms(record: RunRecord) -> tuple[list[tuple[str, int]], dict[str, int]]:
    """Documents by class of length, and characters by script, of all sources together."""
    statistics = read_statistics(record.folders["corpus"]) if record.path("corpus", STATISTICS) else {}
    lengths: Counter[str] = Counter()
    scripts: Counter[str] = Counter()
    for groups in statistics.values():
        lengths.update(groups.lengths)
        scripts.update(groups.scripts)
    scripts.pop("space", None)
    ends = dict(pairwise(LENGTHS))
    classes = [(low, f"{ends[low]:,}" if low in ends else "") for low in LENGTHS if str(low) in lengths]
    return [(f"{low:,} 〜 {end}".rstrip(), lengths[str(low)]) for low, end in classes], dict(scripts)


def _synthetic(record: RunRecord) -> dict[str, object]:
    written = record.stored("synth", YIELD, YieldFile)
    if written is None or not written.writers:
        return {"written": None}
    kinds = {name: written.kinds[name] for name in sorted(written.kinds) if name in KINDS}
    kept, verified = written.answer_positions, written.verified
    before = places_as_written(record)
    positions = [("written", before), ("shuffled", kept)] if before.items else [("kept_items", kept)]
    return {
        "written": written,
        "text_kinds": kinds,
        "rejections": _rejections(kinds),
        "positions": positions if kept and kept.items else [],
        "uneven": bool(kept and kept.p_value is not None and kept.p_value < UNEVEN),
        "uneven_level": UNEVEN,
        "checked": verified.agrees + verified.disagrees if verified else 0,
    }


def _rejections(kinds: Mapping[str, Counted]) -> list[str]:
    """Reasons, the most frequent first."""
    total: Counter[str] = Counter()
    for one in kinds.values():
        total.update(one.rejected)
    return sorted(total, key=lambda code: (-total[code], code))


def places_as_written(record: RunRecord) -> Positions:
    """`position_bias` of the kept items with one right option, at the places where their writers put it."""
    path = record.path("synth", "exams.jsonl")
    letters: Counter[str] = Counter()
    for row in read_jsonl(path) if path else ():
        written = row.get("answer_written")
        if isinstance(written, list) and len(written) == 1:
            letters[str(written[0])] += 1
    return Positions.model_validate(position_bias(letters))

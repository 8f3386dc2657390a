"""Synthetic textbooks and exam items: plan, ask the writers, check, write documents (section 2.1.2).

Does: put the parts of this room together as the stage `synth`. Every answer is in the store of answers before it
counts, so that a killed run asks again only what was on the wire; the same answers give the same bytes.
Does not: word prompts (prompts.py, exams.py), judge texts (check.py, exam_checks.py), or talk HTTP (asking/). With
`terms: 0` and `exams: 0` it contacts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.asking.client import ResponseStore, Retry
from igakulm.files import Doc, atomic_path, write_documents, write_json
from igakulm.progress import Progress, track
from igakulm.recipe.schema import BenchmarksSection, SynthSection
from igakulm.synth.answer_reader import Reader, Result
from igakulm.synth.ask_writers import Asked, Asker
from igakulm.synth.documents import read_answers
from igakulm.synth.exam_documents import VerifyJobs
from igakulm.synth.jobs import Assignment, Job, make_job, plan, read_terms
from igakulm.synth.rates import RateLog, rates_path
from igakulm.synth.set_checks import SetChecks, position_bias
from igakulm.synth.writers import Author, checked_authors
from igakulm.synth.yields import Yield
from igakulm.tasks.personal_data import account

ANSWERS = "synth-answers.sqlite"
SHARD_BYTES = 64 * 2**20
SHOWN_FAILURES = 1000
"""Messages of failed requests in `logs/requests.json`; more are counted only."""


@dataclass(frozen=True, slots=True)
class WriterJobs:
    """The jobs of one writer, made when they are needed, because their bodies would fill the memory."""

    assignments: Sequence[Assignment]
    authors: Mapping[str, Author]
    seed: int

    def __len__(self) -> int:
        return len(self.assignments)

    def __iter__(self) -> Iterator[Job]:
        return (make_job(assignment, self.authors, self.seed) for assignment in self.assignments)


def generate_texts(
    config: SynthSection,
    lexicon_dir: Path,
    out_dir: Path,
    progress: Progress,
    *,
    benchmarks: BenchmarksSection | None = None,
    answers: Path | None = None,
    retry: Retry | None = None,
) -> dict[str, Any]:
    """Write `documents/*.parquet`, `exams.jsonl`, `rejected.jsonl` and `yield.json`; return the counts.

    Args:
        config: what is wanted.
        lexicon_dir: holds `terms.tsv`.
        out_dir: gets the files; may hold those of an earlier, broken run.
        progress: shows what is done.
        benchmarks: test items that no text may hold; None = no check.
        answers: the file of all answers, which `config.answers` overrides; None = `logs/` of `out_dir`. What it holds
            is not asked for again.
        retry: how patient the clients are, for tests.

    Raises:
        InputError: something is wanted but a writer's endpoint, model or licence is missing, or its licence is not
            allowed; `terms.tsv` is missing or malformed; an endpoint is down or refuses the work after all retries
            (finished answers are kept).
    """
    for shard in (out_dir / "documents").glob("*.parquet"):
        shard.unlink()
    found = Yield()
    if config.terms == 0 and config.exams == 0:
        return _write(out_dir, iter(()), found, 0, {})
    authors = checked_authors(config)
    terms = read_terms(lexicon_dir / "terms.tsv")
    assignments = plan(config, authors, terms)
    path = answers_path(config, answers or out_dir / "logs" / ANSWERS)
    with closing(ResponseStore(path)) as store:
        asker = Asker(store, RateLog(rates_path(path)), progress, retry or _patience(config), store.keys())
        failed = _ask(config, assignments, authors, asker, out_dir)
        reader = Reader(config, authors, store, failed, found, SetChecks(benchmarks).check)
        shown = track(progress, assignments, "check the texts", unit="texts")
        summary = _write(out_dir, read_answers(reader, shown), found, len(terms), authors)
        return {**summary, **({"personal_data": account(reader.personal)} if config.personal_data else {})}


def answers_path(config: SynthSection, default: Path) -> Path:
    """The file of all answers."""
    return Path(config.answers) if config.answers else default


def _patience(config: SynthSection) -> Retry:
    return Retry(timeout=config.timeout, patience=config.patience)


def _ask(
    config: SynthSection, assignments: Sequence[Assignment], authors: Mapping[str, Author], asker: Asker, out_dir: Path
) -> dict[str, tuple[str, str]]:
    """Ask the writers, then the verifier; the failed jobs. Counts and times go to `logs/requests.json`."""
    seed = config.seed or 0
    shares: dict[str, list[Assignment]] = {name: [] for name in authors}
    for assignment in assignments:
        shares[assignment.writer].append(assignment)
    work = [(authors[name], WriterJobs(share, authors, seed)) for name, share in shares.items() if share]
    asked = [asker.ask(work, "write", "texts")]
    if config.verifier is not None and config.exams and asked[0].error is None:
        verifier = authors[config.verifier]
        questions = VerifyJobs(assignments, authors, asker.store, verifier, seed)
        asked.append(asker.ask([(verifier, questions)], "verify", "items"))
    write_json(out_dir / "logs" / "requests.json", _log(asked))
    for phase in asked:
        if phase.error is not None:
            raise phase.error
    return {key: failure for phase in asked for key, failure in phase.failed.items()}


def _log(asked: Sequence[Asked]) -> dict[str, object]:
    """What happened on the wire: totals, and by writer."""
    writers: dict[str, dict[str, int]] = {}
    for phase in asked:
        for name, counts in phase.counts.items():
            own = writers.setdefault(name, {})
            for what, count in counts.items():
                own[what] = own.get(what, 0) + count
    names = ("attempts", "failures", "answered", "stored")
    messages = [what for phase in asked for _, what in phase.failed.values()]
    return {
        **{name: sum(own.get(name, 0) for own in writers.values()) for name in names},
        "failed": len(messages),
        "seconds": round(sum(phase.seconds for phase in asked), 3),
        "cpu_seconds": round(sum(phase.cpu_seconds for phase in asked), 3),
        "writers": writers,
        "messages": messages[:SHOWN_FAILURES],
    }


def _write(
    out_dir: Path, results: Iterator[Result], found: Yield, available: int, authors: Mapping[str, Author]
) -> dict[str, object]:
    """Stream the results into the files; nothing but counts stays in memory."""
    with ExitStack() as files:
        reject = files.enter_context(_rows(out_dir / "rejected.jsonl"))
        keep_row = files.enter_context(_rows(out_dir / "exams.jsonl"))

        def documents() -> Iterator[Doc]:
            for result in results:
                if result.row is not None:
                    keep_row(result.row)
                if result.document is not None:
                    yield result.document
                else:
                    job = result.job
                    about = {"kind": job.kind, "term": job.term, "writer": job.writer}
                    reject({**about, "reason": result.reason, "text": result.text})

        write_documents(out_dir / "documents", documents(), shard_bytes=SHARD_BYTES)
    summary = found.summary(available)
    verified = dict(sorted(found.verified.items()))
    write_json(out_dir / "yield.json", {**summary, **found.report(authors), **_exam_report(found, verified)})
    return {**summary, **({"agreement": _agreement(verified)} if _agreement(verified) is not None else {})}


def _exam_report(found: Yield, verified: Mapping[str, int]) -> dict[str, object]:
    if not found.positions and not verified:
        return {}
    return {
        "answer_positions": position_bias(found.positions),
        "answer_positions_written": position_bias(found.written),
        "verified": verified,
    }


def _agreement(verified: Mapping[str, int]) -> float | None:
    """Share of the verified items for which the second model chose the same options; None if none was verified."""
    both = verified.get("agrees", 0) + verified.get("disagrees", 0)
    return round(verified.get("agrees", 0) / both, 4) if both else None


@contextmanager
def _rows(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write one JSON object a line, atomically, whenever the function is called."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:

        def write(row: Mapping[str, object]) -> None:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

        yield write

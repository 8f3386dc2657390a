"""What a recipe's synthetic text will cost, before anything is asked: requests, tokens, hours, disk.

Does: make the same plan as the stage, look up which answers are there already, and reckon with the rates measured so
far (rates.py), or with defaults until there are any. Does not: contact a server, or write anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.asking.client import ResponseStore
from igakulm.progress import Progress, track
from igakulm.recipe.schema import SynthSection
from igakulm.synth.exam_documents import VerifyJobs
from igakulm.synth.jobs import Assignment, make_job, plan, read_terms
from igakulm.synth.rates import Rate, Tokens, model_name, rates_path, read_rates
from igakulm.synth.writers import Author, checked_authors

SERVER_TOKENS_PER_SECOND = 30.0
"""Assumed of a server for each request at once: an 8B model on one recent GPU; unmeasured."""
FILE_TOKENS_PER_SECOND = 5.0
"""Assumed of llama.cpp in a child process, over all requests at once: a 7B model on eight cores; unmeasured."""
COMPLETION_SHARE = 0.7
"""Assumed length of an answer as a share of `max_tokens`: the prompts ask for about so much."""
BYTES_PER_CHARACTER = 3
"""Of Japanese in the store of answers, which is JSON in UTF-8."""


@dataclass(slots=True)
class _Load:
    """Requests of one writer by kind: all of them, those answered already, and the characters of the open questions."""

    requests: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)


def estimate(config: SynthSection, lexicon_dir: Path, answers: Path, progress: Progress) -> dict[str, Any]:
    """The estimate as JSON-able counts; hours count the servers side by side and GGUF files one after another.

    Raises:
        InputError: as the stage does before it asks.
    """
    if config.terms == 0 and config.exams == 0:
        return {"requests": {}, "answered": 0, "open": 0, "writers": [], "hours": 0.0, "disk_bytes": 0}
    authors = checked_authors(config)
    assignments = plan(config, authors, read_terms(lexicon_dir / "terms.tsv"))
    rates = read_rates(rates_path(answers))
    per_answer = 0.0
    with closing(ResponseStore(answers)) if answers.exists() else nullcontext() as store:
        loads = _loads(config, track(progress, assignments, "plan", unit="texts"), authors, store)
        _add_verification(config, assignments, authors, store, loads)
        if store is not None and len(store):
            per_answer = answers.stat().st_size / len(store)
    rows = [
        _row(author, loads[name], rates.get(model_name(author.model, author.revision)))
        for name, author in authors.items()
    ]
    open_requests = sum(row["open"] for row in rows)
    default = sum(row["prompt_characters"] + row["completion_tokens"] for row in rows) * BYTES_PER_CHARACTER
    kinds: Counter[str] = sum((load.requests for load in loads.values()), Counter())
    return {
        "requests": dict(kinds),
        "answered": sum(row["answered"] for row in rows),
        "open": open_requests,
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "completion_tokens": sum(row["completion_tokens"] for row in rows),
        "writers": rows,
        "hours": round(_hours(rows), 2),
        "disk_bytes": round(open_requests * per_answer if per_answer else default),
    }


def _loads(
    config: SynthSection, assignments: Any, authors: Mapping[str, Author], store: ResponseStore | None
) -> dict[str, _Load]:
    loads = {name: _Load() for name in authors}
    for assignment in assignments:
        job = make_job(assignment, authors, config.seed or 0)
        load = loads[job.writer]
        load.requests[job.kind] += 1
        if store is not None and store.has(job.key):
            load.stored[job.kind] += 1
        else:
            load.characters[job.kind] += sum(len(message["content"]) for message in job.body["messages"])
    return loads


def _add_verification(
    config: SynthSection,
    assignments: Sequence[Assignment],
    authors: Mapping[str, Author],
    store: ResponseStore | None,
    loads: Mapping[str, _Load],
) -> None:
    """One question for each item of another writer, at most: which items are readable is not known yet."""
    if config.verifier is None:
        return
    verifier = authors[config.verifier]
    load = loads[verifier.name]
    items = sum(assignment.kind == "exam" and assignment.writer != verifier.name for assignment in assignments)
    if store is not None:
        questions = VerifyJobs(assignments, authors, store, verifier, config.seed or 0)
        load.stored["verify"] = sum(store.has(job.key) for job in questions)
    load.requests["verify"] = items
    load.characters["verify"] = 400 * (items - load.stored["verify"])


def _row(author: Author, load: _Load, rate: Rate | None) -> dict[str, Any]:
    missing = {kind: load.requests[kind] - load.stored[kind] for kind in load.requests}
    known = rate.kinds if rate is not None else {}
    completion = sum(count * _length(author, kind, known.get(kind)) for kind, count in missing.items())
    prompt = sum(_prompt_tokens(load, kind, count, known.get(kind)) for kind, count in missing.items())
    speed = rate.completion_tokens_per_second if rate is not None else None
    assumed = SERVER_TOKENS_PER_SECOND * author.concurrency if author.endpoint else FILE_TOKENS_PER_SECOND
    return {
        "name": author.name,
        "model": author.model,
        "licence": author.licence,
        "runs": "server" if author.endpoint else "file",
        "requests": load.requests.total(),
        "answered": load.stored.total(),
        "open": sum(missing.values()),
        "prompt_characters": load.characters.total(),
        "prompt_tokens": round(prompt),
        "completion_tokens": round(completion),
        "tokens_per_second": round(speed or assumed, 1),
        "measured": speed is not None,
        "hours": round(completion / (speed or assumed) / 3600, 4),
    }


def _length(author: Author, kind: str, known: Tokens | None) -> float:
    if known is not None and known.requests and known.completion:
        return known.completion / known.requests
    return COMPLETION_SHARE * author.max_tokens[kind]


def _prompt_tokens(load: _Load, kind: str, count: int, known: Tokens | None) -> float:
    """As measured; else one token for each character."""
    if known is not None and known.requests and known.prompt:
        return count * known.prompt / known.requests
    return load.characters[kind]


def _hours(rows: Sequence[Mapping[str, Any]]) -> float:
    servers = [row["hours"] for row in rows if row["runs"] == "server"]
    return float(max(servers, default=0.0) + sum(row["hours"] for row in rows if row["runs"] == "file"))


def render_estimate(found: Mapping[str, Any]) -> str:
    """The estimate as lines for people."""
    if not found["requests"]:
        return "The recipe asks for no synthetic text (synth.terms and synth.exams are 0)."
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["requests"].items())
    lines = [f"requests: {kinds}; {found['answered']:,} answered already, {found['open']:,} to ask"]
    for row in found["writers"]:
        how = "measured" if row["measured"] else "assumed; a trial with --limit measures it"
        lines.append(
            f"  {row['name']}: {row['model']} ({row['licence']}), {row['open']:,} of {row['requests']:,} to ask, "
            f"{row['completion_tokens'] / 1e6:,.2f} M tokens at {row['tokens_per_second']:,} a second ({how}): "
            f"{row['hours']:,.1f} h"
        )
    lines.append(
        f"in all: {found['prompt_tokens'] / 1e6:,.2f} M tokens in, {found['completion_tokens'] / 1e6:,.2f} M out, "
        f"{found['hours']:,.1f} h, {found['disk_bytes'] / 2**20:,.0f} MiB of disk"
    )
    return "\n".join(lines)

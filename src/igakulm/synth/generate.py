"""Synthetic textbooks: choose terms, ask the writer model, check, write documents (section 2.1.2).

Does: ask one endpoint about each chosen term once, keep every answer in `logs/responses.sqlite` the moment it arrives,
and turn the kept answers into documents in the order of the terms, so that the same answers give the same bytes.
Does not: word prompts (prompts.py), judge texts (check.py), or talk HTTP (llm.py). With `terms: 0` it contacts nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import Doc, explain_os_error, sha256_json, write_documents, write_json, write_jsonl
from igakulm.llm import Answer, Body, Client, RequestError, ResponseStore, Retry, chat_body, request_key, stored_chat
from igakulm.progress import Progress, Task, track
from igakulm.recipe.schema import SynthSection
from igakulm.synth.check import check_text, clean_answer
from igakulm.synth.prompts import FORMS, Prompt, assign_prompt, draw

SOURCE = "synthetic-textbooks"
FAILURES_IN_A_ROW = {"no_answer": 3, "request_refused": 20}
"""So many failed requests with no answer between them mean that the endpoint, not the request, is at fault."""


@dataclass(frozen=True, slots=True)
class Job:
    """One question: a term, its wording, and the request's body."""

    term: str
    prompt: Prompt
    body: Body

    @property
    def key(self) -> str:
        """The key of the answer in the store."""
        return request_key("chat/completions", self.body)


@dataclass(slots=True)
class _Asking:
    """What went wrong so far; `error` ends the asking."""

    failed: dict[str, RequestError] = field(default_factory=dict)
    in_a_row: int = 0
    error: InputError | None = None

    def fail(self, job: Job, error: RequestError) -> None:
        self.failed[job.key] = error
        self.in_a_row += 1
        if self.in_a_row >= FAILURES_IN_A_ROW[error.reason]:
            self.error = self.error or error


@dataclass(slots=True)
class _Yield:
    """Counts of the finished texts, all of them functions of the answers alone."""

    asked: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    rejected: list[dict[str, str]] = field(default_factory=list)
    characters: int = 0
    tokens: int = 0

    def summary(self, available: int) -> dict[str, Any]:
        reasons = Counter(row["reason"] for row in self.rejected)
        return {
            "terms_available": available,
            "terms": self.asked.total(),
            "documents": self.kept.total(),
            "characters": self.characters,
            "completion_tokens": self.tokens,
            "rejected": dict(sorted(reasons.items())),
        }

    def prompts(self) -> dict[str, dict[str, int]]:
        return {name: {"asked": self.asked[name], "kept": self.kept[name]} for name in sorted(self.asked)}


def generate_textbooks(
    config: SynthSection, lexicon_dir: Path, out_dir: Path, progress: Progress, *, retry: Retry | None = None
) -> dict[str, Any]:
    """Write `documents/*.parquet`, `rejected.jsonl` {term, reason, text} and `yield.json`; return the counts.

    The folder may hold the answers of an earlier, broken run (`logs/responses.sqlite`): none is asked for again.

    Raises:
        InputError: terms are wanted but endpoint, model or licence is missing; `terms.tsv` is missing or malformed; the
            endpoint is down or refuses the work after all retries (finished answers are kept).
    """
    found = _Yield()
    available = 0
    for shard in (out_dir / "documents").glob("*.parquet"):
        shard.unlink()
    if config.terms == 0:
        write_documents(out_dir / "documents", ())
    else:
        endpoint = _checked_endpoint(config)
        terms = read_terms(lexicon_dir / "terms.tsv")
        available = len(terms)
        jobs = [make_job(term, kind, config) for term, kind in select_terms(terms, config.terms, config.seed or 0)]
        with closing(ResponseStore(out_dir / "logs" / "responses.sqlite")) as store:
            failed = _ask_and_log(jobs, endpoint, config, store, out_dir, progress, retry)
            shown = track(progress, jobs, "check the texts", unit="texts")
            write_documents(out_dir / "documents", _documents(shown, failed, config, store, found))
    write_jsonl(out_dir / "rejected.jsonl", found.rejected)
    summary = found.summary(available)
    write_json(out_dir / "yield.json", {**summary, "prompts": found.prompts()})
    return summary


def _checked_endpoint(config: SynthSection) -> str:
    mend = "give the key in the recipe, or set synth.terms to 0 for no synthetic text"
    if not config.endpoint:
        raise InputError("synthetic text needs a server that writes it", where="synth.endpoint", mend=mend)
    if not config.model.strip():
        raise InputError("the model that writes is not named", where="synth.model", mend=mend)
    if not config.licence.strip():
        what = "the terms of use of the writer's texts are not stated, and they travel with every text"
        raise InputError(what, where="synth.licence", mend=mend)
    return config.endpoint


def read_terms(path: Path) -> list[tuple[str, str]]:
    """The lexicon's (term, kind) pairs, each once, in the order of the file.

    Raises:
        InputError: no such file, not UTF-8, columns `term` and `kind` missing, a short row, or an unknown kind.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8", where=f"{path}, byte {error.start}") from error
    except OSError as error:
        raise explain_os_error(error, path) from error
    header = lines[0].rstrip("\r").split("\t")
    if "term" not in header or "kind" not in header:
        raise InputError("the first line must name the columns term and kind", where=f"{path}, line 1")
    at_term, at_kind = header.index("term"), header.index("kind")
    pairs: dict[tuple[str, str], None] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != len(header):
            raise InputError(f"{len(cells)} columns instead of {len(header)}", where=f"{path}, line {number}")
        term, kind = cells[at_term].strip(), cells[at_kind].strip()
        if not term or kind not in FORMS:
            raise InputError(f"a term and a kind ({', '.join(FORMS)}) are needed", where=f"{path}, line {number}")
        pairs[term, kind] = None
    return list(pairs)


def select_terms(terms: Sequence[tuple[str, str]], count: int, seed: int) -> list[tuple[str, str]]:
    """The first `count` terms of a seeded shuffle that depends on each term alone, not on its place in the list.

    More terms with the same seed are a superset, so that answers already paid for stay useful.

    >>> names = [("糖尿病", "disease"), ("喘息", "disease"), ("アスピリン", "drug")]
    >>> select_terms(names, 2, seed=0) == select_terms(names[::-1], 3, seed=0)[:2]
    True
    """
    return sorted(terms, key=lambda pair: (draw(seed, "select", pair[1], pair[0]), pair))[:count]


def make_job(term: str, kind: str, config: SynthSection) -> Job:
    """The question about a term: wording and sampling seed follow from the recipe's seed and the term alone."""
    seed = config.seed or 0
    prompt = assign_prompt(term, kind, seed)
    parameters = {
        "temperature": config.temperature,
        "max_tokens": config.max_tokens,
        "seed": draw(seed, "answer", kind, term) % 2**31,
    }
    return Job(term, prompt, chat_body(config.model, prompt.messages(term, config.max_tokens), parameters))


def _ask_and_log(
    jobs: Sequence[Job],
    endpoint: str,
    config: SynthSection,
    store: ResponseStore,
    out_dir: Path,
    progress: Progress,
    retry: Retry | None,
) -> dict[str, RequestError]:
    """Ask until every job has an answer or a failure; counts and times go to `logs/requests.json`."""
    start = time.monotonic()
    asking = _Asking()

    async def run(task: Task) -> dict[str, int]:
        async with Client(endpoint, store, concurrency=config.concurrency, retry=retry) as client:
            waiting = iter(jobs)
            async with asyncio.TaskGroup() as group:
                for _ in range(config.concurrency):
                    group.create_task(_work(waiting, client, asking, task))
            return client.counts

    with progress.task("write textbooks", len(jobs), "texts") as task:
        counts = asyncio.run(run(task))
    messages = {job.term: asking.failed[job.key].what for job in jobs if job.key in asking.failed}
    seconds = round(time.monotonic() - start, 3)
    write_json(out_dir / "logs" / "requests.json", {**counts, "seconds": seconds, "failed": messages})
    if asking.error is None and jobs and len(asking.failed) == len(jobs):
        asking.error = next(iter(asking.failed.values()))
    if asking.error is not None:
        raise asking.error
    return asking.failed


async def _work(waiting: Iterator[Job], client: Client, asking: _Asking, task: Task) -> None:
    """Take jobs until none is left or the endpoint is at fault; answers on their way are still waited for."""
    for job in waiting:
        try:
            answer = await client.ask_chat(job.body)
        except RequestError as error:
            asking.fail(job, error)
        except InputError as error:
            asking.error = asking.error or error
        else:
            asking.in_a_row = asking.in_a_row if answer.stored else 0
        if asking.error is not None:
            client.give_up()
            return
        task.advance()
        task.note(f"{client.counts['stored']} from the store, {client.counts['failures']} failures")


def _documents(
    jobs: Iterator[Job], failed: dict[str, RequestError], config: SynthSection, store: ResponseStore, found: _Yield
) -> Iterator[Doc]:
    """The kept texts in the order of the jobs; counts and rejected texts go to `found`."""
    for job in jobs:
        answer = stored_chat(store, job.body)
        found.asked[job.prompt.name] += 1
        text = clean_answer(answer.text) if answer is not None else ""
        if answer is None:
            reason: str | None = failed[job.key].reason
        else:
            reason = check_text(text, job.term, answer.finish_reason)
            found.tokens += _completion_tokens(answer)
        if reason is not None:
            found.rejected.append({"term": job.term, "reason": reason, "text": text})
            continue
        found.kept[job.prompt.name] += 1
        found.characters += len(text)
        meta = {
            "kind": "medical",
            "term": job.term,
            "model": config.model,
            "prompt": job.prompt.name,
            "prompt_sha256": sha256_json(job.body["messages"]),
        }
        identifier = f"{SOURCE}-{job.key[:16]}"
        yield Doc(identifier, text, SOURCE, config.licence, json.dumps(meta, ensure_ascii=False))


def _completion_tokens(answer: Answer) -> int:
    """Tokens written, as the server counted them; 0 where it did not."""
    usage = answer.body.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0

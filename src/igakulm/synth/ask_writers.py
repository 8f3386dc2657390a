"""Put the jobs to their writers until each has an answer or has failed; every answer is in the store before it counts.

Does: ask all servers at once, each with its own number of requests, then run the GGUF files one after another; stop
asking a writer that is at fault while the others go on; count. Does not: read the answers (documents.py).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from igakulm.asking.client import Client, RequestError, ResponseStore, Retry
from igakulm.asking.llamacpp_server import serve_gguf
from igakulm.errors import InputError
from igakulm.progress import Bar, Progress
from igakulm.synth.jobs import Job
from igakulm.synth.rates import RateLog, model_name
from igakulm.synth.writers import Author

FAILURES_IN_A_ROW = {"no_answer": 3, "request_refused": 20}
"""So many failed requests with no answer between them mean that the endpoint, not the request, is at fault."""
YIELD_EVERY = 64
"""Answers found in the store after which other tasks have their turn."""


class Jobs(Protocol):
    """The jobs of a writer: how many there are, and one after another, made when they are needed."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Job]: ...


@dataclass(slots=True)
class Asked:
    """What happened: `counts` on the wire by writer, `failed` jobs by key with reason and message."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: InputError | None = None


@dataclass(slots=True)
class _AuthorQueue:
    """One writer at work: `error` ends its asking."""

    author: Author
    waiting: Iterator[Job]
    asked: Asked
    rates: RateLog
    task: Bar
    in_a_row: int = 0
    failures: int = 0
    done: int = 0
    last: RequestError | None = None
    error: InputError | None = None

    def fail(self, job: Job, error: RequestError) -> None:
        self.asked.failed[job.key] = (error.reason, f"{job.term}: {error.what}")
        self.failures += 1
        self.in_a_row += 1
        self.last = error
        if self.in_a_row >= FAILURES_IN_A_ROW[error.reason]:
            self.stop(error)

    def stop(self, error: InputError) -> None:
        self.error = self.error or error

    def answered(self) -> None:
        self.in_a_row = 0
        self.done += 1


@dataclass(frozen=True, slots=True)
class Asker:
    """Where answers go, how patient the clients are, and who is told; `known`: keys of the answers that are there.

    The keys stand in memory, because a look into the store would wait for the group that is being written.
    """

    store: ResponseStore
    rates: RateLog
    progress: Progress
    retry: Retry
    known: set[str]

    def ask(self, work: Sequence[tuple[Author, Jobs]], what: str, unit: str) -> Asked:
        """Ask each author its jobs; what is in the store already is not asked for.

        Raises:
            InputError: a writer's endpoint is down or refuses the work after all retries, the store cannot be written,
                or a GGUF file cannot be loaded. The other servers have then finished; finished answers are kept.
        """
        asked, start, cpu = Asked(), time.monotonic(), time.process_time()
        servers = [(author, jobs) for author, jobs in work if author.endpoint]
        files = [(author, jobs) for author, jobs in work if author.gguf]
        with self.progress.task(what, sum(len(jobs) for _, jobs in work), unit) as task:
            queues = [_AuthorQueue(author, iter(jobs), asked, self.rates, task) for author, jobs in servers]
            asyncio.run(self._ask_all(queues))
            for author, jobs in files:
                queues.append(self._ask_file(author, jobs, asked, task))
        asked.seconds, asked.cpu_seconds = time.monotonic() - start, time.process_time() - cpu
        for queue in queues:
            if queue.error is None and queue.failures and not queue.done:
                queue.error = queue.last
            asked.error = asked.error or queue.error
        return asked

    async def _ask_all(self, queues: Sequence[_AuthorQueue]) -> None:
        async with asyncio.TaskGroup() as group:
            for queue in queues:
                group.create_task(self._ask_at(queue, queue.author.endpoint or ""))

    def _ask_file(self, author: Author, jobs: Jobs, asked: Asked, task: Bar) -> _AuthorQueue:
        """Load the file only if something is missing."""
        assert author.gguf is not None
        queue = _AuthorQueue(author, iter(jobs), asked, self.rates, task)
        if all(job.key in self.known for job in jobs):
            asked.counts.setdefault(author.name, Counter()).update(stored=len(jobs))
            task.advance(len(jobs))
            return queue
        self.progress.say(f"{author.name}: loading {author.gguf}")
        with serve_gguf(author.gguf, author.context_length, slots=author.concurrency) as endpoint:
            asyncio.run(self._ask_at(queue, endpoint))
        return queue

    async def _ask_at(self, queue: _AuthorQueue, endpoint: str) -> None:
        author = queue.author
        client = Client(
            endpoint,
            self.store,
            concurrency=author.concurrency,
            retry=self.retry,
            revision=author.revision,
            key_variable=author.key_variable,
        )
        async with client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(author.concurrency):
                        group.create_task(self._work(queue, client))
            finally:
                self.rates.end(model_name(author.model, author.revision))
                counts = queue.asked.counts.setdefault(author.name, Counter())
                counts.update(client.counts)
        if queue.error is not None:
            self.progress.say(f"{author.name} is given up: {queue.error.what}")

    async def _work(self, queue: _AuthorQueue, client: Client) -> None:
        """Take jobs until none is left or the endpoint is at fault; answers on their way are still waited for."""
        name = model_name(queue.author.model, queue.author.revision)
        for place, job in enumerate(queue.waiting):
            try:
                if job.key in self.known:
                    client.counts["stored"] += 1
                    queue.done += 1
                    if place % YIELD_EVERY == 0:
                        await asyncio.sleep(0)
                else:
                    self.rates.begin(name)
                    answer = await client.ask_chat(job.body, new_key=job.key)
                    self.known.add(job.key)
                    self.rates.add(name, job.kind, answer)
                    queue.answered()
            except RequestError as error:
                queue.fail(job, error)
                queue.task.note(f"{len(queue.asked.failed)} failed")
            except InputError as error:
                queue.stop(error)
            if queue.error is not None:
                client.give_up()
                return
            queue.task.advance()

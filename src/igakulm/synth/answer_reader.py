"""What an answer is read with, and what becomes of it.

Does: look up the stored answer of a job, give a kept text its provenance. Does not: know kinds of text (documents.py,
exam_documents.py), judge (check.py), ask (ask_writers.py), or write files (generate.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from igakulm.asking.client import Answer, ResponseStore, stored_answer
from igakulm.files import Doc, sha256_json
from igakulm.recipe.schema import SynthSection
from igakulm.synth.jobs import Job
from igakulm.synth.writers import Author
from igakulm.synth.yields import Yield
from igakulm.tasks.personal_data import Deidentifiers

CheckInSet = Callable[[str], str | None]
"""The reason why a text may not stand beside those before it, or None; it remembers the texts that may."""

SOURCES = {"textbook": "synthetic-textbooks", "exam": "synthetic-exams"}
NOT_SHOWN = ("model", "messages", "response_format")
"""Keys of a request that are no parameters of the sampling: they stand in the provenance by name or hash."""


@dataclass(frozen=True, slots=True)
class Result:
    """One finished job: a document (with the row of an exam item), or a reason and the text that it is about."""

    job: Job
    document: Doc | None = None
    row: dict[str, Any] | None = None
    reason: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers. `failed`: jobs without an answer by key, with reason and message; `personal`: source -> what took
    personal data out of its texts, with counts.
    """

    config: SynthSection
    authors: Mapping[str, Author]
    store: ResponseStore
    failed: Mapping[str, tuple[str, str]]
    found: Yield
    check_in_set: CheckInSet
    personal: Deidentifiers = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return self.config.seed or 0

    def answer(self, job: Job) -> Answer | None:
        """The stored answer to a job."""
        return stored_answer(self.store, job.key)

    def document(self, job: Job, text: str) -> Doc:
        """The document of a kept text."""
        author = self.authors[job.writer]
        meta = {
            "kind": "medical",
            "term": job.term,
            **author.provenance,
            "prompt": job.prompt_name,
            "prompt_sha256": sha256_json(job.body["messages"]),
            "parameters": {name: value for name, value in job.body.items() if name not in NOT_SHOWN},
        }
        source = SOURCES[job.kind]
        return Doc(f"{source}-{job.key[:16]}", text, source, author.licence, json.dumps(meta, ensure_ascii=False))

"""Answers into exam items: read, with the options in a seeded order, verified by a second model, made into documents.

Does: put together what exams.py, exam_checks.py and verify.py know. Does not: judge by itself, or ask anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from igakulm.asking.client import Answer, ResponseStore, stored_chat
from igakulm.synth.answer_reader import SOURCES, Reader, Result
from igakulm.synth.check import clean_answer
from igakulm.synth.exam_checks import check_item
from igakulm.synth.exams import ExamItem, exam_row, parse_exam, render_exam, shuffle_options
from igakulm.synth.jobs import Assignment, Job, item_seed, make_job, make_verify_job
from igakulm.synth.personal_data import item_without
from igakulm.synth.verify import agrees, parse_verdict
from igakulm.synth.writers import Author

CUT_OFF = ("length", "max_tokens")


def read_item(assignment: Assignment, answer: Answer, seed: int) -> ExamItem | str:
    """The item of an answer with its options in an order by seed, or the reason why there is none."""
    item = parse_exam(answer.text)
    if isinstance(item, str):
        # Half a JSON object is malformed because the limit of tokens ended it.
        return "cut_off" if item == "malformed_item" and answer.finish_reason in CUT_OFF else item
    item = shuffle_options(item, item_seed(assignment, seed))
    return check_item(item, assignment.term, answer.finish_reason) or item


def read_exam(reader: Reader, assignment: Assignment, job: Job, answer: Answer) -> Result:
    """The item as a document and as a row, or the reason against it."""
    item = read_item(assignment, answer, reader.seed)
    if isinstance(item, str):
        return Result(job, reason=item, text=clean_answer(answer.text))
    reason = _verdict(reader, assignment, item)
    if reason is None:
        item = item_without(item, SOURCES[job.kind], reader.config.personal_data, reader.personal)
        reason = check_item(item, assignment.term, answer.finish_reason)  # two options may have become one
    text = render_exam(item)
    reason = reason or reader.check_in_set(text)
    if reason is not None:
        return Result(job, reason=reason, text=text)
    if len(item.answer) == 1:
        reader.found.positions[item.answer[0]] += 1
        reader.found.written[(item.written or item.answer)[0]] += 1
    document = reader.document(job, text)
    row = {**exam_row(item), "document": document.id, "licence": document.licence, "meta": json.loads(document.meta)}
    return Result(job, document, row)


def _verdict(reader: Reader, assignment: Assignment, item: ExamItem) -> str | None:
    """Look up the second model's answer; `verification` if it disagrees and such items are dropped."""
    verifier = reader.authors.get(reader.config.verifier or "")
    if verifier is None:
        return None
    if verifier.name == assignment.writer:
        reader.found.verified["own"] += 1
        return None
    answer = reader.answer(make_verify_job(assignment, item, verifier, reader.seed))
    letters = parse_verdict(answer.text) if answer is not None else None
    if letters is None:
        reader.found.verified["unreadable" if answer is not None else "no_answer"] += 1
        return None
    same = agrees(item, letters)
    reader.found.verified["agrees" if same else "disagrees"] += 1
    return None if same or not reader.config.drop_disagreements else "verification"


@dataclass(frozen=True, slots=True)
class VerifyJobs:
    """The questions to the verifier about every readable item that another writer wrote."""

    assignments: Sequence[Assignment]
    authors: Mapping[str, Author]
    store: ResponseStore
    verifier: Author
    seed: int

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Job]:
        for assignment in self.assignments:
            if assignment.kind != "exam" or assignment.writer == self.verifier.name:
                continue
            job = make_job(assignment, self.authors, self.seed)
            answer = stored_chat(self.store, job.body, self.authors[job.writer].revision)
            item = read_item(assignment, answer, self.seed) if answer is not None else ""
            if not isinstance(item, str):
                yield make_verify_job(assignment, item, self.verifier, self.seed)

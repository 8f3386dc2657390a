"""Answers into documents: textbook texts that pass the checks, with their provenance; the rest with the reason.

Does: read the stored answers in the order of the plan, have them judged, and hand out one result after another.
Does not: know what an exam item is (exam_documents.py), judge (check.py), ask (ask_writers.py), write (generate.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from igakulm.asking.client import Answer
from igakulm.synth.answer_reader import SOURCES, Reader, Result
from igakulm.synth.check import check_text, clean_answer
from igakulm.synth.exam_documents import read_exam
from igakulm.synth.jobs import Assignment, Job, make_job
from igakulm.synth.personal_data import text_without

NO_ANSWER = "no_answer"


def read_answers(reader: Reader, assignments: Iterable[Assignment]) -> Iterator[Result]:
    """One result for each assignment, in their order; counts go to `reader.found`."""
    for assignment in assignments:
        job = make_job(assignment, reader.authors, reader.seed)
        answer = reader.answer(job)
        reader.found.asked(job, answer)
        if answer is None:
            reason = reader.failed.get(job.key, (NO_ANSWER, ""))[0]
            result = Result(job, reason=reason)
        else:
            result = _read(reader, assignment, job, answer)
        if result.document is not None:
            reader.found.kept(job, result.document.text)
        else:
            reader.found.rejected(job, result.reason or "")
        yield result


def _read(reader: Reader, assignment: Assignment, job: Job, answer: Answer) -> Result:
    if job.kind == "exam":
        return read_exam(reader, assignment, job, answer)
    text = clean_answer(answer.text)
    reason = check_text(text, job.term, answer.finish_reason)
    if reason is None:
        text = text_without(text, SOURCES[job.kind], reader.config.personal_data, reader.personal)
        reason = reader.check_in_set(text)
    if reason is not None:
        return Result(job, reason=reason, text=text)
    return Result(job, reader.document(job, text))

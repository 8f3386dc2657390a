"""The plan of requests: which term is asked about, in which words, of which writer, with which seed.

Does: read the lexicon's terms, choose from them, and make each request's body and key from the seed and the term alone,
so that more terms, more writers or another order of the list keep the answers that are already paid for.
Does not: word prompts (prompts.py, exams.py, verify.py), or ask anybody (ask_writers.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.asking.client import Body, chat_body, request_key
from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.recipe.schema import SynthSection
from igakulm.synth.exams import ExamItem, exam_prompt
from igakulm.synth.prompts import FORMS, Prompt, draw, textbook
from igakulm.synth.verify import verify_prompt
from igakulm.synth.writers import Author, Kind, choose_author

ROUTE = "chat/completions"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One text to be written, before its words are made: light enough to hold a hundred thousand."""

    kind: Kind
    term: str
    term_kind: str
    writer: str
    style: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One request. `key` is the answer's key in the store, `prompt_name` the wording's name in reports."""

    kind: Kind
    term: str
    term_kind: str
    style: str
    writer: str
    prompt_name: str
    body: Body
    key: str


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


def select_terms(terms: Sequence[tuple[str, str]], count: int, seed: int, use: str = "select") -> list[tuple[str, str]]:
    """The first `count` terms of a seeded shuffle that depends on each term alone, not on its place in the list.

    More terms with the same seed are a superset, so that answers already paid for stay useful.

    >>> names = [("糖尿病", "disease"), ("喘息", "disease"), ("アスピリン", "drug")]
    >>> select_terms(names, 2, seed=0) == select_terms(names[::-1], 3, seed=0)[:2]
    True
    """
    return sorted(terms, key=lambda pair: (draw(seed, use, pair[1], pair[0]), pair))[:count]


def plan(config: SynthSection, authors: Mapping[str, Author], terms: Sequence[tuple[str, str]]) -> list[Assignment]:
    """All texts and exam items of a recipe in the order in which their documents are written.

    More exam items than terms go through the terms again, with other draws each time.
    """
    seed = config.seed or 0
    by_kind = {
        kind: [author for author in authors.values() if author.weight > 0 and kind in author.kinds]
        for kind in ("textbook", "exam")
    }
    found = []
    for term, kind in select_terms(terms, config.terms, seed):
        author = choose_author(by_kind["textbook"], seed, "textbook", kind, term)
        found.append(Assignment("textbook", term, kind, author.name))
    shuffled = select_terms(terms, config.exams, seed, "select-exam")
    for place in range(config.exams if shuffled else 0):
        number, within = divmod(place, len(shuffled))
        term, kind = shuffled[within]
        parts = ("exam", kind, term, str(number))
        style = config.exam_styles[draw(seed, "style", *parts) % len(config.exam_styles)]
        author = choose_author(by_kind["exam"], seed, *parts)
        found.append(Assignment("exam", term, kind, author.name, style, number))
    return found


def make_job(assignment: Assignment, authors: Mapping[str, Author], seed: int) -> Job:
    """The request of an assignment: wording and sampling seed follow from the recipe's seed and the term alone."""
    author = authors[assignment.writer]
    term, kind = assignment.term, assignment.term_kind
    if assignment.kind == "textbook":
        prompt = textbook(term, kind, seed, author.max_tokens["textbook"])
        return _job(assignment, author, prompt, draw(seed, "answer", kind, term))
    own = item_seed(assignment, seed)
    prompt = exam_prompt(term, kind, assignment.style, own)
    return _job(assignment, author, prompt, draw(own, "answer"))


def item_seed(assignment: Assignment, seed: int) -> int:
    """The seed of everything about one exam item: wording, sampling, order of the options."""
    return draw(seed, "exam", assignment.style, str(assignment.number), assignment.term_kind, assignment.term)


def make_verify_job(assignment: Assignment, item: ExamItem, verifier: Author, seed: int) -> Job:
    """The request to answer an exam item without its key."""
    own = item_seed(assignment, seed)
    asked = Assignment("verify", assignment.term, assignment.term_kind, verifier.name, assignment.style)
    return _job(asked, verifier, verify_prompt(item, own), draw(own, "verify"))


def _job(assignment: Assignment, author: Author, prompt: Prompt, sampling: int) -> Job:
    parameters: dict[str, Any] = {
        **author.parameters,
        # An examinee does not guess: the verifier takes the likeliest answer.
        "temperature": 0.0 if assignment.kind == "verify" else author.temperature,
        "max_tokens": author.max_tokens[assignment.kind],
        "seed": sampling % 2**31,
    }
    if prompt.schema is not None and author.structured:
        named = {"name": assignment.kind, "strict": True, "schema": prompt.schema}
        parameters["response_format"] = {"type": "json_schema", "json_schema": named}
    body = chat_body(author.model, prompt.messages, parameters)
    return Job(
        assignment.kind,
        assignment.term,
        assignment.term_kind,
        assignment.style,
        author.name,
        prompt.name,
        body,
        request_key(ROUTE, body, author.revision),
    )

"""The lexicon stage: disease and drug names of every list in one table.

Does: drop duplicates, select by kind, confidence, frequency and number, write and read terms.tsv.
Does not: know the layouts of lists (term_lists.py), fetch them, build MeCab dictionaries or prompts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import write_text
from igakulm.progress import Progress
from igakulm.recipe.schema import LexiconSection, TermList
from igakulm.synth.term_lists import Term, kind_of, read_list, read_text

TERMS_FILE = "terms.tsv"
CONFIDENCE = ("S", "A", "B", "C", "D", "E", "F")
"""Manbyo's levels, the best first."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LEVELS = {"高": 3.0, "中": 2.0, "低": 1.0}


def build_lexicon(config: LexiconSection, out_dir: Path, progress: Progress) -> dict[str, object]:
    """Read every list of the recipe and write `terms.tsv` (columns: the fields of `Term`).

    The first of two equal names of one kind is kept; its empty fields are filled from the later ones. Names shorter
    than `min_characters` or longer than `max_characters` are left out and counted; then the recipe's selection is made
    (`select`).

    Returns:
        Number of terms by kind, and for each list the rows read and what became of them.

    Raises:
        InputError: a list is missing or unreadable, or lacks a column.
    """
    chosen, summary = collect(config, progress)
    write_terms(out_dir / TERMS_FILE, chosen)
    return summary


def collect(config: LexiconSection, progress: Progress) -> tuple[list[Term], dict[str, Any]]:
    """The chosen terms of all lists, and the counts that `build_lexicon` returns."""
    seen: dict[tuple[str, str], Term] = {}
    lists = []
    for term_list in config.lists:
        counts = {"rows": 0, "kept": 0, "duplicate": 0, "too_short": 0, "too_long": 0}
        with progress.task(f"names of {term_list.source}", None, "names") as task:
            for term in read_list(term_list):
                counts["rows"] += 1
                counts[_add(term, seen, config)] += 1
                task.advance()
        lists.append({"source": term_list.source, "licence": term_list.licence, "kind": term_list.kind, **counts})
    chosen = select(list(seen.values()), config)
    kinds = [term.kind for term in chosen]
    return chosen, {
        "terms": len(kinds),
        "diseases": kinds.count("disease"),
        "drugs": kinds.count("drug"),
        "not_selected": len(seen) - len(chosen),
        "lists": lists,
    }


def build_table(
    sources: Sequence[Path], licences: Sequence[str], out: Path, progress: Progress, **selection: Any
) -> dict[str, Any]:
    """One table of the given lists (of drugs where a list is laid out as the drug price list, else of diseases).

    Args:
        sources: files; the name of each becomes the `source` of its terms.
        licences: one for each source, or none.
        out: the table, as terms.tsv.
        progress: shows what is done.
        selection: keys of `LexiconSection` other than `lists`.

    Raises:
        InputError: as `build_lexicon`; or another number of licences than of sources.
    """
    if licences and len(licences) != len(sources):
        raise InputError(
            f"{len(licences)} licences were given for {len(sources)} sources",
            where="--licence",
            hint="give one for each --source, in the same order",
        )
    stated = licences or ["not stated"] * len(sources)
    lists = tuple(
        TermList(path=str(path), kind=kind_of(path), source=path.name, licence=licence)
        for path, licence in zip(sources, stated, strict=True)
    )
    terms, summary = collect(LexiconSection(lists=lists, **selection), progress)
    write_terms(out, terms)
    return summary


def select(terms: Sequence[Term], config: LexiconSection) -> list[Term]:
    """The terms that the recipe wants, in their order.

    A disease without a level of confidence or frequency fails a minimum of it; drugs have neither and always pass.
    `max_terms` takes of each kind the most confident names, of equal ones the most frequent, then the first.
    """
    wanted = [term for term in terms if (not config.kinds or term.kind in config.kinds) and _reaches(term, config)]
    if config.max_terms is None:
        return wanted
    chosen: set[int] = set()
    for kind in ("disease", "drug"):
        places = [place for place, term in enumerate(wanted) if term.kind == kind]
        places.sort(key=lambda place: (_rank(wanted[place]), -(_frequency(wanted[place]) or 0.0)))
        chosen.update(places[: config.max_terms])
    return [term for place, term in enumerate(wanted) if place in chosen]


def _reaches(term: Term, config: LexiconSection) -> bool:
    if term.kind == "drug":
        return True
    if config.min_confidence is not None and _rank(term) > CONFIDENCE.index(config.min_confidence):
        return False
    frequency = _frequency(term)
    return config.min_frequency is None or (frequency is not None and frequency >= config.min_frequency)


def _rank(term: Term) -> int:
    """Place in `CONFIDENCE`; a name without a level stands behind all."""
    return CONFIDENCE.index(term.confidence) if term.confidence in CONFIDENCE else len(CONFIDENCE)


def _frequency(term: Term) -> float | None:
    """The number that a frequency begins with (1957360, or 95 of 95-100%), or that of a level in words."""
    found = _NUMBER.match(term.frequency)
    return float(found[0]) if found else _LEVELS.get(term.frequency)


def _add(term: Term, seen: dict[tuple[str, str], Term], config: LexiconSection) -> str:
    if len(term.term) < config.min_characters:
        return "too_short"
    if len(term.term) > config.max_characters:
        return "too_long"
    known = seen.setdefault((term.term, term.kind), term)
    if known is term:
        return "kept"
    seen[term.term, term.kind] = _filled(known, term)
    return "duplicate"


def _filled(known: Term, other: Term) -> Term:
    """`known` with its empty fields from `other`, whose source and licence are then named too."""
    empty = [field.name for field in fields(Term) if not getattr(known, field.name) and getattr(other, field.name)]
    changes = {name: getattr(other, name) for name in empty}
    if changes:
        for name in ("source", "licence"):
            known_values = getattr(known, name).split("; ")
            if getattr(other, name) not in known_values:
                changes[name] = "; ".join([*known_values, getattr(other, name)])
    return replace(known, **changes)


def write_terms(path: Path, terms: Sequence[Term]) -> None:
    """Write terms as a tab-separated table with a header."""
    lines = ["\t".join(field.name for field in fields(Term))]
    lines += ["\t".join(astuple(term)) for term in terms]
    write_text(path, "\n".join(lines) + "\n")


def read_terms(folder: Path) -> list[Term]:
    """Read `terms.tsv` of a lexicon's folder.

    Raises:
        InputError: it is missing or is no table of terms.
    """
    path = folder / TERMS_FILE
    rows = [line.split("\t") for line in read_text(path).split("\n") if line]
    names = [field.name for field in fields(Term)]
    if not rows or rows[0] != names:
        raise InputError("this is not a table of terms", where=str(path), hint="build the lexicon again")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise InputError(f"{len(row)} columns instead of {len(names)}", where=f"{path}, line {number}")
    return [Term(*row) for row in rows[1:]]

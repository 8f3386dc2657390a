"""Text that many documents share: boiler-plate lines of a site, and sentences that an earlier document has already.

Does: hash the lines and sentences of a batch of documents (`mark`, in any process), decide over all of them (`decide`),
and take the repeated ones out (`strip_repeated`, in any process). Does not: read, write, or drop a document by itself.

How the three are used, the result being the same for any batches of the same documents:

    marks = [mark(texts, sites, config) for texts, sites in batches]   # first pass; sites from `site_of`
    repeats = decide(marks, alive, config)   # alive[i]: document i is no duplicate and no benchmark text
    for texts, sites, numbers in batches:    # second pass; numbers: the places of these documents among all marked
        for stripped in strip_repeated(texts, sites, numbers, repeats, config):
            reason = boilerplate_reason(stripped, filters)   # None = the document stays, as stripped.text

Units are compared by their letters and digits. What is taken out is
1. a line that `boilerplate_documents` documents of one site and `boilerplate_share` of all of them have: everywhere;
2. a line of `sentence_min_characters` and more that an earlier document, or the same document before, has;
3. `sentence_run` and more such sentences in a row. A single sentence stays in its paragraph: prose is not torn.
A line may go from its first document too if that document ends up dropped for being too short.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from igakulm.recipe.schema import Filters, RepeatedText
from igakulm.text.characters import SEPARATOR
from igakulm.text.mapped import codes_of
from igakulm.text.ngrams import BASE, Hashes, compared, spread

_PARTS = 64  # hashes are compared in so many parts, so that memory does not double
_ENDS, _CLOSERS = 1, 2


def site_of(source: str, meta: str, config: RepeatedText) -> str:
    """The site of a document: the host of `url` in its metadata, or else its source if the recipe says so, or "".

    >>> site_of("web", '{"url": "https://www.Example.jp:8080/a?b"}', RepeatedText())
    'example.jp'
    >>> site_of("notes", "{}", RepeatedText()), site_of("notes", "{}", RepeatedText(source_as_site=True))
    ('', 'source notes')
    """
    if '"url"' in meta:
        try:
            host = urlsplit(str(json.loads(meta).get("url") or "")).hostname
        except ValueError:
            host = None
        if host:
            return host.removeprefix("www.")
    return f"source {source}" if config.source_as_site else ""


class Marks(NamedTuple):
    """Hashes of the lines and sentences of consecutive documents; plain arrays, to be saved or sent as they are.

    `sites` (uint64) has one value a document, 0 without a site. `lines` are hashes of site and line, `sentences` of
    sentences and long lines, both sorted, each once a document; `line_documents` and `sentence_documents` (int32) are
    the documents they belong to, counted from 0 in this batch.
    """

    sites: Hashes
    lines: Hashes
    line_documents: NDArray[np.int32]
    sentences: Hashes
    sentence_documents: NDArray[np.int32]


class _Units(NamedTuple):
    """Lines or sentences: text[starts[i]:ends[i]] of the joined batch, without the newline after a line."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sizes: NDArray[np.int64]
    hashes: Hashes
    documents: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> _Units:
        """Those where `kept` is true."""
        return _Units(self.starts[kept], self.ends[kept], self.sizes[kept], self.hashes[kept], self.documents[kept])


def mark(texts: Sequence[str], sites: Sequence[str], config: RepeatedText) -> Marks:
    """Hash the units of cleaned documents that could be repeated; `sites` has one name a document (`site_of`)."""
    site_hashes = _site_hashes(sites)
    none = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    if not texts or not (config.boilerplate or config.sentences):
        return Marks(site_hashes, *none, *none)
    lines, sentences = _units(texts)
    site_lines = _each_once(_site_lines(lines, site_hashes, config)) if config.boilerplate else none
    long_units = _each_once(*_long(lines, sentences, config)) if config.sentences else none
    return Marks(site_hashes, *site_lines, *long_units)


def _site_lines(lines: _Units, site_hashes: Hashes, config: RepeatedText) -> _Units:
    """Lines long enough, of documents with a site; the hash is of both."""
    of_site = site_hashes[lines.documents]
    kept = (lines.sizes >= config.boilerplate_min_characters) & (of_site != 0)
    return lines.only(kept)._replace(hashes=spread(lines.hashes[kept] + of_site[kept]))


def _long(lines: _Units, sentences: _Units, config: RepeatedText) -> tuple[_Units, _Units]:
    return (
        lines.only(lines.sizes >= config.sentence_min_characters),
        sentences.only(sentences.sizes >= config.sentence_min_characters),
    )


def _each_once(*units: _Units) -> tuple[Hashes, NDArray[np.int32]]:
    """Hashes with their documents, sorted by both, without repeats."""
    hashes = np.concatenate([one.hashes for one in units])
    documents = np.concatenate([one.documents for one in units]).astype(np.int32)
    order = np.lexsort((documents, hashes))
    hashes, documents = hashes[order], documents[order]
    if hashes.size:
        new = np.concatenate(([True], (hashes[1:] != hashes[:-1]) | (documents[1:] != documents[:-1])))
        hashes, documents = hashes[new], documents[new]
    return hashes, documents


def _site_hashes(sites: Sequence[str]) -> Hashes:
    known: dict[str, int] = {"": 0}
    for site in sites:
        if site not in known:
            codes = codes_of(site).astype(np.uint64)
            known[site] = int(_segment_hashes(codes, np.zeros(1, np.int64), np.array([codes.size]))[0]) | 1
    return np.fromiter((known[site] for site in sites), np.uint64, len(sites))


# ---- units of a batch


def _units(texts: Sequence[str]) -> tuple[_Units, _Units]:
    """Lines and sentences of a batch; the documents are joined by one separator."""
    codes = codes_of(SEPARATOR.join(texts))
    letters = compared()[codes]
    kept = letters != 0
    before = np.concatenate(([0], np.cumsum(kept)))  # letters before each position
    values = spread(letters[kept].astype(np.uint64))
    breaks = (codes == ord("\n")) | (codes == ord(SEPARATOR))
    document_ends = np.cumsum(np.fromiter((len(text) + 1 for text in texts), np.int64, len(texts)))
    line_ends = np.append(np.flatnonzero(breaks), codes.size)
    lines = _bounded(np.concatenate(([0], line_ends[:-1] + 1)), line_ends, before, values, document_ends)
    stops = np.flatnonzero(_sentence_ends(codes)) + 1
    cuts = np.union1d(stops, np.concatenate((line_ends, line_ends[:-1] + 1)))
    starts = np.concatenate(([0], cuts[:-1]))
    inside = (cuts > starts) & ~(breaks[starts.clip(max=codes.size - 1)] if codes.size else np.ones(1, bool))
    return lines, _bounded(starts[inside], cuts[inside], before, values, document_ends)


def _sentence_ends(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """The last character of each sentence: 。!? with the quote or bracket that closes behind it."""
    table = _sentence_marks()
    kinds = table[np.minimum(codes, table.size - 1)]
    ends = (kinds & _ENDS) > 0
    after_end = np.zeros_like(ends)
    after_end[1:] = ends[:-1] & ((kinds[1:] & _CLOSERS) > 0)
    goes_on = np.zeros_like(ends)
    goes_on[:-1] = kinds[1:] > 0
    found: NDArray[np.bool_] = (ends | after_end) & ~goes_on
    return found


@lru_cache
def _sentence_marks() -> NDArray[np.uint8]:
    table = np.zeros(0x3100, np.uint8)
    table[[ord(character) for character in "。!?"]] = _ENDS
    table[[ord(character) for character in "」』)】〉》"]] = _CLOSERS
    return table


def _bounded(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    before: NDArray[np.int64],
    values: Hashes,
    document_ends: NDArray[np.int64],
) -> _Units:
    first, last = before[starts], before[ends]
    return _Units(
        starts,
        ends,
        last - first,
        _segment_hashes(values, first, last),
        np.searchsorted(document_ends, starts, side="right"),
    )


def _segment_hashes(values: Hashes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Hashes:
    """Polynomial hash of values[start:end] for each segment, from one running sum; it does not depend on the place."""
    powers, inverse = _powers(1 << int(values.size).bit_length())
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(values * powers[: values.size], dtype=np.uint64)))
    sizes = (ends - starts).astype(np.uint64)
    return spread((sums[ends] - sums[starts]) * inverse[starts] + sizes)


@lru_cache(maxsize=1)
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Powers of the base, and of its inverse modulo 2^64, from exponent 0."""

    def row(base: int) -> Hashes:
        values = np.full(count, base, np.uint64)
        values[0] = 1
        return np.multiply.accumulate(values)

    return row(BASE), row(pow(BASE, -1, 1 << 64))


# ---- the decision over all documents


@dataclass(frozen=True)
class Repeats:
    """What `strip_repeated` takes out.

    `lines` are hashes of site and line, sorted. `sentences` are hashes of units that several documents have, sorted,
    and `first` (int64) the number of the earliest document of each.
    """

    lines: Hashes
    sentences: Hashes
    first: NDArray[np.int64]


def decide(marks: Sequence[Marks], alive: NDArray[np.bool_], config: RepeatedText) -> Repeats:
    """Decide what is repeated; documents that are not `alive` (one value a document) neither count nor keep anything.

    Memory beside the marks: 8 bytes a document, and a part of the hashes at a time.
    """
    starts = np.cumsum([0, *(one.sites.size for one in marks)])
    sites = np.concatenate([one.sites for one in marks]) if marks else np.zeros(0, np.uint64)
    if alive.shape != sites.shape:
        raise ValueError(f"{sites.size} documents are marked, but {alive.size} are judged")
    names, counts = np.unique(sites[alive], return_counts=True)
    lines: list[Hashes] = [np.zeros(0, np.uint64)]
    sentences: list[Hashes] = [np.zeros(0, np.uint64)]
    first: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for group in _groups([(one.lines, one.line_documents) for one in marks], starts, alive):
        of_site = counts[np.searchsorted(names, sites[group.first])]
        needed = np.maximum(config.boilerplate_documents, np.ceil(config.boilerplate_share * of_site - 1e-9))
        lines.append(group.hashes[group.counts >= needed])
    for group in _groups([(one.sentences, one.sentence_documents) for one in marks], starts, alive):
        several = group.counts > 1
        sentences.append(group.hashes[several])
        first.append(group.first[several])
    return Repeats(np.concatenate(lines), np.concatenate(sentences), np.concatenate(first))


class _Group(NamedTuple):
    """Different hashes in one range, the documents that have each, and the first of those."""

    hashes: Hashes
    counts: NDArray[np.int64]
    first: NDArray[np.int64]


def _groups(
    columns: Sequence[tuple[Hashes, NDArray[np.int32]]], starts: NDArray[np.int64], alive: NDArray[np.bool_]
) -> Iterator[_Group]:
    """The hashes of all batches in ascending ranges; hashes are spread evenly, so that the ranges are alike."""
    borders = np.arange(1, _PARTS, dtype=np.uint64) * np.uint64((1 << 64) // _PARTS)
    cuts = [np.concatenate(([0], np.searchsorted(hashes, borders), [hashes.size])) for hashes, _ in columns]
    for part in range(_PARTS):
        slices = [slice(cut[part], cut[part + 1]) for cut in cuts]
        chosen = [hashes[piece] for (hashes, _), piece in zip(columns, slices, strict=True)]
        if not chosen:
            return
        values = np.concatenate(chosen)
        documents = np.concatenate(
            [numbers[piece] + start for (_, numbers), piece, start in zip(columns, slices, starts, strict=False)]
        )
        living = alive[documents]
        values, documents = values[living], documents[living]
        if values.size:
            order = np.argsort(values, kind="stable")  # so that the first of equal hashes is the earliest document
            unique, places, counts = np.unique(values[order], return_index=True, return_counts=True)
            yield _Group(unique, counts, documents[order][places])


# ---- taking out


class Stripped(NamedTuple):
    """A document without what was repeated, and how many characters went as boiler-plate and as repeated sentences."""

    text: str
    boilerplate: int = 0
    repeated: int = 0


def boilerplate_reason(stripped: Stripped, filters: Filters) -> tuple[str, str] | None:
    """Reason code and detail if too little is left of a document.

    >>> boilerplate_reason(Stripped("熱が出た。", 120, 30), Filters())
    ('boilerplate', '5 characters are left without 120 of boiler-plate and 30 of repeated sentences')
    >>> boilerplate_reason(Stripped("熱が出た。"), Filters()) is None
    True
    """
    gone = stripped.boilerplate + stripped.repeated
    if not gone or len(stripped.text) >= max(filters.min_characters, 1):
        return None
    return "boilerplate", (
        f"{len(stripped.text)} characters are left without {stripped.boilerplate} of boiler-plate"
        f" and {stripped.repeated} of repeated sentences"
    )


def strip_repeated(
    texts: Sequence[str], sites: Sequence[str], numbers: Sequence[int], repeats: Repeats, config: RepeatedText
) -> list[Stripped]:
    """Take out what `decide` found; `numbers` are the places of these documents among all (ascending or not)."""
    stripped = [Stripped(text) for text in texts]
    if not texts or not (config.boilerplate or config.sentences):
        return stripped
    lines, sentences = _units(texts)
    boilerplate = _is_boilerplate(lines, _site_hashes(sites), repeats, config)
    places = np.array(numbers, np.int64)
    line_repeats = _is_repeated(lines, places, repeats, config) & ~boilerplate
    runs = _in_runs(sentences, _is_repeated(sentences, places, repeats, config), config.sentence_run)
    offsets = np.concatenate(([0], np.cumsum([len(text) + 1 for text in texts])))
    touched = np.unique(np.concatenate((lines.documents[boilerplate | line_repeats], sentences.documents[runs])))
    for document in touched.tolist():
        span = slice(*np.searchsorted(lines.documents, (document, document + 1)))
        part = slice(*np.searchsorted(sentences.documents, (document, document + 1)))
        gone = np.zeros(len(texts[document]) + 1, np.uint8)
        start = offsets[document]
        for units, chosen, code in (
            (sentences, np.flatnonzero(runs[part]) + part.start, 2),
            (lines, np.flatnonzero(line_repeats[span]) + span.start, 2),
            (lines, np.flatnonzero(boilerplate[span]) + span.start, 1),
        ):
            for unit in chosen.tolist():
                gone[units.starts[unit] - start : units.ends[unit] - start] = code
        stripped[document] = _without(texts[document], gone)
    return stripped


def _without(text: str, gone: NDArray[np.uint8]) -> Stripped:
    """The text without the characters that are marked 1 (boiler-plate) or 2 (repeated); no empty line is left."""
    codes = codes_of(text)
    left = codes[gone[:-1] == 0].tobytes().decode("utf-32-le", "surrogatepass")
    kept = "\n".join(line for line in (line.strip(" ") for line in left.split("\n")) if line)
    return Stripped(kept, int((gone == 1).sum()), int((gone == 2).sum()))


def _found(values: Hashes, known: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Which values are among `known` (sorted), and where."""
    if not known.size:
        return np.zeros(values.size, bool), np.zeros(values.size, np.intp)
    rows = np.minimum(np.searchsorted(known, values), known.size - 1)
    return known[rows] == values, rows


def _is_boilerplate(lines: _Units, site_hashes: Hashes, repeats: Repeats, config: RepeatedText) -> NDArray[np.bool_]:
    found = np.zeros(lines.sizes.size, bool)
    if config.boilerplate:
        of_site = site_hashes[lines.documents]
        asked = np.flatnonzero((lines.sizes >= config.boilerplate_min_characters) & (of_site != 0))
        found[asked] = _found(spread(lines.hashes[asked] + of_site[asked]), repeats.lines)[0]
    return found


def _is_repeated(
    units: _Units, numbers: NDArray[np.int64], repeats: Repeats, config: RepeatedText
) -> NDArray[np.bool_]:
    """Units that an earlier document has, or the same document before."""
    repeated = np.zeros(units.sizes.size, bool)
    if config.sentences:
        asked = np.flatnonzero(units.sizes >= config.sentence_min_characters)
        hashes, documents = units.hashes[asked], units.documents[asked]
        found, rows = _found(hashes, repeats.sentences)
        if repeats.first.size:
            found &= repeats.first[rows] < numbers[documents]
        order = np.lexsort((asked, hashes, documents))
        again = (documents[order][1:] == documents[order][:-1]) & (hashes[order][1:] == hashes[order][:-1])
        found[order[1:][again]] = True
        repeated[asked] = found
    return repeated


def _in_runs(sentences: _Units, repeated: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Repeated sentences that stand in a row of at least `least` of them in one document."""
    if not repeated.any():
        return repeated
    joined = repeated[1:] & repeated[:-1] & (sentences.documents[1:] == sentences.documents[:-1])
    starts = np.flatnonzero(np.concatenate(([True], ~joined)))
    lengths = np.diff(np.append(starts, repeated.size))
    kept: NDArray[np.bool_] = repeated & np.repeat(lengths >= least, lengths)
    return kept
